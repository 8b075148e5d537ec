"""The standard Keras model of the published protocol.

Conv2D - MaxPooling2D - [Dropout] - Flatten - Dense - Dense(10, softmax), as in "How to Develop a CNN From
Scratch for Fashion-MNIST Clothing Classification" (Machine Learning Mastery), from which the lab derives.
"""

import keras
import numpy as np

from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from study.spec import Hyperparameters


def build_model(hyperparameters: Hyperparameters, seed: int) -> keras.Sequential:
    """Build the model with its initial weights drawn from the seed.

    Input (n, 28, 28, 1) float32 in 0..1; output (n, 10) class probabilities.
    """
    convolution_seed, dense_seed, output_seed, dropout_seed = _layer_seeds(seed)
    layers = [
        keras.Input((IMAGE_SIDE, IMAGE_SIDE, 1)),
        keras.layers.Conv2D(
            hyperparameters.filters,
            hyperparameters.kernel_size,
            activation="relu",
            kernel_initializer=keras.initializers.HeUniform(convolution_seed),
        ),
        keras.layers.MaxPooling2D(2),
        keras.layers.Flatten(),
        keras.layers.Dense(
            hyperparameters.dense_units,
            activation="relu",
            kernel_initializer=keras.initializers.HeUniform(dense_seed),
        ),
        keras.layers.Dense(
            len(CLASS_NAMES),
            activation="softmax",
            kernel_initializer=keras.initializers.GlorotUniform(output_seed),
        ),
    ]
    if hyperparameters.dropout > 0:
        layers.insert(3, keras.layers.Dropout(hyperparameters.dropout, seed=dropout_seed))
    return keras.Sequential(layers)


def _layer_seeds(seed: int) -> list[int]:
    """Independent seeds for the layers of one model, so that no two layers start alike."""
    return [int(state) for state in np.random.SeedSequence(seed).generate_state(4) >> 1]
