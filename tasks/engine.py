"""Train one epoch at a time: the whole epoch is one TensorFlow graph over data that stays in memory.

The weights after each epoch depend only on hyperparameters, seed and data: the initial weights are drawn
from the seed, each epoch's order and dropout masks from (seed, epoch), and a lane computes with one thread.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from storage.trainings import Arrays
from study.cost import EVALUATION_BATCH
from study.fashion_mnist import IMAGE_SIDE
from study.spec import Hyperparameters
from tasks.model import build_model
from tasks.preprocessing import PIXEL_MAXIMUM

if tf.config.list_physical_devices("GPU"):
    tf.config.experimental.enable_op_determinism()  # a CPU lane is deterministic by its single thread

COMPILED_SHAPES = 4
"""Compiled trainers a lane keeps; trainings come longest first, so equal shapes are near each other."""


_IMAGES = [
    tf.TensorSpec([None, IMAGE_SIDE, IMAGE_SIDE, 1], tf.uint8, "pixels"),
    tf.TensorSpec([None], tf.int32, "labels"),
]
_ORDER = tf.TensorSpec([None], tf.int32, "order")


@dataclass(frozen=True)
class Score:
    """Mean categorical cross-entropy and accuracy (fraction of 1) over some images."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Images:
    """Images on the device: (n, 28, 28, 1) uint8 and labels (n,) int32."""

    pixels: tf.Tensor
    labels: tf.Tensor

    @classmethod
    def place(cls, images: np.ndarray, labels: np.ndarray) -> "Images":
        """Copy (n, 28, 28) uint8 images and (n,) labels to the device."""
        pixels = images.reshape(-1, IMAGE_SIDE, IMAGE_SIDE, 1)
        return cls(tf.constant(pixels), tf.constant(labels.astype(np.int32)))


class Trainer:
    """A model with its compiled epoch and evaluation; one for each shape, started anew for each training."""

    def __init__(self, hyperparameters: Hyperparameters) -> None:
        self.batch_size = hyperparameters.batch_size
        self.model = build_model(hyperparameters, seed=0)
        self.optimizer = keras.optimizers.SGD(
            hyperparameters.learning_rate, momentum=hyperparameters.momentum
        )
        self.optimizer.build(self.model.trainable_variables)
        self._initial_optimizer = [variable.numpy() for variable in self.optimizer.variables]
        self._dropout = [layer for layer in self.model.layers if isinstance(layer, keras.layers.Dropout)]
        # Compiled for each trainer apart, as a graph holds this model's variables; for any number of images.
        self._compiled_epoch = tf.function(self._epoch, input_signature=[*_IMAGES, _ORDER])
        self._compiled_evaluation = tf.function(self._evaluation, input_signature=_IMAGES)

    def start(self, hyperparameters: Hyperparameters, seed: int) -> None:
        """Begin a training: fresh weights from the seed, a fresh optimizer."""
        self.resume(build_model(hyperparameters, seed).get_weights(), self._initial_optimizer)

    def resume(self, weights: Arrays, optimizer: Arrays) -> None:
        """Go on with a training: its weights, and the optimizer's state as `optimizer_state` gave it."""
        self.model.set_weights(weights)
        for variable, value in zip(self.optimizer.variables, optimizer, strict=True):
            variable.assign(value)

    def train_epoch(
        self, images: Images, seed: int, epoch: int, learning_rate: float, most: int | None = None
    ) -> tuple[Score, float]:
        """Train one epoch (from 1), or its first `most` images; return its running score and its seconds."""
        order = epoch_order(len(images.labels), seed, epoch)[:most]
        self.optimizer.learning_rate.assign(learning_rate)
        for layer in self._dropout:
            layer.seed_generator.state.assign([seed, epoch << 20])  # counts up by one each step
        started = time.perf_counter()
        loss, accuracy = self._compiled_epoch(images.pixels, images.labels, tf.constant(order))
        score = Score(float(loss), float(accuracy))  # reading the values waits for the device
        return score, time.perf_counter() - started

    def evaluate(self, images: Images) -> Score:
        """Score the model on all images, the last batch whole or not."""
        loss, accuracy = self._compiled_evaluation(images.pixels, images.labels)
        return Score(float(loss), float(accuracy))

    def warm_up(self, images: Images) -> float:
        """Compile the training step and the evaluation; return the seconds. Call `start` afterwards."""
        started = time.perf_counter()
        first = Images(images.pixels[: self.batch_size + 1], images.labels[: self.batch_size + 1])
        self.train_epoch(first, seed=0, epoch=1, learning_rate=0.0)
        self.evaluate(first)
        return time.perf_counter() - started

    def weights(self) -> Arrays:
        """The model's weights and biases, in Keras's order."""
        return [variable.numpy() for variable in self.model.trainable_variables]

    def optimizer_state(self) -> Arrays:
        """Everything the optimizer carries from step to step: step count, learning rate, momenta."""
        return [variable.numpy() for variable in self.optimizer.variables]

    def _epoch(self, pixels: tf.Tensor, labels: tf.Tensor, order: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        count = tf.shape(order)[0]
        total_loss, total_correct = tf.constant(0.0), tf.constant(0.0)
        for start in tf.range(0, count, self.batch_size):
            chosen = order[start : start + self.batch_size]
            loss, correct = self._step(tf.gather(pixels, chosen), tf.gather(labels, chosen))
            total_loss += loss
            total_correct += correct
        images = tf.cast(count, tf.float32)
        return total_loss / images, total_correct / images

    def _step(self, pixels: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            losses, correct = self._losses(pixels, labels, training=True)
            loss = tf.reduce_mean(losses)
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return tf.reduce_sum(losses), correct

    def _evaluation(self, pixels: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        count = tf.shape(labels)[0]
        total_loss, total_correct = tf.constant(0.0), tf.constant(0.0)
        for start in tf.range(0, count, EVALUATION_BATCH):
            batch = slice(start, start + EVALUATION_BATCH)
            losses, correct = self._losses(pixels[batch], labels[batch], training=False)
            total_loss += tf.reduce_sum(losses)
            total_correct += correct
        images = tf.cast(count, tf.float32)
        return total_loss / images, total_correct / images

    def _losses(self, pixels: tf.Tensor, labels: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        probabilities = self.model(tf.cast(pixels, tf.float32) / PIXEL_MAXIMUM, training=training)
        losses = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
        predicted = tf.argmax(probabilities, axis=-1, output_type=labels.dtype)
        return losses, tf.reduce_sum(tf.cast(predicted == labels, tf.float32))


_trainers: OrderedDict[Hyperparameters, Trainer] = OrderedDict()


def open_trainer(hyperparameters: Hyperparameters) -> tuple[Trainer, bool]:
    """A trainer for this shape and whether it is new; the learning rate is an input, not part of it."""
    shape = hyperparameters.model_copy(update={"learning_rate": 1.0, "schedule": "constant"})
    is_new = shape not in _trainers
    trainer = _trainers.pop(shape) if not is_new else Trainer(hyperparameters)
    _trainers[shape] = trainer
    if len(_trainers) > COMPILED_SHAPES:
        _trainers.popitem(last=False)
    return trainer, is_new


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of images in an epoch, (count,) int32: a function of seed and epoch alone."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch))))
    return generator.permutation(count).astype(np.int32)
