"""The notebook loop: for every setting build the standard Keras model, `model.fit` on numpy arrays, look.

Run as a program it is that loop, in one process with TensorFlow's default threads: it uses both cores as far
as TensorFlow can. Every contestant but this project trains by the same functions. Pixels are divided by 255
and labels one-hot, as in the tutorial from which the lab derives ("How to Develop a CNN From Scratch for
Fashion-MNIST Clothing Classification", Machine Learning Mastery). It prints nothing while it trains, which is
quicker.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.comparison.workload import Answer, Setting, Workload, write_answers


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
    history = model.fit(
        *images.train,
        batch_size=setting.batch_size,
        epochs=setting.epochs,
        validation_data=images.test,
        callbacks=list(callbacks),
        verbose=0,
    )
    accuracies = history.history["val_accuracy"]
    return Answer(setting.name, float(np.asarray(accuracies[-1])), len(accuracies))


def _scale(images: Any) -> Any:
    return images[..., None].astype("float32") / 255.0


def main() -> None:
    """Train every setting of the workload named first; write the answers to the file named second."""
    workload, answers = Workload.read(Path(sys.argv[1])), Path(sys.argv[2])
    images = load_images(workload)
    write_answers(answers, [fit(build_model(setting), setting, images) for setting in workload.settings])


if __name__ == "__main__":
    main()
