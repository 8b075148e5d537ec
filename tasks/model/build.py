"""The standard Keras model of the published protocol, and its exported form."""

import logging
from pathlib import Path

import keras

from storage.trainings import Arrays
from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from study.spec import Hyperparameters
from tasks.data import PIXEL_MAXIMUM


def build_model(hyperparameters: Hyperparameters) -> keras.Sequential:
    """Build the model; a training's weights fit it unchanged, and its own initial ones are unseeded.

    Input (n, 28, 28, 1) float32 in 0..1; output (n, 10) class probabilities.
    """
    layers = [
        keras.Input((IMAGE_SIDE, IMAGE_SIDE, 1)),
        keras.layers.Conv2D(
            hyperparameters.filters,
            hyperparameters.kernel_size,
            activation="relu",
            kernel_initializer="he_uniform",
        ),
        keras.layers.MaxPooling2D(2),
        keras.layers.Flatten(),
        keras.layers.Dense(hyperparameters.dense_units, activation="relu", kernel_initializer="he_uniform"),
        keras.layers.Dense(len(CLASS_NAMES), activation="softmax"),
    ]
    if hyperparameters.dropout > 0:
        layers.insert(3, keras.layers.Dropout(hyperparameters.dropout))
    return keras.Sequential(layers)


SHARPNESS = 1e6
"""Steepness of "above 1" from 0 to 1: raw pixels are whole numbers, and 2 is far beyond the slope."""

FORMATS = {
    ".h5": "Keras HDF5 (the lab's)",
    ".keras": "Keras",
    "": "TensorFlow SavedModel",
    ".tflite": "LiteRT (TensorFlow Lite)",
}
"""The format of each suffix; a SavedModel is a folder with a version folder, as TensorFlow Serving needs."""


def build_exported_model(hyperparameters: Hyperparameters, weights: Arrays) -> keras.Model:
    """The trained model behind its preprocessing.

    Input (n, 28, 28, 1), or (n, 28, 28), pixels 0..255 or scaled to 0..1, light on black; output (n, 10)
    class probabilities, equal bit for bit to those of `build_model` fed scaled pixels.
    """
    core = build_model(hyperparameters)
    core.set_weights(weights)
    image = keras.Input((IMAGE_SIDE, IMAGE_SIDE, 1), name="image")
    outputs = _scale(image)
    for layer in core.layers:
        outputs = layer(outputs)
    return keras.Model(image, outputs, name="fashion_mnist")


def write_files(model: keras.Model, scratch: Path, name: str) -> list[Path]:
    """Write the model in every format of `FORMATS` to a folder on this machine and return the paths.

    Keras writes to no other, and not atomically.
    """
    logging.getLogger("absl").setLevel(logging.ERROR)  # Keras calls .h5 legacy; the lab requires it
    written = {suffix: scratch / f"{name}{suffix}" for suffix in FORMATS}
    model.save(written[".h5"])
    model.save(written[".keras"])
    model.export(written[""] / "1", format="tf_saved_model", verbose=False)
    model.export(written[".tflite"], format="litert", verbose=False)
    return list(written.values())


def _scale(image: keras.KerasTensor) -> keras.KerasTensor:
    layers = keras.layers
    brightest = layers.GlobalMaxPooling2D(keepdims=True, name="brightest")(image)
    above = layers.Rescaling(SHARPNESS, -SHARPNESS, name="above_one")(brightest)
    is_raw = layers.ReLU(max_value=1.0, name="is_raw")(above)
    is_scaled = layers.Rescaling(-1.0, 1.0, name="is_scaled")(is_raw)
    divided = layers.Normalization(
        axis=None, mean=0.0, variance=PIXEL_MAXIMUM**2, name="divided_by_255"
    )(image)  # fmt: skip
    raw = layers.Multiply(name="raw")([divided, is_raw])
    scaled = layers.Multiply(name="scaled")([image, is_scaled])
    pixels: keras.KerasTensor = layers.Add(name="pixels")([raw, scaled])
    return pixels
