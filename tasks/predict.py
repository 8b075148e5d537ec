"""Classify a person's own pictures with a saved model: read, prepare as the dataset was made, classify."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from study.errors import InputError
from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from study.wording import shortened
from tasks import PIXEL_LIMIT
from tasks.given_file import read_given_file
from tasks.preprocessing import scale_pixels
from tasks.quiet import captured_stderr
from tasks.saved_model import explain

MOST_IMAGE_BYTES = 2**29
"""The longest picture file read; how many pixels OpenCV unpacks from it is limited in `tasks/__init__.py`."""

MOST_PIXELS = 2**24
"""A picture of more pixels is made smaller first, so that it need not fit into memory as fractions."""

BATCH = 1000
"""Pictures classified at once."""

MIDDLE_GREY = 127
OPAQUE = 255

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PreparedImage:
    """A picture as the network reads it: `pixels` `(28, 28, 1)` float32 in 0..1, on a black background."""

    pixels: npt.NDArray[np.float32]
    inverted: bool


@dataclass(frozen=True)
class Prediction:
    """What the model says of one picture; `probabilities` are in the order of `CLASS_NAMES`."""

    path: Path
    class_index: int
    class_name: str
    probabilities: tuple[float, ...]
    inverted: bool


def read_image(path: Path) -> Pixels:
    """Read a picture of any size and of any format that OpenCV knows.

    Turns it as its EXIF orientation says, brings 16-bit and floating-point (0..1) pixels to 8 bit, and lays
    transparent pictures on white or black, whichever is farther from what they show.

    Returns:
        `(height, width)` grey or `(height, width, 3)` BGR, uint8.

    Raises:
        InputError: If the file is missing, a folder, unreadable, empty, too large or not a picture.
    """
    encoded = np.frombuffer(read_given_file(path, "an image file", MOST_IMAGE_BYTES), dtype=np.uint8)
    # IMREAD_UNCHANGED keeps the alpha channel but ignores EXIF orientation: without alpha, read again.
    image = _decode(path, encoded, cv2.IMREAD_UNCHANGED)
    if image.ndim == 3 and image.shape[2] == 4:
        return _lay_on_background(_to_8_bit(path, image))
    return _to_8_bit(path, _decode(path, encoded, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH))


def prepare_image(image: Pixels) -> PreparedImage:
    """Bring a picture to the form of a training image: grey, black background, 28 x 28, 0..1.

    A picture counts as light, and is inverted, when the median of its four corner squares (each 1/14 of a
    side, 2 x 2 pixels of 28 x 28) is above 127. Corners, because bags and coats run bright to the edge but
    seldom into two corners. Measured: 0 of the 10,000 test and 0 of the 60,000 training images are wrongly
    inverted (highest corner median 51.5); the median of the whole border wrongly inverts 2 training bags.

    A picture that is already 28 x 28 with dark corners only gets its pixels divided by 255. Crop others close
    to the garment: in the dataset it reaches two opposite edges.

    Args:
        image: `(height, width)` grey or `(height, width, 3)` BGR, uint8.
    """
    grey: Pixels = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    background = _measure_background(grey)
    inverted = background > MIDDLE_GREY
    if inverted:
        grey, background = np.subtract(255, grey, dtype=np.uint8), 255 - background
    return PreparedImage(scale_pixels(_fit_into_square(grey, background)[..., np.newaxis]), inverted)


def classify(model: Any, paths: Sequence[Path], file: Path | None = None) -> list[Prediction]:
    """Classify pictures.

    Args:
        model: What `load_model` returns: `(n, 28, 28, 1)` float32 in 0..1 to `(n, 10)` probabilities.
        paths: The picture files; the predictions come in the same order.
        file: Where the model is from, for messages.

    Raises:
        InputError: If a file cannot be read as a picture, or the model cannot be run on pictures or does not
            answer with probabilities.
    """
    return [
        prediction
        for start in range(0, len(paths), BATCH)
        for prediction in _classify_batch(model, paths[start : start + BATCH], f"{file}: " if file else "")
    ]


def _classify_batch(model: Any, paths: Sequence[Path], prefix: str) -> list[Prediction]:
    prepared = [prepare_image(read_image(path)) for path in paths]
    pixels = np.stack([image.pixels for image in prepared])
    try:
        outputs = np.asarray(model(pixels, training=False))
    except Exception as error:  # whatever its layers raise
        raise InputError(f"{prefix}the model cannot be run on pictures: {explain(error)}") from error
    _check_probabilities(outputs, prefix)
    return [_predict(*facts) for facts in zip(paths, prepared, outputs, strict=True)]


def describe_prediction(prediction: Prediction) -> str:
    """Return lines for a terminal: the file and its class, then every class by falling probability."""
    lines = [f"{prediction.path}: {prediction.class_name} ({prediction.class_index})"]
    if prediction.inverted:
        lines.append(
            "  the background looked light, so the image was inverted (training images are light on black)"
        )
    ranked = sorted(zip(prediction.probabilities, CLASS_NAMES, strict=True), key=lambda pair: -pair[0])
    lines += [f"  {probability:6.1%}  {name}" for probability, name in ranked]
    return "\n".join(lines)


def _decode(path: Path, encoded: Pixels, flags: int) -> npt.NDArray[Any]:
    try:
        with captured_stderr() as complaints:
            image: npt.NDArray[Any] | None = cv2.imdecode(encoded, flags)
    except (cv2.error, MemoryError) as error:
        reason = shortened(str(getattr(error, "err", error)), 200)
        raise InputError(
            f"{path}: OpenCV refuses this image ({reason}); give a PNG or JPEG file of at most "
            f"{os.environ[PIXEL_LIMIT]} pixels"
        ) from error
    # Of a JPEG that is cut short OpenCV gives what is there, and grey.
    is_cut_short = any("premature end" in line.lower() for line in complaints)
    if image is None or is_cut_short:
        raise InputError(
            f"{path}: not an image that OpenCV can read, or a damaged one; give a PNG or JPEG file"
        )
    return image


def _reduce(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Make a very large picture smaller, by a whole number; what comes of it is 28 x 28 in any case."""
    height, width = image.shape[:2]
    factor = math.ceil(math.sqrt(height * width / MOST_PIXELS))
    if factor == 1:
        return image
    size = (max(1, width // factor), max(1, height // factor))
    smaller: npt.NDArray[Any] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return smaller


def _to_8_bit(path: Path, image: npt.NDArray[Any]) -> Pixels:
    if image.dtype not in (np.uint8, np.uint16) and image.dtype.kind != "f":
        raise InputError(f"{path}: the pixels are {image.dtype}; 8-bit, 16-bit and float images can be read")
    image = _reduce(image)
    if image.dtype == np.uint8:
        return image
    deep = image.dtype == np.uint16
    fraction = image / np.float32(65535) if deep else np.clip(np.nan_to_num(image), 0, 1)
    return np.rint(fraction * 255).astype(np.uint8)


def _lay_on_background(image: Pixels) -> Pixels:
    """Lay a `(height, width, 4)` BGRA picture on the plain background that it stands out from."""
    alpha = image[..., 3:].astype(np.float32) / OPAQUE
    colour = image[..., :3].astype(np.float32)
    # A white shirt that was cut out would vanish on white: what shows decides what it lies on.
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


def _fit_into_square(grey: Pixels, background: int) -> Pixels:
    """Return the picture as 28 x 28, whole and undistorted, centred on its own background.

    Padded, not stretched: a trouser pulled to a square is as wide as a pullover, and the dataset's makers
    also scaled the longer edge to 28 and padded the shorter one (arXiv:1708.07747, section 2).
    """
    if grey.shape == (IMAGE_SIDE, IMAGE_SIDE):
        return grey
    longest = max(grey.shape)
    height, width = (max(1, round(length * IMAGE_SIDE / longest)) for length in grey.shape)
    # Scaled before padding: the square around a 1 x 1,000,000 strip would not fit into memory.
    method = cv2.INTER_AREA if longest > IMAGE_SIDE else cv2.INTER_CUBIC
    square: Pixels = np.full((IMAGE_SIDE, IMAGE_SIDE), background, dtype=np.uint8)
    top, left = (IMAGE_SIDE - height) // 2, (IMAGE_SIDE - width) // 2
    square[top : top + height, left : left + width] = cv2.resize(grey, (width, height), interpolation=method)
    return square


def _check_probabilities(outputs: npt.NDArray[np.float32], prefix: str) -> None:
    totals = outputs.sum(axis=1)
    if not (np.allclose(totals, 1, atol=1e-3) and (outputs >= 0).all()):
        raise InputError(
            f"{prefix}the model's outputs add up to {totals[0]:.3g} and the lowest is {outputs.min():.3g}: "
            "these are not probabilities; its last layer must be a softmax"
        )


def _predict(path: Path, image: PreparedImage, output: npt.NDArray[np.float32]) -> Prediction:
    index = int(output.argmax())
    return Prediction(
        path, index, CLASS_NAMES[index], tuple(float(value) for value in output), image.inverted
    )
