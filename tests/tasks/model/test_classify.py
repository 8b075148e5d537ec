"""Classifying pictures: the model, their order, copies with the answer."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from study.conclusions.chosen_model import Calibration, soften
from study.errors import InputError
from study.fashion_mnist import CLASS_NAMES
from tasks.data.dataset import load_dataset, scale_pixels
from tasks.model import reload
from tasks.model.classify import (
    LONGEST,
    SHORTEST,
    Classifier,
    Prediction,
    Unreadable,
    draw_overlay,
    find_unreadable,
    write_overlay,
)


def by_brightness(pixels: np.ndarray) -> np.ndarray:
    """A model that tells the brightest pixel: class 0 from 0, class 9 from 255, with 90%."""
    outputs = np.full((len(pixels), 10), 0.1 / 9)
    outputs[np.arange(len(pixels)), np.rint(pixels.max(axis=(1, 2, 3)) * 9).astype(int)] = 0.9
    return outputs


def write(path: Path, level: int) -> Path:
    image = np.zeros((28, 28), np.uint8)
    image[10:20, 10:20] = level
    cv2.imwrite(str(path), image)
    return path


# Classifying.


def test_pictures_are_classified_in_the_order_given_with_what_the_model_says(tmp_path: Path):
    images = load_dataset().test()[0][:5]
    paths = [tmp_path / f"{place}.png" for place in range(6)]
    for path, image in zip(paths, [*images, 255 - images[0]], strict=True):
        cv2.imwrite(str(path), image)
    found = [each for each in Classifier(by_brightness).classify(paths) if isinstance(each, Prediction)]
    expected = by_brightness(scale_pixels(images)[..., np.newaxis])
    assert [each.path for each in found] == paths
    assert np.allclose([each.probabilities for each in found[:5]], expected, atol=1e-6)
    assert [each.class_index for each in found[:5]] == expected.argmax(axis=1).tolist()
    assert all(each.class_name == CLASS_NAMES[each.class_index] for each in found)
    assert [each.inverted for each in found] == [False] * 5 + [True]
    assert found[5].probabilities == pytest.approx(found[0].probabilities, abs=1e-6)


def test_pictures_of_several_batches_come_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reload, "BATCH", 4)
    paths = [write(tmp_path / f"{level}.png", round(level * 255 / 9)) for level in range(10)]
    found = Classifier(by_brightness).classify(paths)
    assert [each.path for each in found] == paths
    assert [each.class_index for each in found if isinstance(each, Prediction)] == list(range(10))


def test_an_unreadable_picture_loses_no_other_and_says_nothing_more(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    good, bad = write(tmp_path / "good.png", 255), write(tmp_path / "bad.png", 255)
    bad.write_bytes(bad.read_bytes()[:60])
    found = Classifier(by_brightness).classify([bad, good])
    assert isinstance(found[0], Unreadable)
    assert "bad.png: not an image that OpenCV can read" in found[0].reason
    assert isinstance(found[1], Prediction)
    assert find_unreadable([bad, good]) == []
    assert find_unreadable([bad, bad]) == [found[0], found[0]]
    assert capfd.readouterr().err == ""


def test_probabilities_are_softened_by_the_temperature(tmp_path: Path):
    calibration = Calibration(temperature=2, fitted_on="x", images=1, error_before=0, error_after=0)
    (found,) = Classifier(by_brightness, calibration).classify([write(tmp_path / "boot.png", 255)])
    assert isinstance(found, Prediction)
    expected = soften(by_brightness(np.ones((1, 28, 28, 1))), 2)[0]
    assert found.probabilities == pytest.approx(expected)
    assert found.probability < 0.9
    assert found.class_index == 9


# Copies of pictures with the answer drawn under them.


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


def test_what_is_not_one_garment_is_not_sure_however_probable(tmp_path: Path):
    sheet = np.zeros((100, 220), np.uint8)
    sheet[10:90, 10:90] = sheet[10:90, 130:210] = 255
    cv2.imwrite(str(tmp_path / "two.png"), sheet)
    (found,) = Classifier(by_brightness).classify([tmp_path / "two.png"])
    assert isinstance(found, Prediction) and found.probability == 0.9
    assert found.find_doubt(0.6) == "several separate things"
    assert predict(tmp_path / "boot.png", (28, 28), 0.5).find_doubt(0.6) == "below 60%"
    assert predict(tmp_path / "boot.png", (28, 28), 0.5).find_doubt(0.5) == ""


def test_a_name_of_wide_letters_gets_a_copy(tmp_path: Path):
    prediction = predict(tmp_path / f"{'靴' * 80}.png", (28, 28))
    assert write_overlay(prediction, 1, tmp_path / "answers", 0.6, ()).exists()


def test_the_number_keeps_equal_names_apart_and_odd_ones_become_plain(tmp_path: Path):
    (tmp_path / "a").mkdir()
    first, second = predict(tmp_path / "x y.png", (28, 28)), predict(tmp_path / "a" / "x y.png", (28, 28))
    folder = tmp_path / "answers"
    paths = [write_overlay(each, place, folder, 0.6, ()) for place, each in enumerate((first, second), 1)]
    assert [each.name for each in paths] == ["00001-x_y.png", "00002-x_y.png"]
    assert all(cv2.imread(str(each)) is not None for each in paths)


def test_an_original_is_never_written_over(tmp_path: Path):
    original = write(tmp_path / "00001-boot.png", 200)
    before = original.read_bytes()
    with pytest.raises(InputError, match=r"--overlay .*: 00001-boot.png there is a picture to classify"):
        write_overlay(predict(tmp_path / "boot.png", (28, 28)), 1, tmp_path, 0.6, {original.absolute()})
    assert original.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"--overlay .*file: cannot be written \(.*\); give a folder"):
        write_overlay(predict(tmp_path / "boot.png", (28, 28)), 1, tmp_path / "file", 0.6, ())
