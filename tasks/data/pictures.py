"""Read a person's own picture from a file of any format that OpenCV knows."""

import re
import warnings
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from study.errors import InputError
from study.wording import shortened, shown_path
from tasks.data.picture_files import BEGIN, OTHERS, name_kind

Pixels = npt.NDArray[np.uint8]


def read_given_file(path: Path, wanted: str, first: int = -1) -> bytes:
    """Read a file, or its first bytes; never a device or a pipe, as these may not end.

    Raises:
        InputError: it is missing, no file, empty or may not be read.
    """
    name = shown_path(path)
    try:
        if path.is_dir():
            raise InputError(f"{name}: this is a folder; give {wanted}")
        if path.exists() and not path.is_file():
            raise InputError(f"{name}: this is a device or a pipe; give {wanted}")
        with path.open("rb") as file:
            content = file.read(first)
    except FileNotFoundError as error:
        raise InputError(f"{_explain_missing(name)}; give {wanted}") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror}); give {wanted}") from error
    if not content:
        raise InputError(f"{name}: the file is empty; give {wanted}")
    return content


def _explain_missing(name: str) -> str:
    address = re.match("([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", name)  # a path has one of several slashes
    if address is None:
        return f"{name}: no such file"
    if address[1].lower() == "file":
        return f"{name}: this is an address; give the path alone, /{unquote(address[2])}"
    return f"{address[1]}://{address[2]}: this is an address, nothing is fetched; save what it shows"


FULL_SCALES = (1, 255, 1023, 4095, 16383, 65535)
"""What white is where a file has more bits than its picture uses: a mask, then 8 to 16 bits."""

BRIGHTEST = 16
"""Up to here, floating-point pixels are taken for fractions: a picture with much light goes beyond 1."""

MIDDLE_GREY = 127
OPAQUE = 255


def read_image(path: Path) -> Pixels:
    """Read a picture of any size and of any format that OpenCV knows.

    Sets it upright by its orientation, converts pixels of any range to 8 bit, and lays transparent pictures
    on white or black, the one that is farther from their content.

    Returns:
        `(height, width)` grey or `(height, width, 3)` BGR, uint8.

    Raises:
        InputError: If the file is missing, a folder, unreadable, empty, too large or not a picture.
    """
    encoded = read_given_file(path, "an image file")
    image = _turn(_decode(path, encoded), _find_orientation(encoded))
    if image.ndim == 3 and image.shape[2] == 2:  # grey and transparency
        return _to_8_bit(image[..., 0])
    if image.ndim == 3 and image.shape[2] == 4:
        alpha, colour = _to_8_bit(image[..., 3:]), _to_8_bit(image[..., :3])
        return _lay_on_background(np.dstack([colour, alpha]))
    return _to_8_bit(image)


def _decode(path: Path, encoded: bytes) -> npt.NDArray[Any]:
    name = shown_path(path)
    try:
        image: npt.NDArray[Any] | None = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    except (cv2.error, MemoryError) as error:
        reason = shortened(str(getattr(error, "err", error)), 200)
        raise InputError(
            f"{name}: OpenCV refuses this image ({reason}); give a smaller PNG or JPEG file"
        ) from error
    if image is None:
        kind = name_kind(encoded[:BEGIN])
        what = (
            f"not read: {kind}" if kind in OTHERS else "not an image that OpenCV can read, or a damaged one"
        )
        raise InputError(f"{name}: {what}; give a PNG or JPEG file")
    return image


def _find_orientation(encoded: bytes) -> int:
    """Return the orientation, 1 to 8, that EXIF data or AVIF's own boxes ask for; 1 if there is none.

    OpenCV turns TIFF files itself, and others not at all if it is to keep their transparency.
    """
    # Pillow refuses some files that OpenCV reads, with any error, and warns of large ones.
    with suppress(Exception), warnings.catch_warnings(action="ignore"), Image.open(BytesIO(encoded)) as image:
        return 1 if image.format == "TIFF" else int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1


def _turn(image: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Set a picture upright by its EXIF orientation (CIPA DC-008, 4.6.5.1.6)."""
    image = image.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else image
    image = image[::-1] if orientation in (3, 4, 7, 8) else image
    return np.ascontiguousarray(image[:, ::-1] if orientation in (2, 3, 6, 7) else image)


def _to_8_bit(pixels: npt.NDArray[Any]) -> Pixels:
    """Scale pixels to 0..255 by the range that they use: 0..1, or that of 8, 10, 12, 14 or 16 bits.

    Negative ones, as of a picture that was standardised, are scaled from the lowest to the highest.
    """
    if pixels.dtype == np.uint8:
        return pixels
    values = np.nan_to_num(pixels.astype(np.float32), nan=0, posinf=0, neginf=0)
    low, high = np.percentile(values, (0.1, 99.9))  # a few pixels may overshoot
    is_fraction = pixels.dtype.kind == "f" and high <= BRIGHTEST
    full = 1 if is_fraction else next((each for each in FULL_SCALES if high <= 1.1 * each), high)
    low, full = (low, high) if low < -0.1 * full else (0, full)
    return np.rint(np.clip((values - low) / (full - low), 0, 1) * 255).astype(np.uint8)


def _lay_on_background(image: Pixels) -> Pixels:
    """Lay a `(height, width, 4)` BGRA picture on the plain background with more contrast."""
    alpha = image[..., 3:].astype(np.float32) / OPAQUE
    colour = image[..., :3].astype(np.float32)
    # A white shirt that was cut out would vanish on white: the visible pixels decide the background.
    brightness = (colour * alpha).sum() / max(3 * float(alpha.sum()), 1.0)
    background = 0 if brightness > MIDDLE_GREY else 255
    return np.rint(colour * alpha + background * (1 - alpha)).astype(np.uint8)
