"""The picture of the new image and of confused pairs: a row each, with the images themselves."""

from pathlib import Path

import cv2
import numpy as np

from tasks.data.dataset import load_dataset
from tasks.data.sheet import MARGIN, TITLE_HEIGHT
from tasks.figures.confused import CELL, ENLARGEMENT, HEADING_HEIGHT, ROW_HEIGHT, draw_confused_images
from tests.rows import make_chosen_model


def test_each_pair_has_its_row_with_the_pixels_of_its_images(tmp_path: Path):
    chosen, dataset = make_chosen_model(), load_dataset()
    path = draw_confused_images.fn(chosen, dataset, tmp_path / "deep" / "confused-pairs.png")
    page = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    images, _ = dataset.test()
    expected = (chosen.new_image.test_index, *(pair.examples[0] for pair in chosen.confused))
    for row, index in enumerate(expected):
        top = MARGIN + TITLE_HEIGHT + row * ROW_HEIGHT + HEADING_HEIGHT
        shown = page[top : top + CELL : ENLARGEMENT, MARGIN : MARGIN + CELL : ENLARGEMENT]
        assert np.array_equal(shown, images[index])
    assert page.shape[1] <= 1000
    assert path.stat().st_size < 500_000  # the report holds it


def test_a_model_that_confuses_nothing_has_only_the_new_image(tmp_path: Path):
    perfect = make_chosen_model().model_copy(update={"confused": ()})
    path = draw_confused_images.fn(perfect, load_dataset(), tmp_path / "one.png")
    assert cv2.imread(str(path)).shape[0] == MARGIN + TITLE_HEIGHT + ROW_HEIGHT
