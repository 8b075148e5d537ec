"""A sheet of images with words, drawn with OpenCV: what all our sheets have in common."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from storage.place import write_atomically
from study.fashion_mnist import IMAGE_SIDE

MARGIN = 32
TITLE_HEIGHT = 44
PAPER, INK = 255, 32
FONT, STROKE = cv2.FONT_HERSHEY_SIMPLEX, 1

Pixels = npt.NDArray[np.uint8]


def start_page(title: str, width: int, height: int) -> Pixels:
    """Return an empty page, `(height, width)` grey, whose title ends `MARGIN + TITLE_HEIGHT` from the top."""
    page: Pixels = np.full((height, width), PAPER, dtype=np.uint8)
    write_text(page, title, MARGIN, MARGIN, fit_scale([title], width - 2 * MARGIN, at_most=0.9))
    return page


def paste_image(page: Pixels, image: Pixels, left: int, top: int, enlargement: int) -> None:
    """Draw an image `(28, 28)` onto the page, each of its pixels as a square of `enlargement` pixels."""
    # Nearest neighbour: the reader should see the 28 x 28 pixels that the network sees, not a smoothed guess.
    side = IMAGE_SIDE * enlargement
    enlarged = cv2.resize(image, (side, side), interpolation=cv2.INTER_NEAREST)
    page[top : top + side, left : left + side] = enlarged


def fit_scale(texts: list[str], width: int, at_most: float) -> float:
    """Return the largest font scale up to `at_most` at which every text fits `width` pixels."""
    widest = max(measure(text, at_most)[0] for text in texts)
    return at_most * min(1.0, width / widest)


def measure(text: str, scale: float) -> tuple[int, int]:
    """Return width and height of a text at a font scale, in pixels."""
    (width, height), _ = cv2.getTextSize(text, FONT, scale, STROKE)
    return int(width), int(height)


def write_text(page: Pixels, text: str, left: int, middle: int, scale: float) -> None:
    """Write a text onto the page, its capitals centred on the line `middle` pixels from the top."""
    baseline = middle + measure("X", scale)[1] // 2
    cv2.putText(page, text, (left, baseline), FONT, scale, INK, STROKE, cv2.LINE_AA)


def save_page(page: Pixels, path: Path) -> Path:
    """Write the page as a PNG, atomically; its folder is made when missing, an older file is replaced.

    Raises:
        OSError: The disk is full or the folder cannot be written to.
    """
    _, png = cv2.imencode(".png", page)
    return write_atomically(path, png.tobytes())
