"""Sheets of images with words, drawn with OpenCV: the first nine training images."""

import logging
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from storage.results import write_atomically
from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from tasks.data.dataset import Dataset
from tasks.step import step

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


logger = logging.getLogger(__name__)

TITLE = "Fashion-MNIST: the first nine training images"
ROWS = COLUMNS = 3
ENLARGEMENT = 8
CELL = IMAGE_SIDE * ENLARGEMENT
CAPTION_HEIGHT = 36


def draw_contact_sheet(images: Pixels, labels: Pixels, path: Path) -> Path:
    """Draw the first nine images of `(n, 28, 28)` uint8, three by three and captioned, as one PNG."""
    count = ROWS * COLUMNS
    captions = [f"{place}: {CLASS_NAMES[label]} ({label})" for place, label in enumerate(labels[:count])]
    logger.info("contact sheet: %s", path)
    return save_page(_lay_out(images[:count], captions), path)


@step("draw the first nine images")
def draw_first_images(dataset: Dataset, path: Path) -> Path:
    """Draw the first nine training images of the dataset; see `draw_contact_sheet`."""
    return draw_contact_sheet(*dataset.train(), path)


def _lay_out(images: Pixels, captions: list[str]) -> Pixels:
    """Return the page, `(height, width)` grey: a title, then the cells row by row."""
    width = MARGIN + COLUMNS * (CELL + MARGIN)
    height = MARGIN + TITLE_HEIGHT + ROWS * (CELL + CAPTION_HEIGHT + MARGIN // 2) + MARGIN // 2
    page = start_page(TITLE, width, height)
    # For every class, not only for these nine: the text size is independent of the data.
    caption_scale = fit_scale([f"8: {name} (9)" for name in CLASS_NAMES], CELL, at_most=0.7)
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(place, COLUMNS)
        top = MARGIN + TITLE_HEIGHT + row * (CELL + CAPTION_HEIGHT + MARGIN // 2)
        left = MARGIN + column * (CELL + MARGIN)
        paste_image(page, image, left, top, ENLARGEMENT)
        write_text(page, caption, left, top + CELL + CAPTION_HEIGHT // 2, caption_scale)
    return page
