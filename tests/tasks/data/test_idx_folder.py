"""IDX files under whatever names they are found."""

import struct

import numpy as np
import pytest

from tests.labelled_images import GREY, LABELS, read, refusal, write_idx

SETS = {
    "as published": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "gzipped": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "with dots": ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
    "in folders of their names": (
        "train-images-idx3-ubyte/train-images-idx3-ubyte",
        "train-labels-idx1-ubyte/train-labels-idx1-ubyte",
    ),
    "below": ("KMNIST/raw/train-images-idx3-ubyte", "KMNIST/raw/train-labels-idx1-ubyte"),
}


@pytest.mark.parametrize("names", SETS.values(), ids=SETS)
def test_files_are_found_by_their_names_and_a_test_part_is_split_off(tmp_path, names):
    write_idx(tmp_path / "set" / names[0], GREY)
    write_idx(tmp_path / "set" / names[1], LABELS)
    arrays, images, notes = read(tmp_path, source="set")
    assert images.describe() == "grey, 8 x 10 pixels, 4 classes"
    assert images.class_names == ("0", "1", "2", "3")
    assert np.bincount(arrays.test_labels).tolist() == [2, 2, 2, 2]
    assert len(arrays.train_labels) == 32
    assert notes == ("8 test images, 20% of each class, were split off (seed 0)",)


def test_a_test_part_beside_is_taken_and_labels_may_begin_at_1(tmp_path):
    for part, count in (("train", 40), ("t10k", 20)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", GREY[:count])
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", LABELS[:count] + 1)
    arrays, images, notes = read(tmp_path, source=".")
    assert (images.class_names, notes) == (("1", "2", "3", "4"), ())
    assert np.array_equal(arrays.test_images, GREY[:20])
    assert np.array_equal(arrays.train_labels, LABELS)


def test_emnist_is_set_upright_and_chosen_by_the_beginning_of_its_names(tmp_path):
    for name in ("emnist-letters", "emnist-digits"):
        write_idx(tmp_path / f"{name}-train-images-idx3-ubyte", GREY)
        write_idx(tmp_path / f"{name}-train-labels-idx1-ubyte", LABELS)
    assert refusal(tmp_path, source=".").endswith(
        "found the files of 2 datasets, emnist-digits-, emnist-letters-; expected those of one: give a path "
        "with the beginning of their names, such as emnist-digits"
    )
    arrays, images, notes = read(tmp_path, source="emnist-letters")
    assert images.shape == (10, 8, 1)
    assert "set upright" in notes[0]
    assert any(np.array_equal(arrays.train_images[0], image.T) for image in GREY)


def _html(path):
    path.write_text("<html>Please log in")


def _cut(path):
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: write_idx(path, GREY, 2049), "found magic number 2049, expected 2051 (images)"),
        (_cut, "found 3193 bytes of images after the header, expected 3200"),
        (_html, "is a web page, perhaps of a portal or a login; download the file itself"),
        (lambda path: path.write_bytes(b"\0\0"), "found 2 bytes, expected a header of 16 bytes"),
        (
            lambda path: path.write_bytes(struct.pack(">4I", 2051, 4 * 10**9, 400, 400)),
            "its header says 4000000000 x 400 x 400 bytes, expected 1 to 4,000,000,000",
        ),
    ],
    ids=["labels", "cut short", "web page", "no header", "impossible size"],
)
def test_a_bad_file_is_named_with_what_was_found_and_expected(tmp_path, damage, message):
    path = write_idx(tmp_path / "train-images-idx3-ubyte", GREY)
    write_idx(tmp_path / "train-labels-idx1-ubyte", LABELS)
    damage(path)
    assert refusal(tmp_path, source=".") == f"train-images-idx3-ubyte: {message}"


def test_images_without_their_labels_or_with_too_few_are_refused(tmp_path):
    write_idx(tmp_path / "set" / "train-images-idx3-ubyte", GREY)
    assert refusal(tmp_path, source="set") == "set: found train-images-idx3-ubyte, but not its labels"
    write_idx(tmp_path / "set" / "train-labels-idx1-ubyte", LABELS[:30])
    assert refusal(tmp_path, source="set") == (
        "set/train-labels-idx1-ubyte: found 30 labels, expected 40, one for each image of "
        "train-images-idx3-ubyte"
    )
