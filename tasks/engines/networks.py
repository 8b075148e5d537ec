"""The lab's network as a function of its input and its hyperparameters, built with Keras."""

import keras

from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from study.spec import Hyperparameters

INPUT_SHAPE, CLASSES = (IMAGE_SIDE, IMAGE_SIDE, 1), len(CLASS_NAMES)
"""Height, width and channels of an image, and the number of classes."""


def build_lab_network(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    filters: int = 32,
    kernel_size: int = 3,
    dense_units: int = 16,
    dropout: float = 0.0,
) -> keras.Model:
    """Build the network of the published protocol: one convolution, pooling, one hidden dense layer.

    Input (n, *input_shape) float32 in 0..1; output (n, classes) class probabilities.
    """
    he = {"activation": "relu", "kernel_initializer": "he_uniform"}
    layers = [
        keras.Input(input_shape),
        keras.layers.Conv2D(filters, kernel_size, **he),
        keras.layers.MaxPooling2D(2),
        *([keras.layers.Dropout(dropout)] if dropout > 0 else []),
        keras.layers.Flatten(),
        keras.layers.Dense(dense_units, **he),
        keras.layers.Dense(classes, activation="softmax"),
    ]
    return keras.Sequential(layers)


def build_network(hyperparameters: Hyperparameters) -> keras.Model:
    """Build the network of these hyperparameters; its own initial weights are unseeded."""
    h = hyperparameters
    return build_lab_network(
        INPUT_SHAPE,
        CLASSES,
        filters=h.filters,
        kernel_size=h.kernel_size,
        dense_units=h.dense_units,
        dropout=h.dropout,
    )
