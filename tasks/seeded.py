"""What a seed decides, whichever engine trains: the initial weights, each epoch's order, dropout's keys."""

import numpy as np

from storage.trainings import Arrays
from study.cost import pooled_units
from study.fashion_mnist import CLASS_NAMES
from study.setting import Hyperparameters


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


def _generator(seed: int, epoch: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch))))
