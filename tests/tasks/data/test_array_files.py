"""Files of arrays: `.npz`, and tables of pixels."""

import numpy as np
import pytest

from tests.labelled_images import COLOUR, GREY, LABELS, SQUARE, read, refusal, write_csv


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("images", "target"),
        ("X", "y"),
    ],
    ids=" ".join,
)
def test_usual_names_of_arrays_are_known(tmp_path, names):
    parts = (COLOUR, LABELS, COLOUR[:20], LABELS[:20])
    np.savez(tmp_path / "set.npz", **dict(zip(names, parts, strict=False)))
    arrays, images, _ = read(tmp_path, source="set.npz")
    assert images.describe() == "colour, 8 x 10 pixels, 4 classes"
    assert len(arrays.test_labels) == (20 if len(names) == 4 else 8)


def test_other_names_are_given_and_unknown_ones_are_named(tmp_path):
    np.savez(tmp_path / "set.npz", pixels=GREY, classes=LABELS)
    assert refusal(tmp_path, source="set.npz").startswith(
        "set.npz: found arrays pixels, classes; expected x_train and y_train or "
    )
    assert "other names can be given as arrays: {images: " in refusal(tmp_path, source="set.npz")
    arrays, _, _ = read(tmp_path, source="set.npz", arrays={"images": "pixels", "labels": "classes"})
    assert len(arrays.train_labels) == 32


@pytest.mark.parametrize("content", [b"PK\x03\x04cut", b"text"])
def test_a_damaged_archive_is_refused(tmp_path, content):
    (tmp_path / "set.npz").write_bytes(content)
    assert refusal(tmp_path, source="set.npz").startswith(
        "set.npz: found no .npz file, or a damaged one; expected a sound .npz file"
    )


def test_python_objects_are_not_read(tmp_path):
    np.savez(tmp_path / "set.npz", x=np.array([GREY[0], None], dtype=object), y=LABELS[:2])
    assert "found an array of Python objects, which is not read" in refusal(tmp_path, source="set.npz")


@pytest.mark.parametrize("header", [True, False])
def test_a_table_of_pixels_is_read_with_and_without_a_header(tmp_path, header):
    write_csv(tmp_path / "train.csv", SQUARE, LABELS, header)
    write_csv(tmp_path / "test.csv", SQUARE[:10], LABELS[:10], header)
    arrays, images, notes = read(tmp_path, source="train.csv", test="test.csv")
    assert images.shape == (8, 8, 1)
    assert np.array_equal(arrays.train_images, SQUARE)
    assert np.array_equal(arrays.test_labels, LABELS[:10])
    assert notes == (f"the test part is {tmp_path / 'test.csv'}",)


def test_a_folder_of_tables_has_both_parts(tmp_path):
    write_csv(tmp_path / "fashion_train.csv", SQUARE, LABELS)
    write_csv(tmp_path / "fashion_test.csv", SQUARE[:10], LABELS[:10])
    assert len(read(tmp_path, source=".")[0].test_labels) == 10


def test_pixels_of_images_that_are_not_square_need_a_size(tmp_path):
    write_csv(tmp_path / "set.csv", GREY, LABELS)
    assert "found 80 pixels an image, expected a square number" in refusal(tmp_path, source="set.csv")
    assert read(tmp_path, source="set.csv", size=[8, 10])[1].shape == (8, 10, 1)
    assert "found 80 columns of pixels, expected 8 x 8" in refusal(tmp_path, source="set.csv", size=8)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "class,a,b,c,d\n1,0,0,0,0\n",
            "found columns class, a, b, ..., expected one called 'label'; another",
        ),
        ("label,a,b,c,d\n1,0,0,0,0\n2,x,0,0,0\n", "found 'x' in column 'a' of image 2, expected a number"),
        ("label,a,b,c,d\n1,0,0,0,0\n2,0,0\n", "found nothing in column 'c' of image 2, expected a number"),
        ("label,a,b,c,d\n1,0,0,0,0\n2,0,0,0,0,0\n", "found Error tokenizing data"),
        ("", "found No columns to parse from file; expected a CSV file with a column 'label'"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, lines, message):
    (tmp_path / "set.csv").write_text(lines)
    assert refusal(tmp_path, source="set.csv").startswith(f"set.csv: {message}")
