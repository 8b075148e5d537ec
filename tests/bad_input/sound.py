"""Sound files that cases are made of, made once: the dataset's, a model's, a picture's, a training's."""

import atexit
import shutil
import struct
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


@cache
def dataset_folder() -> Path:
    """The four published files, unpacked; cases link to them."""
    from tasks.data.dataset import load_dataset

    data = load_dataset()
    made = folder() / "dataset"
    made.mkdir()
    for prefix, arrays in (("train", data.train()), ("t10k", data.test())):
        for kind, array in zip(("images", "labels"), arrays, strict=True):
            header = struct.pack(f">{1 + array.ndim}I", 2048 + array.ndim, *array.shape)
            path = made / f"{prefix}-{kind}-idx{array.ndim}-ubyte"
            path.write_bytes(header + np.ascontiguousarray(array).tobytes())
    return made


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
