"""Images with labels as a source has them, checked and turned into bytes: what every reader returns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.dataset_files import MOST_BYTES, Bytes, DatasetFileError

Labels = npt.NDArray[Any]
"""Labels (n,), whole numbers or texts."""

FULL_SCALES = (1, 16, 255, 65_535)
"""What white may be in an array: fractions, scikit-learn's digits, bytes, and 16 bits."""


@dataclass(frozen=True)
class Part:
    """Images, uint8, (n, height, width) grey or (n, height, width, 3) RGB, and their labels (n,)."""

    images: Bytes
    labels: Labels


@dataclass(frozen=True)
class Labelled:
    """What a reader found: a test part or none, names of the classes if it knows them, and its decisions."""

    train: Part
    test: Part | None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


Pair = tuple[npt.NDArray[Any], npt.NDArray[Any]]
"""Images and labels as they lie in a file."""


def make_labelled(
    where: str, train: Pair, test: Pair | None, class_names: tuple[str, ...] = (), notes: Sequence[str] = ()
) -> Labelled:
    """Check arrays of images and labels of any usual form, and turn the images into bytes.

    Both parts are scaled alike: white is the first of `FULL_SCALES` that no pixel exceeds.

    Raises:
        DatasetFileError: They are no images with labels; the message says what was found in `where`.
    """
    pairs = [train] if test is None else [train, test]
    shaped = [shape_images(images, where) for images, _ in pairs]
    if len({each.shape[1:] for each in shaped}) > 1:
        raise DatasetFileError(
            f"{where}: found training images of {_sides(shaped[0])} pixels and test images of "
            f"{_sides(shaped[1])}, expected equal ones"
        )
    full = _full_scale(shaped, where)
    parts = [
        Part(_to_bytes(images, full), _shape_labels(labels, len(images), where))
        for images, (_, labels) in zip(shaped, pairs, strict=True)
    ]
    scaled = () if full == 255 else (f"pixels from 0 to {full:,} were scaled to 0 to 255",)
    return Labelled(parts[0], parts[1] if test else None, class_names, (*notes, *scaled))


def shape_images(images: npt.NDArray[Any], where: str) -> npt.NDArray[Any]:
    """Return images as (n, height, width) or (n, height, width, 3), from these, flat or channels-first ones.

    Raises:
        DatasetFileError: They have another shape, or are no numbers.
    """
    if images.dtype.kind not in "buif" or images.ndim < 2 or images.size == 0:
        raise DatasetFileError(
            f"{where}: found an array of {images.dtype} of shape {images.shape} for images, expected numbers "
            "of shape (n, height, width), (n, height, width, 3) or (n, height x width)"
        )
    if images.size > MOST_BYTES:
        raise DatasetFileError(f"{where}: found {images.size:,} pixels, expected {MOST_BYTES:,} at most")
    if images.ndim == 2:
        side = math.isqrt(images.shape[1])
        if side * side != images.shape[1]:
            raise DatasetFileError(
                f"{where}: found {images.shape[1]:,} pixels an image, expected a square number such as 784"
            )
        return images.reshape(-1, side, side)
    if images.ndim == 4 and images.shape[3] not in (1, 3) and images.shape[1] in (1, 3):
        images = images.transpose(0, 2, 3, 1)
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise DatasetFileError(
            f"{where}: found images of shape {images.shape}, expected (n, height, width) or "
            "(n, height, width, 3)"
        )
    if not all(2 <= side <= 512 for side in images.shape[1:3]):
        raise DatasetFileError(
            f"{where}: found images of {_sides(images)} pixels, expected sides of 2 to 512"
        )
    return images


def _sides(images: npt.NDArray[Any]) -> str:
    return " x ".join(map(str, images.shape[1:]))


def _full_scale(parts: Sequence[npt.NDArray[Any]], where: str) -> int:
    low, high = min(float(each.min()) for each in parts), max(float(each.max()) for each in parts)
    full = next((each for each in FULL_SCALES if high <= each), None)
    if not (math.isfinite(low) and math.isfinite(high)) or low < 0 or full is None:
        raise DatasetFileError(
            f"{where}: found pixels from {low:g} to {high:g}, expected 0 to 1, to 255 or to "
            "65535: give them as they are before they are standardised"
        )
    return full


def _to_bytes(images: npt.NDArray[Any], full: int) -> Bytes:
    if full == 255 and images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    return np.ascontiguousarray(np.rint(images.astype(np.float32) * np.float32(255 / full)).astype(np.uint8))


def _shape_labels(labels: npt.NDArray[Any], images: int, where: str) -> Labels:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    elif labels.ndim == 2 and np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all():
        labels = labels.argmax(axis=1)
    if labels.ndim != 1 or len(labels) != images:
        raise DatasetFileError(
            f"{where}: found labels of shape {labels.shape} for {images:,} images, expected one each"
        )
    if labels.dtype.kind == "f" and (labels == np.rint(labels)).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "S":
        labels = labels.astype(str)
    if labels.dtype.kind not in "iubU":
        raise DatasetFileError(f"{where}: found labels of {labels.dtype}, expected whole numbers or words")
    return labels
