"""Many pictures: batches in order, unreadable ones told, probabilities softened."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from study.calibration import Calibration, soften
from study.errors import InputError
from tasks import classify
from tasks.classify import Classifier, Prediction, Unreadable
from tasks.given_pictures import GivenPicture


def by_brightness(pixels: np.ndarray, training: bool) -> np.ndarray:
    """A model that tells the brightest pixel: class 0 from 0, class 9 from 255, with 90%."""
    assert not training
    outputs = np.full((len(pixels), 10), 0.1 / 9)
    outputs[np.arange(len(pixels)), np.rint(pixels.max(axis=(1, 2, 3)) * 9).astype(int)] = 0.9
    return outputs


def write(path: Path, level: int) -> Path:
    image = np.zeros((28, 28), np.uint8)
    image[10:20, 10:20] = level
    cv2.imwrite(str(path), image)
    return path


def given(*paths: Path, is_named: bool = False) -> list[GivenPicture]:
    return [GivenPicture(path, is_named) for path in paths]


def test_pictures_of_several_batches_come_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(classify, "BATCH", 4)
    paths = [write(tmp_path / f"{level}.png", round(level * 255 / 9)) for level in range(10)]
    found = list(Classifier(by_brightness).classify(given(*paths)))
    assert [each.path for each in found] == paths
    assert [each.class_index for each in found if isinstance(each, Prediction)] == list(range(10))


def test_an_unreadable_picture_of_a_folder_loses_no_other(tmp_path: Path):
    good = write(tmp_path / "good.png", 255)
    (tmp_path / "bad.png").write_text("no picture")
    found = list(Classifier(by_brightness).classify(given(tmp_path / "bad.png", good)))
    assert isinstance(found[0], Unreadable)
    assert "bad.png: not an image that OpenCV can read" in found[0].reason
    assert isinstance(found[1], Prediction)


def test_a_batch_without_a_readable_picture_asks_the_model_nothing(tmp_path: Path):
    (tmp_path / "bad.png").write_text("no picture")
    (found,) = Classifier(None).classify(given(tmp_path / "bad.png"))  # type: ignore[arg-type]
    assert isinstance(found, Unreadable)


def test_an_unreadable_picture_that_was_named_is_wrong_input(tmp_path: Path):
    with pytest.raises(InputError, match=r"gone.png: no such file"):
        list(Classifier(by_brightness).classify(given(tmp_path / "gone.png", is_named=True)))


def test_a_jpeg_cut_short_among_good_ones_is_found(tmp_path: Path):
    noise = np.random.default_rng(1).integers(0, 255, (200, 200), np.uint8)
    paths = [tmp_path / f"{number}.jpg" for number in range(5)]
    for path in paths:
        cv2.imwrite(str(path), noise)
    paths[2].write_bytes(paths[2].read_bytes()[:9000])
    found = list(Classifier(by_brightness).classify(given(*paths)))
    assert [isinstance(each, Unreadable) for each in found] == [False, False, True, False, False]


def test_probabilities_are_softened_by_the_temperature(tmp_path: Path):
    calibration = Calibration(temperature=2, fitted_on="x", images=1, error_before=0, error_after=0)
    picture = write(tmp_path / "boot.png", 255)
    (found,) = Classifier(by_brightness, calibration).classify(given(picture))
    assert isinstance(found, Prediction)
    expected = soften(by_brightness(np.ones((1, 28, 28, 1)), training=False), 2)[0]
    assert found.probabilities == pytest.approx(expected)
    assert found.probability < 0.9
    assert found.class_index == 9
