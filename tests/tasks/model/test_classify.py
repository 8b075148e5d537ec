"""Many pictures: which are meant, their order, unreadable ones, probabilities softened."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from study.conclusions.chosen_model import Calibration, soften
from study.errors import InputError
from tasks.model import export as reload_model
from tasks.model.classify import Classifier, Prediction, Unreadable, list_pictures


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


def test_pictures_of_several_batches_come_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reload_model, "BATCH", 4)
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
    assert capfd.readouterr().err == ""


def test_the_model_is_not_run_without_a_readable_picture(tmp_path: Path):
    (tmp_path / "bad.png").write_text("no picture")
    (found,) = Classifier(None).classify([tmp_path / "bad.png"])  # type: ignore[arg-type]
    assert isinstance(found, Unreadable)


def test_probabilities_are_softened_by_the_temperature(tmp_path: Path):
    calibration = Calibration(temperature=2, fitted_on="x", images=1, error_before=0, error_after=0)
    (found,) = Classifier(by_brightness, calibration).classify([write(tmp_path / "boot.png", 255)])
    assert isinstance(found, Prediction)
    expected = soften(by_brightness(np.ones((1, 28, 28, 1)), training=False), 2)[0]
    assert found.probabilities == pytest.approx(expected)
    assert found.probability < 0.9
    assert found.class_index == 9


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png", "deep/c.webp", ".cache/d.png", "odd[1].png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def names(folder: Path, *given: str, leave_out: Path | None = None) -> list[str]:
    found = list_pictures([folder / each for each in given], leave_out)
    return [each.relative_to(folder).as_posix() for each in found]


def test_a_folder_stands_for_the_pictures_below_it_by_name(folder: Path):
    assert names(folder, ".") == ["a.JPG", "b.png", "deep/c.webp", "odd[1].png"]


def test_what_is_given_keeps_its_order(folder: Path):
    assert names(folder, "deep", "b.png", "a.JPG") == ["deep/c.webp", "b.png", "a.JPG"]


def test_a_named_file_is_taken_whatever_its_suffix_or_whether_it_is_there(folder: Path):
    given = ["notes.txt", "gone.png", "odd[1].png", "x" * 300]
    assert names(folder, *given) == given


def test_the_overlays_own_folder_is_passed_over(folder: Path):
    assert names(folder, ".", leave_out=folder / "deep") == ["a.JPG", "b.png", "odd[1].png"]


def test_a_folder_without_pictures_is_answered_with_what_counts_as_one(tmp_path: Path):
    with pytest.raises(InputError, match=r"the folder has no picture; give one with files of .avif, .bmp, "):
        list_pictures([tmp_path])
