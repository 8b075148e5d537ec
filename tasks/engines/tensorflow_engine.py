"""A whole epoch as one graph over data that stays on the device; and the engine in pure TensorFlow."""

import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from storage.trainings import Arrays
from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.plan import EVALUATION_BATCH, pooled_units
from study.records import NetworkSize
from study.spec import Hyperparameters, NetworkFile
from tasks.data import PIXEL_MAXIMUM
from tasks.engines.engine import Score
from tasks.engines.seeds import augment, draw_initial_weights, dropout_keys, epoch_order

if tf.config.list_physical_devices("GPU"):
    tf.config.experimental.enable_op_determinism()  # a CPU lane is deterministic by its single thread

_INPUTS = {"learning_rate": 1.0, "schedule": "constant", "augmentation": "none", "averaging": 0.0}
"""Hyperparameters that no graph holds, at any value."""

COMPILED_SHAPES = 4
"""Compiled trainers a lane keeps; the longest trainings come first, so equal shapes are neighbours."""

_EPOCH = [
    tf.TensorSpec([None], tf.int32, "order"),
    tf.TensorSpec([], tf.float32, "learning_rate"),
    tf.TensorSpec([], tf.float32, "dropout"),
    tf.TensorSpec([2], tf.int32, "keys"),
]


@dataclass(frozen=True)
class TensorflowImages:
    """Images on the device: (n, height, width, channels) uint8 and labels (n,) int32."""

    pixels: tf.Tensor
    labels: tf.Tensor

    def __len__(self) -> int:
        """Return their number."""
        return len(self.labels)


class _MakesTrainer(Protocol):
    def __call__(
        self, shape: Hyperparameters, images: ImageFacts, network: NetworkFile | None
    ) -> "GraphTrainer":
        """Return a trainer of a shape."""


class GraphEngine:
    """Trains with graphs, on a GPU where there is one."""

    def __init__(self, make: _MakesTrainer, not_compiled: dict[str, Any]) -> None:
        """Take what makes a trainer, and the hyperparameters that its graphs do not hold, at any value."""
        self._make, self._not_compiled = make, not_compiled
        self._trainers: OrderedDict[tuple[Hyperparameters, ImageFacts, NetworkFile | None], GraphTrainer] = (
            OrderedDict()
        )

    def place(
        self, pixels: np.ndarray, labels: np.ndarray, chosen: np.ndarray | None = None
    ) -> TensorflowImages:
        """Copy images to the device."""
        if chosen is not None:
            pixels, labels = pixels[chosen], labels[chosen]
        shaped = pixels if pixels.ndim == 4 else pixels[..., np.newaxis]
        return TensorflowImages(tf.constant(shaped), tf.constant(labels.astype(np.int32)))

    def open_trainer(
        self,
        hyperparameters: Hyperparameters,
        threads: int = 1,
        images: ImageFacts = FASHION_IMAGES,
        network: NetworkFile | None = None,
    ) -> tuple["GraphTrainer", bool]:
        """Return a trainer for this shape and whether it is new; rates and images are inputs of its graph."""
        del threads  # a second one would buy almost nothing
        any_value = {**_INPUTS, **self._not_compiled} if hyperparameters.dropout else _INPUTS
        compiled = hyperparameters.model_copy(update=any_value), images, network
        is_new = compiled not in self._trainers
        trainer = self._make(*compiled) if is_new else self._trainers.pop(compiled)
        trainer.hyperparameters = hyperparameters
        self._trainers[compiled] = trainer
        if len(self._trainers) > COMPILED_SHAPES:
            self._trainers.popitem(last=False)
        return trainer, is_new

    def device_name(self) -> str:
        """Return CPU, or the GPU's name."""
        gpus = tf.config.list_physical_devices("GPU")
        if not gpus:
            return "CPU"
        details = tf.config.experimental.get_device_details(gpus[0])
        return f"GPU {details.get('device_name', 'unnamed')}"


class TensorflowEngine(GraphEngine):
    """Trains the lab's network with SGD."""

    def __init__(self) -> None:
        super().__init__(_TensorflowTrainer, {"dropout": 0.5})


