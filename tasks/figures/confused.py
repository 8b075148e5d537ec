"""Draw the new image that the saved model classifies and those it confuses most often, with OpenCV."""

import logging
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

from study.conclusions import MAX_EXAMPLES, ChosenModel
from study.fashion_mnist import IMAGE_SIDE
from study.wording import shortened, taken_for
from tasks.data import (
    MARGIN,
    TITLE_HEIGHT,
    Dataset,
    Pixels,
    fit_scale,
    measure,
    paste_image,
    save_page,
    start_page,
    write_text,
)
from tasks.step import step

logger = logging.getLogger(__name__)

ENLARGEMENT = 4
CELL = IMAGE_SIDE * ENLARGEMENT
GAP = 16
HEADING_HEIGHT = 40
CAPTION_HEIGHT = 36
ROW_HEIGHT = HEADING_HEIGHT + CELL + CAPTION_HEIGHT + GAP


@step("draw confused pairs")
def draw_confused_images(chosen: ChosenModel, dataset: Dataset, path: Path) -> Path:
    """Draw the new image and a row for each confused pair as one PNG: words, then images over their indices.

    Raises:
        InputError: The cached dataset was removed or damaged.
    """
    images, _ = dataset.test()
    logger.info("new image and confused pairs: %s", path)
    return save_page(_lay_out(chosen, images, dataset.name), path)


def _lay_out(chosen: ChosenModel, images: Pixels, name: str) -> Pixels:
    """Return the page: a title, then rows of images."""
    new, names = chosen.new_image, chosen.images.class_names
    rows = [(_classified_as(new.predicted_class, names), (new.test_index,))] + [
        (taken_for(pair.true_class, pair.predicted_class, pair.images, pair.of), pair.examples)
        for pair in chosen.confused
    ]
    width = 2 * MARGIN + MAX_EXAMPLES * (CELL + GAP) - GAP
    title = f"{shortened(name, 30)}: the new image, and the pairs confused most often"
    height = MARGIN + TITLE_HEIGHT + len(rows) * ROW_HEIGHT
    page = start_page(title, width, height, chosen.images.channels)
    scale = fit_scale(_all_headings(names, len(images)), width - 2 * MARGIN, at_most=0.9)
    for row, (heading, examples) in enumerate(rows):
        top = MARGIN + TITLE_HEIGHT + row * ROW_HEIGHT
        write_text(page, heading, MARGIN, top + HEADING_HEIGHT // 2, scale)
        _draw_examples(page, examples, images, top + HEADING_HEIGHT)
    return page


def _classified_as(name: str, names: Sequence[str]) -> str:
    return f"New image, classified as {name} ({names.index(name)})"


def _draw_examples(page: Pixels, examples: tuple[int, ...], images: Pixels, top: int) -> None:
    scale = fit_scale([f"{max(len(images), 10_000) - 1}"], CELL, at_most=0.8)
    for column, index in enumerate(examples):
        left = MARGIN + column * (CELL + GAP)
        paste_image(page, images[index], left, top, CELL)
        centred = left + (CELL - measure(f"{index}", scale)[0]) // 2
        write_text(page, f"{index}", centred, top + CELL + CAPTION_HEIGHT // 2, scale)


def _all_headings(names: Sequence[str], images: int) -> list[str]:
    # Sized for every class, and for pairs of the longest: the text size is independent of the model.
    longest = sorted(names, key=len)[-10:]
    most = max(images, 10_000) // len(names)
    confused = [taken_for(*pair, most, most) for pair in permutations(longest, 2)]
    return [*(_classified_as(each, names) for each in longest), *confused]
