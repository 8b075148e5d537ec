"""Sound files that cases are made of, made once: the dataset's, a model's, a picture's, a training's."""

import atexit
import shutil
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np


@cache
def folder() -> Path:
    """A folder for this process."""
    made = tempfile.mkdtemp(prefix="sound-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


def boot() -> np.ndarray:
    """An ankle boot, 28 x 28."""
    from tasks.data.dataset import load_dataset

    return np.array(load_dataset().test()[0][0])


def write_picture(path: Path, pixels: np.ndarray) -> Path:
    """Write a picture in the format of its suffix."""
    assert cv2.imwrite(str(path), pixels)
    return path


def save_model(path: Path, *layers: Any, shape: tuple[int, ...] = (28, 28, 1)) -> Path:
    """Save a model of these layers, or one that answers every picture alike."""
    import keras

    chosen = layers or (keras.layers.Flatten(), keras.layers.Dense(10, "softmax", kernel_initializer="zeros"))
    with warnings.catch_warnings():
        # Keras itself calls np.array on a TensorFlow variable, which NumPy 2 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        keras.Sequential([keras.Input(shape), *chosen]).save(path)
    return path


@cache
def model() -> Path:
    """A sound model."""
    return save_model(folder() / "model.keras")
