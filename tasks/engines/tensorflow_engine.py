"""The engine in pure TensorFlow: a whole epoch is one graph over data that stays on the device."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from storage.trainings import Arrays
from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.plan import EVALUATION_BATCH, pooled_units
from study.spec import Hyperparameters
from tasks.data import PIXEL_MAXIMUM
from tasks.engines.engine import Score
from tasks.engines.seeds import augment, draw_initial_weights, dropout_keys, epoch_order

if tf.config.list_physical_devices("GPU"):
    tf.config.experimental.enable_op_determinism()  # a CPU lane is deterministic by its single thread

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


class TensorflowEngine:
    """Trains with TensorFlow, on a GPU where there is one."""

    def __init__(self) -> None:
        self._trainers: OrderedDict[tuple[Hyperparameters, ImageFacts], _TensorflowTrainer] = OrderedDict()

    def place(
        self, pixels: np.ndarray, labels: np.ndarray, chosen: np.ndarray | None = None
    ) -> TensorflowImages:
        """Copy images to the device."""
        if chosen is not None:
            pixels, labels = pixels[chosen], labels[chosen]
        shaped = pixels if pixels.ndim == 4 else pixels[..., np.newaxis]
        return TensorflowImages(tf.constant(shaped), tf.constant(labels.astype(np.int32)))

    def open_trainer(
        self, hyperparameters: Hyperparameters, threads: int = 1, images: ImageFacts = FASHION_IMAGES
    ) -> tuple["_TensorflowTrainer", bool]:
        """Return a trainer for this shape and whether it is new; rates and images are inputs of its graph."""
        del threads  # a second one would buy almost nothing
        drops = 0.5 if hyperparameters.dropout else 0.0
        not_compiled = {"learning_rate": 1.0, "schedule": "constant", "augmentation": "none"}
        shape = hyperparameters.model_copy(update={**not_compiled, "averaging": 0.0, "dropout": drops})
        is_new = (shape, images) not in self._trainers
        trainer = _TensorflowTrainer(shape, images) if is_new else self._trainers.pop((shape, images))
        trainer.hyperparameters = hyperparameters
        self._trainers[shape, images] = trainer
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


class _TensorflowTrainer:
    """Variables with a compiled epoch and evaluation: a `Trainer` of a shape, restarted for each training."""

    def __init__(self, shape: Hyperparameters, images: ImageFacts) -> None:
        self.hyperparameters, self._images = shape, images
        self._batch_size, self._momentum = shape.batch_size, shape.momentum
        self._units, self._drops = pooled_units(shape, images), shape.dropout > 0
        initial = draw_initial_weights(shape, 0, images)
        self._weights = [tf.Variable(each) for each in initial]
        self._momenta = [tf.Variable(tf.zeros_like(each)) for each in initial]
        # Compiled once for each trainer, as a graph holds its variables; for any number of images.
        placed = [
            tf.TensorSpec([None, *images.shape], tf.uint8, "pixels"),
            tf.TensorSpec([None], tf.int32, "labels"),
        ]
        self._compiled_epoch = tf.function(self._epoch, input_signature=[*placed, *_EPOCH])
        self._compiled_evaluation = tf.function(self._evaluation, input_signature=placed)

    def start(self, seed: int) -> None:
        weights = draw_initial_weights(self.hyperparameters, seed, self._images)
        self.resume(weights, [np.zeros_like(each) for each in weights])

    def resume(self, weights: Arrays, momenta: Arrays) -> None:
        for variable, value in zip([*self._weights, *self._momenta], [*weights, *momenta], strict=True):
            variable.assign(value)

    def train_epoch(
        self, images: TensorflowImages, seed: int, epoch: int, learning_rate: float, most: int | None = None
    ) -> tuple[Score, float]:
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
        loss, accuracy = self._compiled_evaluation(images.pixels, images.labels)
        return Score(float(loss), float(accuracy))

    def warm_up(self, images: TensorflowImages) -> float:
        started = time.perf_counter()
        most = self._batch_size + 1
        first = TensorflowImages(images.pixels[:most], images.labels[:most])
        self.train_epoch(first, seed=0, epoch=1, learning_rate=0.0)
        self.evaluate(first)
        return time.perf_counter() - started

    def weights(self) -> Arrays:
        return [variable.numpy() for variable in self._weights]

    def momenta(self) -> Arrays:
        return [variable.numpy() for variable in self._momenta]

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
            mask_keys = tf.stack([keys[0], keys[1] + start]) if self._drops else None
            batch = tf.gather(pixels, chosen), tf.gather(labels, chosen)
            loss, correct = self._step(*batch, learning_rate, dropout, mask_keys)
            total_loss += loss
            total_correct += correct
        images = tf.cast(count, tf.float32)
        # A ReLU turns NaN into zero: a broken weight behind it would not show in the loss.
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(each)) for each in self._weights])
        return tf.where(finite, total_loss / images, float("nan")), total_correct / images

    def _step(
        self,
        pixels: tf.Tensor,
        labels: tf.Tensor,
        learning_rate: tf.Tensor,
        dropout: tf.Tensor,
        keys: tf.Tensor | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            losses, correct = self._losses(pixels, labels, dropout, keys)
            loss = tf.reduce_mean(losses)
        gradients: Sequence[tf.Tensor] = tape.gradient(loss, self._weights)
        for weights, momenta, gradient in zip(self._weights, self._momenta, gradients, strict=True):
            # Keras's SGD in one operation: momenta = momentum * momenta - rate * gradient; weights += momenta
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=weights.handle,
                accum=momenta.handle,
                lr=learning_rate,
                grad=gradient,
                momentum=self._momentum,
            )
        return tf.reduce_sum(losses), correct

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
