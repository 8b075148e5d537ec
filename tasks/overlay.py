"""Draw what a model says onto copies of pictures."""

import re
from collections.abc import Collection
from pathlib import Path

import cv2
import numpy as np

from storage.place import write_atomically
from study.errors import InputError
from tasks.classify import Prediction
from tasks.predict import Pixels, read_image

SHORTEST, LONGEST = 280, 1000
"""Pixels of a copy's longer side at least, so that words fit under a picture of 28, and at most."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DARK, _LIGHT, _ORANGE = (32, 32, 32), (255, 255, 255), (0, 160, 255)  # blue, green, red


def draw_overlay(prediction: Prediction, sure: float) -> Pixels:
    """A copy of a picture with its class and probability below: (height, width, 3) BGR, uint8.

    What is below the confidence asked for is in another colour, and says so in words.

    Raises:
        InputError: the picture cannot be read any more.
    """
    picture = _resize(read_image(prediction.path))
    words = [f"{prediction.class_name} {prediction.probability:.0%}"]
    is_sure = prediction.probability >= sure
    words += [] if is_sure else [f"not sure (below {sure:.0%})"]
    width = max(picture.shape[1], SHORTEST)
    left = (width - picture.shape[1]) // 2
    picture = cv2.copyMakeBorder(
        picture, 0, 0, left, width - picture.shape[1] - left, cv2.BORDER_CONSTANT, value=_DARK
    )
    bands = [_draw_band(each, width, _LIGHT if is_sure else _ORANGE) for each in words]
    return np.vstack([picture, *bands])


def write_overlay(
    prediction: Prediction, number: int, folder: Path, sure: float, originals: Collection[Path]
) -> Path:
    """Write a picture's overlay into a folder as `NUMBER-NAME.png`; the number keeps names apart.

    Args:
        prediction: What the model says of it.
        number: Its place among the pictures, from 1.
        folder: Where to.
        sure: Confidence from which it counts as sure.
        originals: What must not be written over, as absolute paths.

    Raises:
        InputError: the file would be one of the originals, or the folder cannot be written to.
    """
    name = re.sub(r"[^\w.-]", "_", prediction.path.stem)[:100]
    path = folder / f"{number:05d}-{name}.png"
    if path.absolute() in originals:
        raise InputError(
            f"--overlay {folder}: {path.name} there is a picture to classify; give another folder"
        )
    _, encoded = cv2.imencode(".png", draw_overlay(prediction, sure))
    try:
        return write_atomically(path, encoded.tobytes())
    except OSError as error:
        raise InputError(
            f"--overlay {folder}: cannot be written ({error.strerror}); give a folder that can"
        ) from error


def _resize(image: Pixels) -> Pixels:
    colour = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
    side = max(colour.shape[:2])
    scale = min(max(side, SHORTEST), LONGEST) / side
    if scale == 1:
        return np.asarray(colour, np.uint8)
    size = tuple(max(1, round(scale * each)) for each in colour.shape[1::-1])
    method = cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA  # a picture of 28 shows the pixels it has
    return np.asarray(cv2.resize(colour, size, interpolation=method), np.uint8)


def _draw_band(words: str, width: int, colour: tuple[int, int, int]) -> Pixels:
    height = max(28, width // 14)
    scale = cv2.getFontScaleFromHeight(_FONT, height // 2)
    thickness = max(1, height // 20)
    wide = cv2.getTextSize(words, _FONT, scale, thickness)[0][0]
    scale *= min(1.0, (width - 16) / wide)
    band = np.full((height, width, 3), _DARK, np.uint8)
    cv2.putText(band, words, (8, round(0.7 * height)), _FONT, scale, colour, thickness, cv2.LINE_AA)
    return band
