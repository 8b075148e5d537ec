"""A sound model, made once, and a sound picture, of which cases are made."""

import atexit
import shutil
import tempfile
import warnings
from functools import cache
from pathlib import Path

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


@cache
def model() -> Path:
    """A sound model, that answers every picture alike."""
    import keras

    layers = [keras.layers.Flatten(), keras.layers.Dense(10, "softmax", kernel_initializer="zeros")]
    with warnings.catch_warnings():
        # Keras itself calls np.array on a TensorFlow variable, which NumPy 2 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        keras.Sequential([keras.Input((28, 28, 1)), *layers]).save(folder() / "model.keras")
    return folder() / "model.keras"
