"""The general engine: any network and optimizer of Keras, trained by the graph of a whole epoch.

Keras's `fit` runs a graph for each batch or few, and feeds it from Python. Here one call trains an epoch,
over images that stay on the device, in the order of our seeds.
"""

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from storage.trainings import Arrays
from study.image_facts import ImageFacts
from study.spec import Hyperparameters, NetworkFile
from tasks.data import PIXEL_MAXIMUM
from tasks.engines.networks import build_network, count_size
from tasks.engines.seeds import draw_initial_weights
from tasks.engines.tensorflow_engine import GraphEngine, GraphTrainer


def make_optimizer(hyperparameters: Hyperparameters) -> keras.optimizers.Optimizer:
    """Make Keras's optimizer; arguments that are not hyperparameters keep Keras's defaults."""
    h = hyperparameters
    rates = {"learning_rate": h.learning_rate, "weight_decay": h.weight_decay or None}
    match h.optimizer:
        case "sgd":
            return keras.optimizers.SGD(momentum=h.momentum, **rates)
        case "rmsprop":
            return keras.optimizers.RMSprop(momentum=h.momentum, **rates)
        case "adam":
            return keras.optimizers.Adam(beta_1=h.momentum, **rates)
        case "adamw":
            return keras.optimizers.AdamW(beta_1=h.momentum, **{**rates, "weight_decay": h.weight_decay})


@contextmanager
def _seeding_initializers(seed: int) -> Iterator[None]:
    """Decide the seeds that Keras's initializers draw by `random.randint`, in this thread, in the block.

    `keras.utils.set_random_seed` seeds the numbers that the other threads of a lane draw, too: weights would
    depend on what these do meanwhile.
    """
    drawn, ours, before = random.Random(seed), threading.get_ident(), random.randint

    def randint(a: int, b: int) -> int:
        return drawn.randint(a, b) if threading.get_ident() == ours else before(a, b)

    random.randint = randint
    try:
        yield
    finally:
        random.randint = before


class KerasEngine(GraphEngine):
    """Trains networks and optimizers of Keras."""

    def __init__(self) -> None:
        super().__init__(_KerasTrainer, {})


class _KerasTrainer(GraphTrainer):
    """A model of Keras with an optimizer of Keras.

    Random layers begin each batch in a state that seed, epoch and batch decide, so that no state of theirs
    has to be kept between epochs.
    """

    def __init__(self, shape: Hyperparameters, images: ImageFacts, network: NetworkFile | None) -> None:
        self._network = network
        self._model, self._optimizer = build_network(shape, images, network), make_optimizer(shape)
        self._optimizer.build(self._model.trainable_variables)
        weights = {id(each) for each in self._model.weights}
        # Not weights, but variables: the states of random layers.
        self._random = [each for each in self._model.variables if id(each) not in weights]
        self.size = count_size(self._model) if network else None
        rate = self._optimizer.learning_rate
        state = [each.value for each in self._optimizer.variables if each is not rate]
        super().__init__(shape, images, [each.value for each in self._model.weights], state)

    def draw_weights(self, seed: int) -> Arrays:
        if self._network is None:
            return draw_initial_weights(self.hyperparameters, seed, self._images)
        with _seeding_initializers(seed):
            model = build_network(self.hyperparameters, self._images, self._network)
        weights: Arrays = model.get_weights()
        return weights

    def _step(
        self,
        pixels: tf.Tensor,
        labels: tf.Tensor,
        learning_rate: tf.Tensor,
        dropout: tf.Tensor,
        keys: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        del dropout  # a constant of the network
        self._optimizer.learning_rate.assign(learning_rate)
        for place, state in enumerate(self._random):
            state.assign(tf.cast(tf.stack([keys[0] + place, keys[1]]), state.dtype))
        with tf.GradientTape() as tape:
            losses, correct = self._score(pixels, labels, training=True)
            loss = tf.add_n([tf.reduce_mean(losses), *self._model.losses])  # with penalties of the layers
        gradients: Sequence[Any] = tape.gradient(loss, [each.value for each in self._model.trainable_weights])
        self._optimizer.apply(gradients, self._model.trainable_weights)
        return tf.reduce_sum(losses), correct

    def _losses(self, pixels: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._score(pixels, labels, training=False)

    def _score(self, pixels: tf.Tensor, labels: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        outputs = self._model(tf.cast(pixels, tf.float32) / PIXEL_MAXIMUM, training=training)
        # By the logits, where the last layer's activation is a softmax: Keras finds them.
        losses = keras.losses.sparse_categorical_crossentropy(labels, outputs)
        predicted = tf.argmax(outputs, axis=-1, output_type=labels.dtype)
        return losses, tf.reduce_sum(tf.cast(predicted == labels, tf.float32))
