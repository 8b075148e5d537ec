"""What a seed decides, whichever engine trains: initial weights, order of images, dropout, augmentation."""

import numpy as np

from storage.trainings import Arrays
from study.cost import pooled_units
from study.fashion_mnist import CLASS_NAMES
from study.setting import Hyperparameters

FARTHEST_SHIFT = 2
"""Pixels that augmentation moves an image at most in each direction, as for the capsule network in the table
of Fashion-MNIST's README ("shift at most 2 pixel and horizontal flip")."""


def draw_initial_weights(hyperparameters: Hyperparameters, seed: int) -> Arrays:
    """Draw the weights a training begins with, float32, in the order and the shapes of `build_model`.

    He's uniform distribution before a ReLU (He et al. 2015, "Delving Deep into Rectifiers"), Glorot's before
    the softmax (Glorot and Bengio 2010), biases zero: as the Keras model of the published protocol has them.
    """
    generator = _generator(seed, 0)
    kernel, filters = hyperparameters.kernel_size, hyperparameters.filters
    units, classes = hyperparameters.dense_units, len(CLASS_NAMES)
    flattened = pooled_units(hyperparameters)

    def draw(shape: tuple[int, ...], fan: float) -> np.ndarray:
        limit = np.sqrt(6.0 / fan)
        return generator.uniform(-limit, limit, shape).astype(np.float32)

    return [
        draw((kernel, kernel, 1, filters), kernel * kernel),
        np.zeros(filters, np.float32),
        draw((flattened, units), flattened),
        np.zeros(units, np.float32),
        draw((units, classes), units + classes),
        np.zeros(classes, np.float32),
    ]


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of images in an epoch (from 1), (count,) int32: a function of seed and epoch alone."""
    return _generator(seed, epoch).permutation(count).astype(np.int32)


def dropout_keys(seed: int, epoch: int) -> tuple[int, int]:
    """Two keys of 32 bits for the masks of dropout in an epoch (from 1)."""
    first, second = np.random.SeedSequence((seed, epoch, 1)).generate_state(2)
    return int(first), int(second)


def draw_transformations(count: int, seed: int, epoch: int) -> np.ndarray:
    """What augmentation does to each image in an epoch (from 1): (count,) uint8, below 50, equally likely.

    A flip or none times 25 shifts, as `tasks.augmentation.describe` reads them. How many images there are
    changes nothing for those that come first.
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch, 2))))
    return generator.integers(0, 2 * (2 * FARTHEST_SHIFT + 1) ** 2, count).astype(np.uint8)


def _generator(seed: int, epoch: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch))))
