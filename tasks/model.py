"""The standard Keras model of the published protocol.

Conv2D - MaxPooling2D - [Dropout] - Flatten - Dense - Dense(10, softmax), as in "How to Develop a CNN From
Scratch for Fashion-MNIST Clothing Classification" (Machine Learning Mastery), from which the lab derives.
"""

import keras

from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from study.setting import Hyperparameters


def build_model(hyperparameters: Hyperparameters) -> keras.Sequential:
    """Build the model; a training's weights fit it as they are, its own initial ones are drawn unseeded.

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
