"""Exercise 8: save the chosen model, load it again, check that it predicts the same, classify a new image."""

import hashlib
import logging
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from storage.results import Results, find_paths, is_local, replace_folder, write_atomically
from storage.tables import TrialRow
from storage.trainings import Arrays, hash_weights
from study.conclusions import (
    MAX_EXAMPLES,
    Calibration,
    ChosenModel,
    Confidence,
    ConfusedPair,
    NewImage,
    SavedFile,
    calibrate_crosswise,
    calibration_error,
    fit_temperature,
    soften,
)
from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.spec import ModelExercise, NetworkFile
from tasks.data import Dataset, scale_pixels, split_held_out, with_channels
from tasks.engines import silenced_stderr
from tasks.lanes import Lanes
from tasks.model.card import render_card
from tasks.model.reload import FreshProcesses, predict_all
from tasks.step import step
from tasks.tables import read_setting
from tasks.training import obtain_weights

ModelFiles = dict[str, bytes]
"""Contents by path, relative to the model's folder, with slashes."""

logger = logging.getLogger(__name__)


def read_files(paths: Sequence[Path]) -> ModelFiles:
    """Read files, and folders with all their content, that lie in one folder."""
    files = [each for path in paths for each in (path.rglob("*") if path.is_dir() else [path])]
    top = paths[0].parent
    return {each.relative_to(top).as_posix(): each.read_bytes() for each in files if each.is_file()}


