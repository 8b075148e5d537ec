"""Exercise 8: save the chosen model, load it again, check that it predicts the same, classify a new image."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.place import Results, write_atomically
from storage.trainings import Arrays
from study.calibration import Calibration, calibrate_crosswise, calibration_error, fit_temperature, soften
from study.chosen_model import ChosenModel, Confidence, NewImage, SavedFile
from study.exercises import ModelExercise
from study.fashion_mnist import CLASS_NAMES
from study.setting import Setting
from tasks.confused_pairs import count_confusion, find_confused_pairs
from tasks.dataset import Dataset, split_held_out
from tasks.lanes import Lanes
from tasks.model_card import render_card
from tasks.model_files import ModelFiles, keep_files, read_files
from tasks.preprocessing import scale_pixels
from tasks.quiet import silenced_stderr
from tasks.reload_model import predict_all, reload_files
from tasks.train import obtain_weights

SURE_FROM = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Confidences for which the model card says how many test images reach them, and how many are right."""

Row = Mapping[str, Any]


@task(name="export model", task_run_name="export model", cache_policy=NO_CACHE, persist_result=False)
def export_model(
    chosen: Row,
    exercise: ModelExercise,
    dataset: Dataset,
    results: Results,
    lanes: Lanes,
    run_id: str,
) -> ChosenModel:
    """Save the model of a trial in four formats, check each in a process of its own, and write its card.

    Args:
        chosen: The trial's row.
        exercise: Name of the files and the image to classify.
        dataset: The test images to compare on, and those to calibrate on.
        results: Where the weights are and the files go.
        lanes: Where Keras runs: the flow's own process never imports it.
        run_id: The run the files belong to.

    Raises:
        InputError: the stored training is missing or damaged.
        ReloadFailed: a file cannot be loaded again.
    """
    weights = obtain_weights(chosen["key"], chosen["epochs_run"], dataset, results, lanes)
    folder = results.model(run_id)
    model, files = lanes.run("export model", save_and_check, chosen, weights, exercise, dataset)
    keep_files(files, folder)
    write_atomically(folder / "model.json", model.model_dump_json(indent=1).encode())
    write_atomically(folder / "model_card.md", render_card(model, chosen, dataset.train_count).encode())
    return model


def save_and_check(
    chosen: Row, weights: Arrays, exercise: ModelExercise, dataset: Dataset
) -> tuple[ChosenModel, ModelFiles]:
    """Write, reload and compare, see `export_model`; return the files: a lane may not reach the results."""
    with TemporaryDirectory() as scratch:
        model, paths = _write_and_check(chosen, weights, exercise, dataset, Path(scratch))
        return model, read_files(paths)


def _write_and_check(
    chosen: Row, weights: Arrays, exercise: ModelExercise, dataset: Dataset, scratch: Path
) -> tuple[ChosenModel, list[Path]]:
    with silenced_stderr():
        from tasks.exported_model import build_exported_model, write_files
        from tasks.model import build_model
    setting = Setting(**{name: _plain(chosen[name]) for name in Setting.model_fields})
    trained = build_model(setting.hyperparameters)
    trained.set_weights(weights)
    with silenced_stderr():  # the converters talk of their optimisations
        exported = build_exported_model(setting.hyperparameters, weights)
        files = write_files(exported, scratch, exercise.file_name)
    pixels, labels = map(np.asarray, dataset.test())
    outputs = _predict(trained, pixels)
    reloaded = reload_files(files, pixels)
    first = reloaded[files[0].name][0]
    saved = tuple(_compare(file, outputs, reloaded[file.name]) for file in files)
    calibration = calibrate(trained, dataset, int(chosen["held_out_images"]), outputs, labels)
    model = ChosenModel(
        candidate=chosen["setting"],
        setting=setting,
        seed=chosen["seed"],
        key=chosen["key"],
        epochs_run=chosen["epochs_run"],
        validation_accuracy=chosen["validation_accuracy"],
        test_accuracy=chosen["test_accuracy"],
        reloaded_test_accuracy=float((first.argmax(axis=1) == labels).mean()),
        files=tuple(file.name for file in files),
        files_agree=all(each.agrees for each in saved),
        confusion=count_confusion(labels, first.argmax(axis=1)),
        new_image=_classify(first, labels, min(exercise.new_image, len(labels) - 1)),
        confused=find_confused_pairs(labels, first),
        calibration=calibration,
        saved=saved,
        confidence=count_confident(soften(outputs, calibration.temperature), labels),
    )
    return model, files


def calibrate(
    trained: Any, dataset: Dataset, held_out: int, outputs: np.ndarray, labels: np.ndarray
) -> Calibration:
    """The temperature of a model, fitted on the validation images; where these are the test, crosswise.

    Args:
        trained: The Keras model.
        dataset: The images.
        held_out: How many training images are its validation images; 0 in the lab protocol.
        outputs: Its class probabilities (n, 10) of the test images.
        labels: Their classes (n,).
    """
    if not held_out:
        temperature, before, after = calibrate_crosswise(outputs, labels)
        where = "the test images, which are the validation images here: each half judged by the other's"
        return Calibration(
            temperature=temperature,
            fitted_on=where,
            images=len(labels),
            error_before=before,
            error_after=after,
        )
    images, classes = map(np.asarray, dataset.train())
    _, chosen = split_held_out(classes, held_out)
    temperature = fit_temperature(_predict(trained, images[chosen]), classes[chosen])
    return Calibration(
        temperature=temperature,
        fitted_on="the validation images",
        images=len(chosen),
        error_before=calibration_error(outputs, labels),
        error_after=calibration_error(soften(outputs, temperature), labels),
    )


def count_confident(softened: np.ndarray, labels: np.ndarray) -> tuple[Confidence, ...]:
    """For each confidence of `SURE_FROM`, how many images reach it and are right; others likewise.

    Args:
        softened: Calibrated class probabilities (n, 10).
        labels: True classes (n,).
    """
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
    return predict_all(lambda inputs: model(inputs, training=False), scale_pixels(pixels)[..., np.newaxis])


def _compare(file: Path, outputs: np.ndarray, found: Sequence[np.ndarray]) -> SavedFile:
    from tasks.exported_model import FORMATS

    same = np.all([each.argmax(axis=1) == outputs.argmax(axis=1) for each in found], axis=0)
    paths = [path for path in file.rglob("*") if path.is_file()] if file.is_dir() else [file]
    return SavedFile(
        name=file.name,
        format=FORMATS[file.suffix],
        size_bytes=sum(path.stat().st_size for path in paths),
        largest_difference=max(float(np.abs(each - outputs).max()) for each in found),
        same_classes=int(same.sum()),
        images=len(outputs),
    )


def _classify(outputs: np.ndarray, labels: np.ndarray, index: int) -> NewImage:
    return NewImage(
        test_index=index,
        true_class=CLASS_NAMES[labels[index]],
        predicted_class=CLASS_NAMES[outputs[index].argmax()],
        probabilities=tuple(float(each) for each in outputs[index]),
    )


def _plain(value: Any) -> Any:
    """A number from a data frame as Python's own; pandas' missing value as None."""
    return None if value is None or value != value else value
