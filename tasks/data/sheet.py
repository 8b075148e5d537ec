"""Sheets of images with words, drawn with OpenCV: the first nine training images."""

import logging
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from storage.results import write_atomically
from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from study.wording import shortened
from tasks.data.dataset import Dataset
from tasks.step import step

MARGIN = 32
TITLE_HEIGHT = 44
PAPER, INK = 255, 32
FONT, STROKE = cv2.FONT_HERSHEY_SIMPLEX, 1

Pixels = npt.NDArray[np.uint8]


def start_page(title: str, width: int, height: int, channels: int = 1) -> Pixels:
    """Return an empty page whose title ends `MARGIN + TITLE_HEIGHT` from the top.

    It is `(height, width)` grey, or, for images of three channels, `(height, width, 3)` BGR.
    """
    shape = (height, width) if channels == 1 else (height, width, 3)
    page: Pixels = np.full(shape, PAPER, dtype=np.uint8)
    write_text(page, title, MARGIN, MARGIN, fit_scale([title], width - 2 * MARGIN, at_most=0.9))
    return page


def paste_image(page: Pixels, image: Pixels, left: int, top: int, cell: int) -> None:
    """Draw an image, grey or RGB, onto the page, in the middle of a square of `cell` pixels.

    Each of its pixels becomes a square, as large as fits; a larger image is made smaller.
    """
    height, width = image.shape[:2]
    enlargement = cell // max(height, width)
    scale = enlargement or cell / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # Nearest neighbour: the reader should see the pixels that the network sees, not a smoothed guess.
    method = cv2.INTER_NEAREST if enlargement else cv2.INTER_AREA
    drawn = cv2.resize(image[..., ::-1].copy() if image.ndim == 3 else image, size, interpolation=method)
    left, top = left + (cell - size[0]) // 2, top + (cell - size[1]) // 2
    page[top : top + size[1], left : left + size[0]] = drawn


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
    cv2.putText(page, drawable(text), (left, baseline), FONT, scale, (INK,) * 3, STROKE, cv2.LINE_AA)


def drawable(text: str) -> str:
    """Return a text in the letters that OpenCV's fonts have: without accents, others as question marks."""
    plain = unicodedata.normalize("NFKD", text)
    letters = "".join(each for each in plain if not unicodedata.combining(each))
    return letters.encode("ascii", "replace").decode()


def save_page(page: Pixels, path: Path) -> Path:
    """Write the page as a PNG, atomically; its folder is made when missing, an older file is replaced.

    Raises:
        OSError: The disk is full or the folder cannot be written to.
    """
    _, png = cv2.imencode(".png", page)
    return write_atomically(path, png.tobytes())


logger = logging.getLogger(__name__)

ROWS = COLUMNS = 3
ENLARGEMENT = 8
CELL = IMAGE_SIDE * ENLARGEMENT
CAPTION_HEIGHT = 36


MOST_NAME = 30
"""The most letters of a class's name in a caption."""


def draw_contact_sheet(
    images: Pixels,
    labels: Pixels,
    path: Path,
    class_names: Sequence[str] = CLASS_NAMES,
    name: str = "Fashion-MNIST",
) -> Path:
    """Draw the first nine images, uint8, three by three and captioned, as one PNG."""
    count = ROWS * COLUMNS
    names = [shortened(each, MOST_NAME) for each in class_names]
    captions = [f"{place}: {names[label]} ({label})" for place, label in enumerate(labels[:count])]
    logger.info("contact sheet: %s", path)
    title = f"{shortened(name, MOST_NAME)}: the first nine training images"
    return save_page(_lay_out(title, images[:count], captions, names), path)


@step("draw the first nine images")
def draw_first_images(dataset: Dataset, path: Path) -> Path:
    """Draw the first nine training images of the dataset; see `draw_contact_sheet`."""
    return draw_contact_sheet(*dataset.train(), path, dataset.facts.class_names, dataset.name)


def _lay_out(title: str, images: Pixels, captions: list[str], names: Sequence[str]) -> Pixels:
    """Return the page: a title, then the cells row by row."""
    width = MARGIN + COLUMNS * (CELL + MARGIN)
    height = MARGIN + TITLE_HEIGHT + ROWS * (CELL + CAPTION_HEIGHT + MARGIN // 2) + MARGIN // 2
    page = start_page(title, width, height, images.shape[-1] if images.ndim == 4 else 1)
    # For every class, not only for these nine: the text size is independent of the data.
    caption_scale = fit_scale([f"8: {name} ({len(names) - 1})" for name in names], CELL, at_most=0.7)
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(place, COLUMNS)
        top = MARGIN + TITLE_HEIGHT + row * (CELL + CAPTION_HEIGHT + MARGIN // 2)
        left = MARGIN + column * (CELL + MARGIN)
        paste_image(page, image, left, top, CELL)
        write_text(page, caption, left, top + CELL + CAPTION_HEIGHT // 2, caption_scale)
    return page
