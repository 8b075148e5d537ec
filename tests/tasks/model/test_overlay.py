"""Copies of pictures with the answer drawn under them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from study.errors import InputError
from tasks.model.classify import LONGEST, SHORTEST, Prediction, draw_overlay, write_overlay


def predict(path: Path, shape: tuple[int, ...], probability: float = 0.9) -> Prediction:
    cv2.imwrite(str(path), np.full(shape, 90, np.uint8))
    rest = (1 - probability) / 9
    return Prediction(path, 9, "Ankle boot", (rest,) * 9 + (probability,), False)


@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (3000, 1500, 3), (20, 2000), (2000, 20)])
def test_a_picture_of_any_shape_gets_a_readable_copy(tmp_path: Path, shape: tuple[int, ...]):
    drawn = draw_overlay(predict(tmp_path / "boot.png", shape), 0.6)
    height, width = drawn.shape[:2]
    assert width >= SHORTEST
    assert max(height, width) <= LONGEST + 80
    band = drawn[-28:]
    assert (band > 200).any(), "words are light"
    assert (band[:, -6:] < 60).all(), "words end before the edge"


def test_what_is_not_sure_has_a_band_more_and_another_colour(tmp_path: Path):
    prediction = predict(tmp_path / "boot.png", (28, 28), 0.5)
    sure, unsure = (draw_overlay(prediction, each).astype(int) for each in (0.4, 0.6))
    assert len(unsure) > len(sure)
    assert (unsure[-50:, :, 2] > unsure[-50:, :, 0] + 150).any(), "orange"
    assert not (sure[-28:, :, 2] > sure[-28:, :, 0] + 150).any()


def test_the_number_keeps_equal_names_apart_and_odd_ones_become_plain(tmp_path: Path):
    (tmp_path / "a").mkdir()
    first, second = predict(tmp_path / "x y.png", (28, 28)), predict(tmp_path / "a" / "x y.png", (28, 28))
    folder = tmp_path / "answers"
    paths = [write_overlay(each, place, folder, 0.6, ()) for place, each in enumerate((first, second), 1)]
    assert [each.name for each in paths] == ["00001-x_y.png", "00002-x_y.png"]
    assert all(cv2.imread(str(each)) is not None for each in paths)


def test_an_original_is_never_written_over(tmp_path: Path):
    original = predict(tmp_path / "00001-boot.png", (28, 28))
    named = Prediction(tmp_path / "boot.png", 9, "Ankle boot", original.probabilities, False)
    before = original.path.read_bytes()
    with pytest.raises(InputError, match=r"--overlay .*: 00001-boot.png there is a picture to classify"):
        write_overlay(named, 1, tmp_path, 0.6, {original.path.absolute()})
    assert original.path.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"--overlay .*file: cannot be written \(.*\); give a folder"):
        write_overlay(predict(tmp_path / "boot.png", (28, 28)), 1, tmp_path / "file", 0.6, ())
