"""A folder of class folders of pictures."""

import numpy as np
import pytest

from tasks.data.picture_folder import prepare_picture
from tests.labelled_images import COLOUR, GREY, read, refusal, write_picture


def write_classes(folder, images, classes=("cats", "dogs"), each=5):
    for number, name in enumerate(classes):
        for place in range(each):
            write_picture(folder / name / f"{place}.png", images[each * number + place])


def test_classes_are_the_folders_and_sorted_images_are_shuffled(tmp_path):
    write_classes(tmp_path / "pets", COLOUR)
    arrays, images, notes = read(tmp_path, source="pets")
    assert (images.shape, images.class_names) == ((8, 10, 3), ("cats", "dogs"))
    assert notes == (
        "the training images, which are sorted by class, were shuffled (seed 0)",
        "2 test images, 20% of each class, were split off (seed 0)",
    )
    for image, label in zip(arrays.train_images, arrays.train_labels, strict=True):
        assert any(np.array_equal(image, each) for each in COLOUR[5 * label : 5 * label + 5])


def test_folders_train_and_test_are_parts_and_numbers_in_names_count_as_numbers(tmp_path):
    for part in ("train", "test"):
        write_classes(tmp_path / "set" / part, GREY, ("10", "2"))
    arrays, images, _ = read(tmp_path, source="set")
    assert (images.shape, images.class_names) == ((8, 10, 1), ("2", "10"))
    assert (len(arrays.train_labels), len(arrays.test_labels)) == (10, 10)


def test_pictures_are_grey_if_all_are_and_channels_decide_otherwise(tmp_path):
    write_classes(tmp_path / "set", GREY)
    write_picture(tmp_path / "set" / "cats" / "9.png", COLOUR[0])
    assert read(tmp_path, source="set")[1].channels == 3
    assert read(tmp_path, source="set", channels=1)[1].channels == 1


def test_pictures_of_different_sizes_are_refused_or_stretched(tmp_path):
    write_classes(tmp_path / "set", GREY)
    write_picture(tmp_path / "set" / "dogs" / "9.png", GREY[0][:6])
    message = refusal(tmp_path, source="set")
    assert message.startswith(
        "set/dogs/9.png: found a picture of 6 x 10 pixels, expected 8 x 10 as set/cats/0.png has; size: 64"
    )
    _, images, notes = read(tmp_path, source="set", size=16)
    assert images.shape == (16, 16, 1)
    assert notes[0] == "pictures were stretched to 16 x 16 pixels"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda folder: write_picture(folder / "cats" / "1.png", GREY[0]),
            "set: found 1 folder, expected one for each class, two at least",
        ),
        (
            lambda folder: (write_classes(folder, GREY), (folder / "dogs" / "9.png").write_bytes(b"no")),
            "set/dogs/9.png: not an image that OpenCV can read, or a damaged one; give a PNG or JPEG file",
        ),
        (
            lambda folder: (write_classes(folder, GREY), (folder / "birds").mkdir()),
            "set/birds: the folder has no picture (it is empty)",
        ),
        (
            lambda folder: write_classes(folder, np.zeros((10, 600, 600), np.uint8)),
            "set/cats/0.png: found a picture of 600 x 600 pixels, expected sides of 2 to 512; size: 64",
        ),
        (
            lambda folder: write_picture(folder / "1.png", GREY[0]),
            "set: found 1 entry: 1.png; expected an .npz file, a CSV file of pixels, a folder of IDX files",
        ),
    ],
    ids=["one class", "damaged", "empty class", "too large", "no classes"],
)
def test_a_bad_folder_is_refused(tmp_path, make, message):
    make(tmp_path / "set")
    assert refusal(tmp_path, source="set").startswith(message)


def test_a_picture_to_classify_is_read_as_those_of_the_folder_are(tmp_path):
    bgr = COLOUR[0][..., ::-1]
    assert np.array_equal(prepare_picture(bgr, (8, 10, 3)), COLOUR[0])
    assert prepare_picture(bgr, (8, 10, 1)).shape == (8, 10, 1)
    assert prepare_picture(GREY[0], (4, 4, 3)).shape == (4, 4, 3)