class GraphTrainer(ABC):
    """Variables with a compiled epoch and evaluation: a `Trainer` of a shape, restarted for each training."""

    size: NetworkSize | None = None

    def __init__(
        self, shape: Hyperparameters, images: ImageFacts, weights: Sequence[Any], state: Sequence[Any]
    ) -> None:
        """Take the variables of the weights, in Keras's order, and those of the optimizer."""
        self.hyperparameters, self._images = shape, images
        self._batch_size, self._weights, self._state = shape.batch_size, weights, state
        # Compiled once for each trainer, as a graph holds its variables; for any number of images.
        placed = [
            tf.TensorSpec([None, *images.shape], tf.uint8, "pixels"),
            tf.TensorSpec([None], tf.int32, "labels"),
        ]
        self._compiled_epoch = tf.function(self._epoch, input_signature=[*placed, *_EPOCH])
        self._compiled_evaluation = tf.function(self._evaluation, input_signature=placed)

    @abstractmethod
    def draw_weights(self, seed: int) -> Arrays:
        """Draw the weights that a training begins with."""

    @abstractmethod
    def _step(
        self,
        pixels: tf.Tensor,
        labels: tf.Tensor,
        learning_rate: tf.Tensor,
        dropout: tf.Tensor,
        keys: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Change the weights by a batch; return the sum of its losses and the number of right classes."""

    @abstractmethod
    def _losses(self, pixels: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the loss of each image, in evaluation, and the number of right classes."""

    def start(self, seed: int) -> None:
        """Begin a training."""
        self.resume(self.draw_weights(seed), [np.zeros_like(each) for each in self.momenta()])

    def resume(self, weights: Arrays, momenta: Arrays) -> None:
        """Continue a training."""
        for variable, value in zip([*self._weights, *self._state], [*weights, *momenta], strict=True):
            variable.assign(value)

    def train_epoch(
        self, images: TensorflowImages, seed: int, epoch: int, learning_rate: float, most: int | None = None
    ) -> tuple[Score, float]:
        """Train one epoch in one call of its graph."""
        order = epoch_order(len(images), seed, epoch)[:most]
        keys = np.array(dropout_keys(seed, epoch), np.uint32).view(np.int32)
        rates = tf.constant(learning_rate), tf.constant(self.hyperparameters.dropout)
        started = time.perf_counter()
        shown, order = self._show(images, order, seed, epoch)
        inputs = [tf.constant(order), *rates, tf.constant(keys)]
        loss, accuracy = self._compiled_epoch(shown.pixels, shown.labels, *inputs)
        score = Score(float(loss), float(accuracy))  # reading the values waits for the device
        return score, time.perf_counter() - started

    def _show(
        self, images: TensorflowImages, order: np.ndarray, seed: int, epoch: int
    ) -> tuple[TensorflowImages, np.ndarray]:
        """Return the epoch's images, augmented, and their order."""
        how = self.hyperparameters.augmentation
        if how == "none":
            return images, order
        pixels = images.pixels.numpy()  # a view of a CPU's tensor, no copy
        augmented = augment(pixels, np.arange(len(images)), order, how, seed, epoch)
        labels = tf.gather(images.labels, order)
        shown = TensorflowImages(tf.constant(augmented), labels)
        return shown, np.arange(len(order), dtype=np.int32)

    def evaluate(self, images: TensorflowImages) -> Score:
        """Score the model in one call of its graph."""
        loss, accuracy = self._compiled_evaluation(images.pixels, images.labels)
        return Score(float(loss), float(accuracy))

    def warm_up(self, images: TensorflowImages) -> float:
        """Compile both graphs by a step and an evaluation."""
        started = time.perf_counter()
        most = self._batch_size + 1
        first = TensorflowImages(images.pixels[:most], images.labels[:most])
        self.train_epoch(first, seed=0, epoch=1, learning_rate=0.0)
        self.evaluate(first)
        return time.perf_counter() - started

    def weights(self) -> Arrays:
        """Return the values of the weights."""
        return [variable.numpy() for variable in self._weights]

    def momenta(self) -> Arrays:
        """Return the values of the optimizer's state."""
        return [variable.numpy() for variable in self._state]

    def _epoch(
        self,
        pixels: tf.Tensor,
        labels: tf.Tensor,
        order: tf.Tensor,
        learning_rate: tf.Tensor,
        dropout: tf.Tensor,
        keys: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        count = tf.shape(order)[0]
        total_loss, total_correct = tf.constant(0.0), tf.constant(0.0)
        for start in tf.range(0, count, self._batch_size):
            chosen = order[start : start + self._batch_size]
            batch = tf.gather(pixels, chosen), tf.gather(labels, chosen)
            batch_keys = tf.stack([keys[0], keys[1] + start])
            loss, correct = self._step(*batch, learning_rate, dropout, batch_keys)
            total_loss += loss
            total_correct += correct
        images = tf.cast(count, tf.float32)
        # A ReLU turns NaN into zero: a broken weight behind it would not show in the loss.
        numbers = [each for each in self._weights if each.dtype.is_floating]
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(each)) for each in numbers])
        return tf.where(finite, total_loss / images, float("nan")), total_correct / images

    def _evaluation(self, pixels: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        count = tf.shape(labels)[0]
        total_loss, total_correct = tf.constant(0.0), tf.constant(0.0)
        for start in tf.range(0, count, EVALUATION_BATCH):
            batch = slice(start, start + EVALUATION_BATCH)
            losses, correct = self._losses(pixels[batch], labels[batch])
            total_loss += tf.reduce_sum(losses)
            total_correct += correct
        images = tf.cast(count, tf.float32)
        return total_loss / images, total_correct / images


class _TensorflowTrainer(GraphTrainer):
    """The lab's network and SGD, in as few operations as TensorFlow allows."""

    def __init__(self, shape: Hyperparameters, images: ImageFacts, network: NetworkFile | None) -> None:
        del network  # the lab's, always
        self._momentum, self._units, self._drops = (
            shape.momentum,
            pooled_units(shape, images),
            shape.dropout > 0,
        )
        initial = draw_initial_weights(shape, 0, images)
        momenta = [tf.Variable(tf.zeros_like(each)) for each in initial]
        super().__init__(shape, images, [tf.Variable(each) for each in initial], momenta)

    def draw_weights(self, seed: int) -> Arrays:
        return draw_initial_weights(self.hyperparameters, seed, self._images)

    def _step(
        self,
        pixels: tf.Tensor,
        labels: tf.Tensor,
        learning_rate: tf.Tensor,
        dropout: tf.Tensor,
        keys: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            losses, correct = self._losses(pixels, labels, dropout, keys if self._drops else None)
            loss = tf.reduce_mean(losses)
        gradients: Sequence[tf.Tensor] = tape.gradient(loss, self._weights)
        for weights, momenta, gradient in zip(self._weights, self._state, gradients, strict=True):
            # Keras's SGD in one operation: momenta = momentum * momenta - rate * gradient; weights += momenta
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=weights.handle,
                accum=momenta.handle,
                lr=learning_rate,
                grad=gradient,
                momentum=self._momentum,
            )
        return tf.reduce_sum(losses), correct

    def _losses(
        self,
        pixels: tf.Tensor,
        labels: tf.Tensor,
        dropout: tf.Tensor | None = None,
        keys: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        kernels, biases, dense, dense_biases, output, output_biases = self._weights
        convolved = tf.nn.conv2d(tf.cast(pixels, tf.float32) / PIXEL_MAXIMUM, kernels, 1, "VALID")
        # Pooled before bias and ReLU: both are monotone, so this is equal, at a quarter of the work.
        pooled = tf.nn.relu(tf.nn.bias_add(tf.nn.max_pool2d(convolved, 2, 2, "VALID"), biases))
        flattened = tf.reshape(pooled, [-1, self._units])
        if keys is not None:
            flattened = self._drop(flattened, dropout, keys)
        hidden = tf.nn.relu(tf.nn.bias_add(tf.matmul(flattened, dense), dense_biases))
        logits = tf.nn.bias_add(tf.matmul(hidden, output), output_biases)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        predicted = tf.argmax(logits, axis=-1, output_type=labels.dtype)
        return losses, tf.reduce_sum(tf.cast(predicted == labels, tf.float32))

    def _drop(self, values: tf.Tensor, dropout: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        """Drop a part of the values: each random word decides about two, as drawing is the main cost."""
        shape = [tf.shape(values)[0], (self._units + 1) // 2]
        words = tf.random.stateless_uniform(shape, keys, None, None, tf.uint32, alg="philox")
        halves = tf.reshape(tf.bitcast(words, tf.uint16), [shape[0], -1])[:, : self._units]
        kept = halves >= tf.cast(tf.minimum(tf.round(dropout * 65536.0), 65535.0), tf.uint16)
        return tf.where(kept, values / (1.0 - dropout), 0.0)
