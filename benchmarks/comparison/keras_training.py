"""The training as people write it in a notebook: the standard Keras model and `model.fit` on numpy arrays.

Every contestant but this project trains by it. Pixels are divided by 255 and labels one-hot, as in the
tutorial from which the lab derives ("How to Develop a CNN From Scratch for Fashion-MNIST Clothing
Classification", Machine Learning Mastery); nothing is printed while it trains, which is quicker.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.comparison.workload import Answer, Setting, Workload


@dataclass(frozen=True)
class Images:
    """Float32 images (n, 28, 28, 1) in 0..1 and one-hot labels (n, 10), for training and for the test."""

    train: tuple[Any, Any]
    test: tuple[Any, Any]


def load_images(workload: Workload) -> Images:
    """The workload's images, ready for `model.fit`."""
    train_images, train_labels, test_images, test_labels = workload.load()
    return Images(
        (_scale(train_images), keras.utils.to_categorical(train_labels, 10)),
        (_scale(test_images), keras.utils.to_categorical(test_labels, 10)),
    )


def use_one_thread() -> None:
    """Give TensorFlow one thread in this process: for workers that share the cores; call it first."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def build_model(setting: Setting) -> keras.Sequential:
    """The compiled model of the published protocol."""
    layers = [
        keras.layers.Input((28, 28, 1)),
        keras.layers.Conv2D(
            setting.filters, setting.kernel_size, activation="relu", kernel_initializer="he_uniform"
        ),
        keras.layers.MaxPooling2D(2),
        *([keras.layers.Dropout(setting.dropout)] if setting.dropout else []),
        keras.layers.Flatten(),
        keras.layers.Dense(setting.dense_units, activation="relu", kernel_initializer="he_uniform"),
        keras.layers.Dense(10, activation="softmax"),
    ]
    model = keras.Sequential(layers)
    optimizer = keras.optimizers.SGD(setting.learning_rate, momentum=setting.momentum)
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model: keras.Sequential, setting: Setting, images: Images, callbacks: Any = ()) -> Answer:
    """Train a model, validate it on the test images after each epoch, and return its last reading."""
    stopping = [keras.callbacks.EarlyStopping("val_loss", patience=setting.patience)]
    history = model.fit(
        *images.train,
        batch_size=setting.batch_size,
        epochs=setting.epochs,
        validation_data=images.test,
        callbacks=[*callbacks, *(stopping if setting.patience else [])],
        verbose=0,
    )
    accuracies = history.history["val_accuracy"]
    return Answer(setting.name, float(np.asarray(accuracies[-1])), len(accuracies))


def _scale(images: Any) -> Any:
    return images[..., None].astype("float32") / 255.0
