"""The contact sheet: nine enlarged images with captions, as a PNG."""

import cv2
import numpy as np
import pytest

from study.fashion_mnist import CLASS_NAMES
from tasks.data.sheet import CELL, COLUMNS, ENLARGEMENT, MARGIN, draw_contact_sheet


def make_images(count=9):
    images = np.random.default_rng(7).integers(0, 256, size=(count, 28, 28), dtype=np.uint8)
    return images, (np.arange(count) % 10).astype(np.uint8)


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_every_image_lies_on_the_page_enlarged_pixel_by_pixel(tmp_path):
    images, labels = make_images()
    page = read(draw_contact_sheet(images, labels, tmp_path / "sheet.png"))
    for place, image in enumerate(images):
        enlarged = np.kron(image, np.ones((ENLARGEMENT, ENLARGEMENT), dtype=np.uint8))
        left = MARGIN + (place % COLUMNS) * (CELL + MARGIN)
        found = [top for top in range(len(page) - CELL) if page[top, left] == enlarged[0, 0]]
        assert any(np.array_equal(page[top : top + CELL, left : left + CELL], enlarged) for top in found)


def test_only_the_first_nine_images_are_drawn(tmp_path):
    images, labels = make_images(12)
    all_of_them = read(draw_contact_sheet(images, labels, tmp_path / "twelve.png"))
    first_nine = read(draw_contact_sheet(images[:9], labels[:9], tmp_path / "nine.png"))
    assert np.array_equal(all_of_them, first_nine)


@pytest.mark.parametrize("label", range(10), ids=CLASS_NAMES)
def test_every_class_name_fits_its_column_and_is_dark_on_white(tmp_path, label):
    black = np.zeros((9, 28, 28), dtype=np.uint8)
    page = read(draw_contact_sheet(black, np.full(9, label, dtype=np.uint8), tmp_path / "sheet.png"))
    for column in range(COLUMNS + 1):
        assert (page[:, column * (CELL + MARGIN) :][:, : MARGIN - 1] == 255)[-CELL:].all(), (
            "ink in the margin"
        )
    captions = [row for row in page if (row[:MARGIN] == 255).all() and 0 < (row < 200).sum() < CELL]
    assert min(row.min() for row in captions) < 64


def test_another_label_changes_the_caption(tmp_path):
    images, labels = make_images()
    before = read(draw_contact_sheet(images, labels, tmp_path / "before.png"))
    after = read(draw_contact_sheet(images, labels[::-1].copy(), tmp_path / "after.png"))
    assert before.shape == after.shape
    assert not np.array_equal(before, after)


def test_a_missing_folder_is_made_and_an_older_sheet_is_replaced_leaving_nothing_else(tmp_path):
    path = tmp_path / "figures" / "sheet.png"
    images, labels = make_images()
    draw_contact_sheet(255 - images, labels, path)
    assert draw_contact_sheet(images, labels, path) == path
    assert [entry.name for entry in path.parent.iterdir()] == ["sheet.png"]
    assert path.read_bytes().startswith(b"\x89PNG")
