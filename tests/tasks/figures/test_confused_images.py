"""The picture of confused pairs: a row each, with the images themselves."""

from pathlib import Path

import cv2
import numpy as np

from flows.shown.artifacts import MAX_BYTES
from tasks.data.dataset import load_dataset
from tasks.data.sheet import MARGIN, TITLE_HEIGHT
from tasks.figures.confused import CELL, ENLARGEMENT, HEADING_HEIGHT, draw_confused_images
from tests.frames import make_chosen_model


def test_each_pair_has_its_row_with_the_pixels_of_its_images(tmp_path: Path):
    chosen, dataset = make_chosen_model(), load_dataset()
    path = draw_confused_images.fn(chosen, dataset, tmp_path / "deep" / "confused-pairs.png")
    assert path is not None
    page = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    top = MARGIN + TITLE_HEIGHT + HEADING_HEIGHT
    shown = page[top : top + CELL : ENLARGEMENT, MARGIN : MARGIN + CELL : ENLARGEMENT]
    images, _ = dataset.test()
    assert np.array_equal(shown, images[chosen.confused[0].examples[0]])
    assert page.shape[1] <= 1000
    assert path.stat().st_size < MAX_BYTES


def test_a_model_that_confuses_nothing_has_no_picture(tmp_path: Path):
    perfect = make_chosen_model().model_copy(update={"confused": ()})
    assert draw_confused_images.fn(perfect, load_dataset(), tmp_path / "none.png") is None
    assert not any(tmp_path.iterdir())
