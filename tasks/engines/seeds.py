"""Draws from a seed, the same for every engine: weights, order, dropout, augmentation."""

import numpy as np

from storage.trainings import Arrays
from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.plan import pooled_units
from study.spec import Augmentation, Hyperparameters

FARTHEST_SHIFT = 2
"""Pixels that augmentation moves an image at most in each direction, as for the capsule network in the table
of Fashion-MNIST's README ("shift at most 2 pixel and horizontal flip")."""

_WAYS = 2 * FARTHEST_SHIFT + 1
_SHIFTS = _WAYS**2


def draw_initial_weights(
    hyperparameters: Hyperparameters, seed: int, images: ImageFacts = FASHION_IMAGES
) -> Arrays:
    """Draw the weights a training begins with, float32, in the order and the shapes of `build_lab_network`.

    He's uniform distribution before a ReLU (He et al. 2015, "Delving Deep into Rectifiers"), Glorot's before
    the softmax (Glorot and Bengio 2010), biases zero: as the Keras model of the published protocol has them.
    """
    generator = _generator(seed, 0)
    kernel, filters = hyperparameters.kernel_size, hyperparameters.filters
    units, classes, channels = hyperparameters.dense_units, images.classes, images.channels
    flattened = pooled_units(hyperparameters, images)

    def draw(shape: tuple[int, ...], fan: float) -> np.ndarray:
        limit = np.sqrt(6.0 / fan)
        return generator.uniform(-limit, limit, shape).astype(np.float32)

    return [
        draw((kernel, kernel, channels, filters), kernel * kernel * channels),
        np.zeros(filters, np.float32),
        draw((flattened, units), flattened),
        np.zeros(units, np.float32),
        draw((units, classes), units + classes),
        np.zeros(classes, np.float32),
    ]


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of images in an epoch (from 1), (count,) int32: a function of seed and epoch alone."""
    return _generator(seed, epoch).permutation(count).astype(np.int32)


def dropout_keys(seed: int, epoch: int) -> tuple[int, int]:
    """Return two keys of 32 bits for the masks of dropout in an epoch (from 1)."""
    first, second = np.random.SeedSequence((seed, epoch, 1)).generate_state(2)
    return int(first), int(second)


def draw_transformations(count: int, seed: int, epoch: int) -> np.ndarray:
    """Draw each image's augmentation in an epoch (from 1): (count,) uint8, below 50, equally likely.

    A flip or none times 25 shifts, as `describe` reads them. More images leave the first draws as they are.
    """
    return _generator(seed, epoch, 2).integers(0, 2 * _SHIFTS, count).astype(np.uint8)


def _generator(*seeds: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seeds)))


def augment(
    pixels: np.ndarray, chosen: np.ndarray, order: np.ndarray, how: Augmentation, seed: int, epoch: int
) -> np.ndarray:
    """Copy images in the order of an epoch, each augmented by seed and epoch: uint8, contiguous.

    Images are (n, height, width) or (n, height, width, channels), the copies (k, ...) alike.

    An image is flipped left to right with probability 1/2 ("flip"), moved by -2 to 2 pixels in each
    direction, all 25 shifts equally likely, black where nothing is left ("shift"), or both. The change of an
    image depends only on the seed, the epoch (from 1) and its number, which is its place in `chosen`, the
    indices (m,) in use; `order` are the numbers (k,) to copy.
    """
    codes = _restrict(draw_transformations(len(chosen), seed, epoch), how)[order]
    indices, shown = chosen[order], np.empty((len(order), *pixels.shape[1:]), np.uint8)
    # Image by image would take seconds: equal transformations are done together.
    for code in np.unique(codes):
        places = np.flatnonzero(codes == code)
        shown[places] = transform(pixels[indices[places]], *describe(code))
    return shown


def describe(code: int) -> tuple[bool, int, int]:
    """Decode a transformation's number: whether it flips, pixels down, pixels to the right."""
    flips, shift = divmod(int(code), _SHIFTS)
    down, right = divmod(shift, _WAYS)
    return bool(flips), down - FARTHEST_SHIFT, right - FARTHEST_SHIFT


def transform(images: np.ndarray, flips: bool, down: int, right: int) -> np.ndarray:
    """Flip images (n, height, width, ...), then move them by these numbers of pixels; the border is black."""
    moved, (height, width) = np.zeros_like(images), images.shape[1:3]
    source = images[:, :, ::-1] if flips else images
    to, of = ((_filled(s * down, height), _filled(s * right, width)) for s in (1, -1))
    moved[:, *to] = source[:, *of]
    return moved


def _filled(shift: int, length: int) -> slice:
    """Return the rows or columns that a shifted image fills; for minus the shift, their sources."""
    return slice(max(shift, 0), length + min(shift, 0))


def _restrict(codes: np.ndarray, how: Augmentation) -> np.ndarray:
    """Keep the requested part of each transformation: the same draw flips with and without shifts."""
    if how == "flip":
        return codes // _SHIFTS * _SHIFTS + _SHIFTS // 2  # the middle shift is zero
    return codes % _SHIFTS if how == "shift" else codes
