"""Arrays of images and labels of every usual form."""

import numpy as np
import pytest

from storage.dataset_files import DatasetFileError
from tasks.data.labelled import make_labelled
from tests.labelled_images import COLOUR, GREY, LABELS, SQUARE


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (GREY, GREY),
        (GREY[..., np.newaxis], GREY),
        (GREY[:, np.newaxis], GREY),
        (COLOUR, COLOUR),
        (COLOUR.transpose(0, 3, 1, 2), COLOUR),
        (SQUARE.reshape(40, 64), SQUARE),
        (GREY.astype(np.float64), GREY),
        (GREY / 255, GREY),
        (GREY.astype(np.uint16) * 257, GREY),
    ],
    ids=[
        "grey",
        "one channel",
        "channel first",
        "colour",
        "channels first",
        "flat",
        "floats",
        "0 to 1",
        "16 bits",
    ],
)
def test_images_of_every_usual_form_become_bytes(given, expected):
    found = make_labelled("here", (given, LABELS), None)
    assert found.train.images.dtype == np.uint8
    assert found.train.images.flags.c_contiguous
    assert np.abs(found.train.images.astype(int) - expected).max() <= 1


def test_both_parts_are_scaled_alike_and_it_is_said():
    digits = SQUARE % 17
    found = make_labelled("here", (digits, LABELS), (digits[:10] // 2, LABELS[:10]))
    assert found.notes == ("pixels from 0 to 16 were scaled to 0 to 255",)
    assert np.array_equal(found.train.images, np.rint(digits * 15.9375))
    assert found.test is not None
    assert found.test.images.max() <= 128


@pytest.mark.parametrize(
    "labels",
    [LABELS, LABELS[:, np.newaxis], LABELS.astype(np.float32), np.eye(4)[LABELS]],
    ids=["numbers", "a column", "floats", "one-hot"],
)
def test_labels_of_every_usual_form_are_read(labels):
    assert np.array_equal(make_labelled("here", (GREY, labels), None).train.labels, LABELS)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (GREY, LABELS[:30], r"found labels of shape \(30,\) for 40 images, expected one each"),
        (GREY, LABELS + 0.5, "found labels of float64, expected whole numbers or words"),
        (GREY - 128.0, LABELS, "found pixels from -128 to 126, expected 0 to 1"),
        (GREY * np.nan, LABELS, "found pixels from nan to nan, expected 0 to 1"),
        (GREY.reshape(40, 80), LABELS, "found 80 pixels an image, expected a square number such as 784"),
        (COLOUR[..., :2], LABELS, r"found images of shape \(40, 8, 10, 2\), expected \(n, height, width\)"),
        (GREY.astype(str), LABELS, "found an array of <U3 of shape .* for images, expected numbers"),
        (GREY[:, :1], LABELS, "found images of 1 x 10 pixels, expected sides of 2 to 512"),
    ],
)
def test_what_is_no_set_of_images_is_refused(images, labels, message):
    with pytest.raises(DatasetFileError, match=f"^here: {message}"):
        make_labelled("here", (images, labels), None)


def test_parts_of_different_sizes_are_refused():
    with pytest.raises(DatasetFileError, match="training images of 8 x 10 pixels and test images of 8 x 8"):
        make_labelled("here", (GREY, LABELS), (SQUARE, LABELS))
