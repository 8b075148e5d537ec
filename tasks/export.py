"""Exercise 8: save the chosen model, load it again, check that it predicts the same, classify a new image."""

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.place import Results, write_atomically
from storage.trainings import Arrays
from study.chosen_model import ChosenModel, NewImage
from study.exercises import ModelExercise
from study.fashion_mnist import CLASS_NAMES
from study.setting import Setting
from tasks.confused_pairs import count_confusion, find_confused_pairs
from tasks.dataset import Dataset
from tasks.lanes import Lanes
from tasks.preprocessing import scale_pixels
from tasks.quiet import silenced_stderr
from tasks.train import obtain_weights

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)


@task(name="export model", task_run_name="export model", cache_policy=NO_CACHE, persist_result=False)
def export_model(
    chosen: Mapping[str, Any],
    exercise: ModelExercise,
    dataset: Dataset,
    results: Results,
    lanes: Lanes,
    run_id: str,
) -> ChosenModel:
    """Save the model of a trial as `.h5` and `.keras` and check both in a process of their own.

    Args:
        chosen: The trial's row.
        exercise: Name of the files and the image to classify.
        dataset: The test images to compare on.
        results: Where the weights are and the files go.
        lanes: Where Keras runs: the flow's own process never imports it.
        run_id: The run the files belong to.

    Raises:
        InputError: the stored training is missing or damaged.
    """
    weights = obtain_weights(chosen["key"], chosen["epochs_run"], dataset, results, lanes)
    model = lanes.run(
        "export model", save_and_check, chosen, weights, exercise, dataset, results.model(run_id)
    )
    write_atomically(results.model(run_id) / "model.json", model.model_dump_json(indent=1).encode())
    return model


def save_and_check(
    chosen: Mapping[str, Any], weights: Arrays, exercise: ModelExercise, dataset: Dataset, folder: Path
) -> ChosenModel:
    """Save, reload and compare in this process; see `export_model`."""
    with silenced_stderr():
        import keras

        from tasks.model import build_model
    setting = Setting(**{name: _plain(chosen[name]) for name in Setting.model_fields})
    model = build_model(setting.hyperparameters)
    model.set_weights(weights)
    logging.getLogger("absl").setLevel(logging.ERROR)  # Keras calls .h5 legacy; the lab asks for it
    files = _save(model, folder, exercise.file_name)
    images, labels = dataset.test()
    inputs = scale_pixels(np.asarray(images))[..., np.newaxis]
    outputs = predict_all(model, inputs)
    reloaded = [
        predict_all(keras.models.load_model(file, compile=False, safe_mode=True), inputs) for file in files
    ]
    predicted = reloaded[0].argmax(axis=1)
    return ChosenModel(
        candidate=chosen["setting"],
        setting=setting,
        seed=chosen["seed"],
        key=chosen["key"],
        epochs_run=chosen["epochs_run"],
        validation_accuracy=chosen["validation_accuracy"],
        test_accuracy=chosen["test_accuracy"],
        reloaded_test_accuracy=float((predicted == labels).mean()),
        files=tuple(file.name for file in files),
        files_agree=all(np.array_equal(outputs, each) for each in reloaded),
        confusion=count_confusion(labels, predicted),
        new_image=_classify(reloaded[0], labels, min(exercise.new_image, len(labels) - 1)),
        confused=find_confused_pairs(labels, reloaded[0]),
    )


def predict_all(model: "keras.Model", inputs: np.ndarray, batch: int = 1000) -> np.ndarray:
    """Class probabilities (n, 10) of inputs (n, 28, 28, 1), a bounded number of images at a time."""
    parts = [
        np.asarray(model(inputs[at : at + batch], training=False)) for at in range(0, len(inputs), batch)
    ]
    return np.concatenate(parts)


def _save(model: "keras.Model", folder: Path, name: str) -> list[Path]:
    with tempfile.TemporaryDirectory() as scratch:  # Keras writes under a suffix it knows, and not atomically
        written = [Path(scratch, f"{name}{suffix}") for suffix in (".h5", ".keras")]
        for file in written:
            model.save(file)
        return [write_atomically(folder / file.name, file.read_bytes()) for file in written]


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
