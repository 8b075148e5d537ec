"""Draw the first nine training images with OpenCV: exercise 1's look at the data."""

import logging
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.place import write_atomically
from study.errors import InputError
from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from tasks.dataset import Dataset

logger = logging.getLogger(__name__)

TITLE = "Fashion-MNIST: the first nine training images"
ROWS = COLUMNS = 3
ENLARGEMENT = 8
CELL = IMAGE_SIDE * ENLARGEMENT
MARGIN = 32
CAPTION_HEIGHT = 36
TITLE_HEIGHT = 44
PAPER, INK = 255, 32
FONT, STROKE = cv2.FONT_HERSHEY_SIMPLEX, 1

Pixels = npt.NDArray[np.uint8]


def draw_contact_sheet(images: Pixels, labels: Pixels, path: Path) -> Path:
    """Draw the first nine images, three by three and captioned, as one PNG.

    Args:
        images: `(n, 28, 28)` uint8, n >= 9, grey levels.
        labels: `(n,)` uint8, class indices 0..9.
        path: The PNG to write; its folder is made when missing, an older file is replaced.

    Raises:
        InputError: If there are fewer than nine images or labels.
    """
    count = ROWS * COLUMNS
    if min(len(images), len(labels)) < count:
        raise InputError(
            f"a contact sheet shows {count} labelled images; got {len(images)} images, {len(labels)} labels"
        )
    captions = [f"{place}: {CLASS_NAMES[label]} ({label})" for place, label in enumerate(labels[:count])]
    _, png = cv2.imencode(".png", _lay_out(images[:count], captions))
    write_atomically(path, png.tobytes())
    logger.info("contact sheet: %s", path)
    return path


@task(
    name="draw the first nine images",
    task_run_name="draw the first nine images",
    cache_policy=NO_CACHE,
    persist_result=False,
)
def draw_first_images(dataset: Dataset, path: Path) -> Path:
    """Draw the first nine training images of the dataset; see `draw_contact_sheet`."""
    return draw_contact_sheet(*dataset.train(), path)


def _lay_out(images: Pixels, captions: list[str]) -> Pixels:
    """Return the page, `(height, width)` grey: a title, then the cells row by row."""
    width = MARGIN + COLUMNS * (CELL + MARGIN)
    height = MARGIN + TITLE_HEIGHT + ROWS * (CELL + CAPTION_HEIGHT + MARGIN // 2) + MARGIN // 2
    page: Pixels = np.full((height, width), PAPER, dtype=np.uint8)
    _write_text(page, TITLE, MARGIN, MARGIN, _fit_scale([TITLE], width - 2 * MARGIN, at_most=0.9))
    caption_scale = _fit_scale(_all_captions(), CELL, at_most=0.7)
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(place, COLUMNS)
        top = MARGIN + TITLE_HEIGHT + row * (CELL + CAPTION_HEIGHT + MARGIN // 2)
        left = MARGIN + column * (CELL + MARGIN)
        page[top : top + CELL, left : left + CELL] = _enlarge(image)
        _write_text(page, caption, left, top + CELL + CAPTION_HEIGHT // 2, caption_scale)
    return page


def _enlarge(image: Pixels) -> Pixels:
    # Nearest neighbour: the reader should see the 28 x 28 pixels that the network sees, not a smoothed guess.
    enlarged: Pixels = cv2.resize(image, (CELL, CELL), interpolation=cv2.INTER_NEAREST)
    return enlarged


def _all_captions() -> list[str]:
    # Sized for every class, not for the nine at hand: one text size whatever the data.
    return [f"8: {name} (9)" for name in CLASS_NAMES]


def _fit_scale(texts: list[str], width: int, at_most: float) -> float:
    """Return the largest font scale up to `at_most` at which every text fits `width` pixels."""
    widest = max(_measure(text, at_most)[0] for text in texts)
    return at_most * min(1.0, width / widest)


def _measure(text: str, scale: float) -> tuple[int, int]:
    (width, height), _ = cv2.getTextSize(text, FONT, scale, STROKE)
    return int(width), int(height)


def _write_text(page: Pixels, text: str, left: int, middle: int, scale: float) -> None:
    baseline = middle + _measure("X", scale)[1] // 2
    cv2.putText(page, text, (left, baseline), FONT, scale, INK, STROKE, cv2.LINE_AA)
