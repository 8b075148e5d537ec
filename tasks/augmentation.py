"""Flip and shift training images anew in each epoch, the same for every engine: on the files' own bytes."""

import numpy as np

from study.fashion_mnist import IMAGE_SIDE
from study.setting import Augmentation
from tasks.seeded import FARTHEST_SHIFT, draw_transformations

_WAYS = 2 * FARTHEST_SHIFT + 1
_SHIFTS = _WAYS**2


def augment(
    pixels: np.ndarray, chosen: np.ndarray, order: np.ndarray, how: Augmentation, seed: int, epoch: int
) -> np.ndarray:
    """Copy images in the order of an epoch, each as the seed has it in this epoch.

    An image is flipped left to right with probability 1/2 ("flip"), moved by -2 to 2 pixels in each
    direction, all 25 shifts equally likely, black where nothing is left ("shift"), or both. What becomes of
    an image depends on the seed, the epoch and its number alone, not on the order or how many others there
    are.

    Args:
        pixels: Images (n, 28, 28) uint8.
        chosen: Indices (m,) of those in use; an image's number is its place here.
        order: Numbers (k,) of the images to copy.
        how: Other than "none".
        seed: Of the training.
        epoch: Number of the epoch, from 1.

    Returns:
        Images (k, 28, 28) uint8, contiguous.
    """
    codes = _restrict(draw_transformations(len(chosen), seed, epoch), how)[order]
    indices, shown = chosen[order], np.empty((len(order), IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    # Image by image would take seconds: all that are treated alike are treated together.
    for code in np.unique(codes):
        places = np.flatnonzero(codes == code)
        shown[places] = transform(pixels[indices[places]], *describe(code))
    return shown


def describe(code: int) -> tuple[bool, int, int]:
    """A transformation's number in words: whether it flips, pixels down, pixels to the right."""
    flips, shift = divmod(int(code), _SHIFTS)
    down, right = divmod(shift, _WAYS)
    return bool(flips), down - FARTHEST_SHIFT, right - FARTHEST_SHIFT


def transform(images: np.ndarray, flips: bool, down: int, right: int) -> np.ndarray:
    """Flip images (n, 28, 28), then move them by so many pixels; what is moved in is black."""
    moved = np.zeros_like(images)
    source = images[:, :, ::-1] if flips else images
    moved[:, _to(down), _to(right)] = source[:, _to(-down), _to(-right)]
    return moved


def _to(shift: int) -> slice:
    """The rows or columns an image fills that moves by so many; given minus as many, those it comes from."""
    return slice(max(shift, 0), IMAGE_SIDE + min(shift, 0))


def _restrict(codes: np.ndarray, how: Augmentation) -> np.ndarray:
    """Leave of each transformation what is asked for: the same draw flips with and without shifts."""
    if how == "flip":
        return codes // _SHIFTS * _SHIFTS + _SHIFTS // 2  # the shift in the middle is by nothing
    return codes % _SHIFTS if how == "shift" else codes
