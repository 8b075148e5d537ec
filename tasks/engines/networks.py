"""The lab's network as a function of its input and its hyperparameters, built with Keras."""

import keras

from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.spec import Hyperparameters


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


def build_network(hyperparameters: Hyperparameters, images: ImageFacts = FASHION_IMAGES) -> keras.Model:
    """Build the network of these hyperparameters for such images; its own initial weights are unseeded."""
    h = hyperparameters
    return build_lab_network(
        images.shape,
        images.classes,
        filters=h.filters,
        kernel_size=h.kernel_size,
        dense_units=h.dense_units,
        dropout=h.dropout,
    )