def keep_files(files: ModelFiles, folder: Path) -> None:
    """Write the content to the folder of a run's model.

    Raises:
        OSError: a file cannot be written; older files stay.
    """
    with TemporaryDirectory() as scratch:
        for name, content in files.items():
            path = Path(scratch, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for path in sorted(Path(scratch).iterdir()):
            if path.is_dir():
                replace_folder(folder / path.name, path)
            else:
                write_atomically(folder / path.name, path.read_bytes())


IMAGE_FACTS = "image_facts"
"""Name, in a saved model, of the shape of its images and the names of its classes, as JSON."""
MAX_PAIRS = 4


def count_confusion(
    labels: np.ndarray, predicted: np.ndarray, classes: int = FASHION_IMAGES.classes
) -> tuple[tuple[int, ...], ...]:
    """Count images of class i predicted as class j, `[i][j]`, from class indices (n,) and (n,)."""
    counts = np.zeros((classes, classes), dtype=int)
    np.add.at(counts, (labels, predicted), 1)
    return tuple(tuple(int(count) for count in row) for row in counts)


def find_confused_pairs(
    labels: np.ndarray, outputs: np.ndarray, names: Sequence[str] = FASHION_IMAGES.class_names
) -> tuple[ConfusedPair, ...]:
    """Find the at most four pairs of classes confused most often, from labels (n,) and outputs (n, classes).

    A pair has a direction: Shirt taken for Coat differs from Coat taken for Shirt. Most images come first; of
    equally many, the lower true class, then the lower predicted class.
    """
    wrong = np.array(count_confusion(labels, outputs.argmax(axis=1), len(names)))
    np.fill_diagonal(wrong, 0)
    most_first = np.argsort(-wrong, axis=None, kind="stable")[:MAX_PAIRS]
    pairs = [divmod(int(place), len(names)) for place in most_first]
    return tuple(_describe(labels, outputs, names, *pair) for pair in pairs if wrong[pair])


def _describe(
    labels: np.ndarray, outputs: np.ndarray, names: Sequence[str], true: int, predicted: int
) -> ConfusedPair:
    images = np.flatnonzero((labels == true) & (outputs.argmax(axis=1) == predicted))
    surest_first = images[np.argsort(-outputs[images, predicted], kind="stable")]
    return ConfusedPair(
        true_class=names[true],
        predicted_class=names[predicted],
        images=len(images),
        of=int((labels == true).sum()),
        examples=tuple(int(index) for index in surest_first[:MAX_EXAMPLES]),
    )


RECENT_MODELS = 5
"""The latest runs whose models are looked at for one that can be copied."""

SURE_FROM = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Confidences for which the model card counts the test images that reach them and are right."""


@step("export model")
def export_model(
    chosen: TrialRow,
    exercise: ModelExercise,
    dataset: Dataset,
    results: Results,
    lanes: Lanes,
    run_id: str,
    network: NetworkFile | None = None,
) -> ChosenModel:
    """Save the model of a trial in four formats, check each in its own process, and write its card.

    A model that an earlier run has saved and checked, with the same code and libraries, is copied. Keras runs
    on a lane: the flow's own process never imports it.

    Raises:
        InputError: the stored training is missing or damaged.
        ReloadFailed: a file cannot be loaded again.
    """
    weights = obtain_weights(chosen.key, chosen.epochs_run or chosen.epochs, dataset, results, lanes, network)
    folder, fingerprint = results.model(run_id), take_fingerprint(chosen, weights, exercise, dataset)
    kept = find_export(results, fingerprint)
    if kept is not None:
        logger.info("copying the model that an earlier run has saved and checked")
        model, files = kept
    else:
        logger.info("saving the model, and loading each of its files again")
        made, files = lanes.run("export model", save_and_check, chosen, weights, exercise, dataset, network)
        model = made.model_copy(update={"fingerprint": fingerprint})
    keep_files(files, folder)
    write_atomically(folder / "model.json", model.model_dump_json(indent=1).encode())
    write_atomically(
        folder / "model_card.md", render_card(model, chosen, dataset.train_count, dataset.name).encode()
    )
    return model


def take_fingerprint(chosen: TrialRow, weights: Arrays, exercise: ModelExercise, dataset: Dataset) -> str:
    """Hash everything that decides what is saved: weights, trial, exercise, data, libraries and this code."""
    facts = (chosen.key, chosen.seed, chosen.epochs_run, chosen.validation_accuracy, chosen.test_accuracy)
    taken = [
        hash_weights(weights),
        f"{chosen.setting} {facts} {chosen.held_out_images}",
        read_setting(chosen).model_dump_json(),
        exercise.model_dump_json(),
        dataset.fingerprint,
        dataset.facts.model_dump_json(),
        *(f"{name} {metadata.version(name)}" for name in ("tensorflow", "keras")),
        *(path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))),
    ]
    return hashlib.sha256("\0".join(taken).encode()).hexdigest()


def find_export(results: Results, fingerprint: str) -> tuple[ChosenModel, ModelFiles] | None:
    """Return the model of one of the latest runs that has this fingerprint; None on an object store."""
    if not is_local(results.folder):
        return None
    for path in find_paths(results.runs, "*/model/model.json")[: -1 - RECENT_MODELS : -1]:
        try:
            model = ChosenModel.model_validate_json(path.read_bytes())
            if model.fingerprint == fingerprint:
                return model, read_files([path.with_name(name) for name in model.files])
        except (OSError, ValueError):  # removed meanwhile, or of another version
            continue
    return None


def save_and_check(
    chosen: TrialRow,
    weights: Arrays,
    exercise: ModelExercise,
    dataset: Dataset,
    network: NetworkFile | None = None,
) -> tuple[ChosenModel, ModelFiles]:
    """Write, reload and compare, see `export_model`; return the files: a lane may not reach the results."""
    setting, images = read_setting(chosen), dataset.facts
    pixels, labels = map(np.asarray, dataset.test())
    with FreshProcesses(pixels) as processes, TemporaryDirectory() as scratch:
        with silenced_stderr():  # TensorFlow and its converters log their optimisations
            from tasks.engines import build_network
            from tasks.model.build import build_exported_model, write_files

            trained = build_network(setting.hyperparameters, images, network)
            trained.set_weights(weights)
            exported = build_exported_model(trained, setting.hyperparameters, images, network is None)
            files = []
            for file in write_files(exported, Path(scratch), exercise.file_name, images):
                processes.load(file)
                files.append(file)
        contents = read_files(files)
        outputs = _predict(trained, pixels)
        reloaded = processes.outputs()
        saved = tuple(_compare(file, outputs, reloaded[file.name]) for file in files)
    first = reloaded[files[0].name][0]
    calibration = calibrate(trained, dataset, chosen.held_out_images, outputs, labels)
    model = ChosenModel(
        candidate=chosen.setting,
        setting=setting,
        seed=chosen.seed,
        key=chosen.key,
        epochs_run=chosen.epochs_run,
        validation_accuracy=chosen.validation_accuracy,
        test_accuracy=chosen.test_accuracy,
        reloaded_test_accuracy=float((first.argmax(axis=1) == labels).mean()),
        files=tuple(file.name for file in files),
        files_agree=all(each.agrees for each in saved),
        confusion=count_confusion(labels, first.argmax(axis=1), images.classes),
        new_image=_classify(first, labels, min(exercise.new_image, len(labels) - 1), images),
        confused=find_confused_pairs(labels, first, images.class_names),
        calibration=calibration,
        saved=saved,
        confidence=count_confident(soften(outputs, calibration.temperature), labels),
        images=images,
    )
    return model, contents


def calibrate(
    trained: Any, dataset: Dataset, held_out: int, outputs: np.ndarray, labels: np.ndarray
) -> Calibration:
    """Fit a model's temperature on the validation images; if these are the test images, crosswise.

    Outputs (n, classes) and labels (n,) are of the test images.
    """
    if not held_out:
        temperature, before, after = calibrate_crosswise(outputs, labels)
        where = "the test images, which are the validation images here: each half judged by the other's"
        count = len(labels)
    else:
        images, classes = map(np.asarray, dataset.train())
        _, chosen = split_held_out(classes, held_out)
        temperature = fit_temperature(_predict(trained, images[chosen]), classes[chosen])
        before = calibration_error(outputs, labels)
        after = calibration_error(soften(outputs, temperature), labels)
        where, count = "the validation images", len(chosen)
    return Calibration(
        temperature=temperature, fitted_on=where, images=count, error_before=before, error_after=after
    )


def count_confident(softened: np.ndarray, labels: np.ndarray) -> tuple[Confidence, ...]:
    """Count, for each confidence of `SURE_FROM`, the images that reach it and are right; the others too."""
    confidence, right = softened.max(axis=1), softened.argmax(axis=1) == labels
    return tuple(
        Confidence(
            least=least,
            sure=int(sure.sum()),
            sure_right=int((right & sure).sum()),
            unsure=int((~sure).sum()),
            unsure_right=int((right & ~sure).sum()),
        )
        for least, sure in ((each, confidence >= each) for each in SURE_FROM)
    )


def _predict(model: Any, pixels: np.ndarray) -> np.ndarray:
    return predict_all(lambda inputs: model(inputs, training=False), with_channels(scale_pixels(pixels)))


def _compare(file: Path, outputs: np.ndarray, found: Sequence[np.ndarray]) -> SavedFile:
    from tasks.model.build import FORMATS

    same = np.ones(len(outputs), dtype=bool)
    for each in found:
        same[: len(each)] &= each.argmax(axis=1) == outputs[: len(each)].argmax(axis=1)
    paths = [path for path in file.rglob("*") if path.is_file()] if file.is_dir() else [file]
    return SavedFile(
        name=file.name,
        format=FORMATS[file.suffix],
        size_bytes=sum(path.stat().st_size for path in paths),
        largest_difference=max(float(np.abs(each - outputs[: len(each)]).max()) for each in found),
        same_classes=int(same.sum()),
        images=len(outputs),
    )


def _classify(outputs: np.ndarray, labels: np.ndarray, index: int, images: ImageFacts) -> NewImage:
    return NewImage(
        test_index=index,
        true_class=images.class_names[labels[index]],
        predicted_class=images.class_names[outputs[index].argmax()],
        probabilities=tuple(float(each) for each in outputs[index]),
    )
