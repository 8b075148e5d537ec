"""Read a person's own pictures and convert them to the form of training images."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from study.errors import InputError
from study.fashion_mnist import IMAGE_SIDE
from study.wording import shortened
from tasks.data import scale_pixels


def read_given_file(path: Path, wanted: str, first: int = -1) -> bytes:
    """Read a file, or its first bytes; never a device or a pipe, as these may not end.

    Raises:
        InputError: it is missing, no file, empty or may not be read.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path}: this is a folder; give {wanted}")
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: this is a device or a pipe; give {wanted}")
        with path.open("rb") as file:
            content = file.read(first)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; give {wanted}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give {wanted}") from error
    if not content:
        raise InputError(f"{path}: the file is empty; give {wanted}")
    return content


MIDDLE_GREY = 127
OPAQUE = 255

CLOSENESS = 12
"""Grey levels, 5% of 255, within which a pixel counts as background."""

TRIMMED_AT = 4 * IMAGE_SIDE
"""Longest side, in pixels, of the picture in which its background is searched."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PreparedImage:
    """A picture as the network reads it: `pixels` `(28, 28, 1)` float32 in 0..1, on a black background."""

    pixels: npt.NDArray[np.float32]
    inverted: bool


def read_image(path: Path) -> Pixels:
    """Read a picture of any size and of any format that OpenCV knows.

    Turns it by its EXIF orientation, converts 16-bit and floating-point (0..1) pixels to 8 bit, and lays
    transparent pictures on white or black, the one that is farther from their content.

    Returns:
        `(height, width)` grey or `(height, width, 3)` BGR, uint8.

    Raises:
        InputError: If the file is missing, a folder, unreadable, empty, too large or not a picture.
    """
    encoded = np.frombuffer(read_given_file(path, "an image file"), dtype=np.uint8)
    # IMREAD_UNCHANGED keeps the alpha channel but ignores EXIF orientation: without alpha, read again.
    image = _decode(path, encoded, cv2.IMREAD_UNCHANGED)
    if image.ndim == 3 and image.shape[2] == 4:
        return _lay_on_background(_to_8_bit(path, image))
    return _to_8_bit(path, _decode(path, encoded, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH))


def prepare_image(image: Pixels) -> PreparedImage:
    """Convert a picture to the form of a training image: grey, black background, 28 x 28, 0..1.

    A picture counts as light, and is inverted, when the median of its four corner squares (each 1/14 of a
    side, 2 x 2 pixels of 28 x 28) is above 127. Corners, because bags and coats run bright to the edge but
    seldom into two corners. Measured: 0 of the 10,000 test and 0 of the 60,000 training images are wrongly
    inverted (highest corner median 51.5); the median of the whole border wrongly inverts 2 training bags.

    Plain background around the content is trimmed, as in the dataset every garment reaches two opposite
    edges. A picture that is already 28 x 28 with dark corners only gets its pixels divided by 255.

    Args:
        image: `(height, width)` grey or `(height, width, 3)` BGR, uint8.
    """
    grey: Pixels = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    background = _measure_background(grey)
    inverted = background > MIDDLE_GREY
    if inverted:
        grey, background = np.subtract(255, grey, dtype=np.uint8), 255 - background
    if grey.shape != (IMAGE_SIDE, IMAGE_SIDE):
        grey = _fit_into_square(_trim(grey, background), background)
    return PreparedImage(scale_pixels(grey[..., np.newaxis]), inverted)


def _decode(path: Path, encoded: Pixels, flags: int) -> npt.NDArray[Any]:
    try:
        image: npt.NDArray[Any] | None = cv2.imdecode(encoded, flags)
    except (cv2.error, MemoryError) as error:
        reason = shortened(str(getattr(error, "err", error)), 200)
        raise InputError(
            f"{path}: OpenCV refuses this image ({reason}); give a smaller PNG or JPEG file"
        ) from error
    if image is None:
        raise InputError(
            f"{path}: not an image that OpenCV can read, or a damaged one; give a PNG or JPEG file"
        )
    return image


def _to_8_bit(path: Path, image: npt.NDArray[Any]) -> Pixels:
    if image.dtype not in (np.uint8, np.uint16) and image.dtype.kind != "f":
        raise InputError(f"{path}: the pixels are {image.dtype}; 8-bit, 16-bit and float images can be read")
    if image.dtype == np.uint8:
        return image
    deep = image.dtype == np.uint16
    fraction = image / np.float32(65535) if deep else np.clip(np.nan_to_num(image), 0, 1)
    return np.rint(fraction * 255).astype(np.uint8)


def _lay_on_background(image: Pixels) -> Pixels:
    """Lay a `(height, width, 4)` BGRA picture on the plain background with more contrast."""
    alpha = image[..., 3:].astype(np.float32) / OPAQUE
    colour = image[..., :3].astype(np.float32)
    # A white shirt that was cut out would vanish on white: the visible pixels decide the background.
    brightness = (colour * alpha).sum() / max(3 * float(alpha.sum()), 1.0)
    background = 0 if brightness > MIDDLE_GREY else 255
    return np.rint(colour * alpha + background * (1 - alpha)).astype(np.uint8)


def _measure_background(grey: Pixels) -> int:
    """Return the median grey level of the four corner squares, each 1/14 of a side and at least a pixel."""
    rows, columns = (max(1, length // 14) for length in grey.shape)
    corners = [grey[y, x] for y in _ends(rows) for x in _ends(columns)]
    return int(np.median(np.concatenate([corner.ravel() for corner in corners])))


def _ends(length: int) -> tuple[slice, slice]:
    return slice(None, length), slice(-length, None)


def _trim(grey: Pixels, background: int) -> Pixels:
    """Cut off the plain background around a picture's content; return all of it if nothing stands out.

    As by the dataset's makers, pixels within 5% of the grey levels count as background (arXiv:1708.07747,
    section 2). The search uses a smaller picture, where noise averages out; specks are ignored.
    If the background is not plain, as with a pattern or a strong shadow, little or nothing is cut off.
    """
    small = _shrink(grey, TRIMMED_AT)
    stands_out = (cv2.absdiff(small, np.full_like(small, background)) > CLOSENESS).astype(np.uint8)
    kept = cv2.morphologyEx(stands_out, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    left, top, width, height = cv2.boundingRect(kept)
    if width == 0:
        return grey
    by_row, by_column = grey.shape[0] / small.shape[0], grey.shape[1] / small.shape[1]
    rows = slice(int(top * by_row), math.ceil((top + height) * by_row))
    columns = slice(int(left * by_column), math.ceil((left + width) * by_column))
    return grey[rows, columns]


def _shrink(grey: Pixels, longest: int) -> Pixels:
    """Shrink a picture until its longest side is at most this number of pixels."""
    if max(grey.shape) <= longest:
        return grey
    height, width = (max(1, round(length * longest / max(grey.shape))) for length in grey.shape)
    smaller: Pixels = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return smaller


def _fit_into_square(grey: Pixels, background: int) -> Pixels:
    """Return the picture as 28 x 28, whole and undistorted, centred on its own background.

    Padded, not stretched: a trouser pulled to a square is as wide as a pullover, and the dataset's makers
    also scaled the longer edge to 28 and padded the shorter one (arXiv:1708.07747, section 2).
    """
    longest = max(grey.shape)
    height, width = (max(1, round(length * IMAGE_SIDE / longest)) for length in grey.shape)
    # Scaled before padding: the square around a 1 x 1,000,000 strip would not fit into memory.
    method = cv2.INTER_AREA if longest > IMAGE_SIDE else cv2.INTER_CUBIC
    square: Pixels = np.full((IMAGE_SIDE, IMAGE_SIDE), background, dtype=np.uint8)
    # When the padding is odd, the dataset has one pixel more above and to the left than below and right.
    top, left = (IMAGE_SIDE - height + 1) // 2, (IMAGE_SIDE - width + 1) // 2
    square[top : top + height, left : left + width] = cv2.resize(grey, (width, height), interpolation=method)
    return square
