"""Draw the first nine training images with OpenCV: exercise 1's look at the data."""

import logging
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from study.errors import InputError
from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from tasks.dataset import Dataset
from tasks.sheet import (
    MARGIN,
    TITLE_HEIGHT,
    Pixels,
    fit_scale,
    paste_image,
    save_page,
    start_page,
    write_text,
)

logger = logging.getLogger(__name__)

TITLE = "Fashion-MNIST: the first nine training images"
ROWS = COLUMNS = 3
ENLARGEMENT = 8
CELL = IMAGE_SIDE * ENLARGEMENT
CAPTION_HEIGHT = 36


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
    save_page(_lay_out(images[:count], captions), path)
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
    page = start_page(TITLE, width, height)
    caption_scale = fit_scale(_all_captions(), CELL, at_most=0.7)
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(place, COLUMNS)
        top = MARGIN + TITLE_HEIGHT + row * (CELL + CAPTION_HEIGHT + MARGIN // 2)
        left = MARGIN + column * (CELL + MARGIN)
        paste_image(page, image, left, top, ENLARGEMENT)
        write_text(page, caption, left, top + CELL + CAPTION_HEIGHT // 2, caption_scale)
    return page


def _all_captions() -> list[str]:
    # Sized for every class, not for the nine at hand: one text size whatever the data.
    return [f"8: {name} (9)" for name in CLASS_NAMES]
