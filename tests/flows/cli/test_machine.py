"""The command `study data`, with a study: what was read, by class, and a contact sheet."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.command import study
from tests.labelled_images import COLOUR, LABELS

STUDY = """\
name: mine
title: Mine
data: {data}
exercises:
  - {{number: 2, kind: sweep, title: T, question: Q?, parameter: kernel_size, values: [3, 5], repeats: 2}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    np.savez(tmp_path / "set.npz", x=COLOUR, y=np.array(["ant", "bee", "cow", "dog"])[LABELS])
    (tmp_path / "mine.yaml").write_text(STUDY.format(data="set.npz"))
    return tmp_path


def test_the_images_of_a_study_are_counted_by_class_and_drawn(folder: Path):
    done = study("data", "mine.yaml", folder=folder)
    assert done.code == 0
    assert "set.npz: colour, 8 x 10 pixels, 4 classes" in done.out
    assert "│     3 │ dog   │               8 │           2 │" in done.out
    assert "8 test images, 20% of each class, were split off (seed 0)" in done.out
    sheet = Path(done.out.rpartition("the first nine training images: ")[2].strip())
    assert cv2.imread(str(sheet), cv2.IMREAD_UNCHANGED).shape[2] == 3


def test_a_plan_for_other_images_takes_tensorflow_and_says_why(folder: Path):
    done = study("plan", "mine.yaml", "--json", folder=folder)
    assert done.code == 0
    assert '"engine": "tensorflow"' in done.out
    assert (
        "TensorFlow trains, not the native engine: it takes images that are grey, 28 x 28 pixels, 10 "
        "classes; these are colour, 8 x 10 pixels, 4 classes"
    ) in done.err
    refused = study("plan", "mine.yaml", "--engine", "native", folder=folder)
    assert refused.code == 2
    assert "--engine: native cannot be used here: it takes images that are grey, 28 x 28" in refused.err


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("sett.npz", "sett.npz: no such file or folder (did you mean 'set.npz'?); expected an .npz file"),
        ("{source: set.npz, train_images: 50}", "data.train_images: 50 is not allowed: there are 32, in"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused_before_anything_starts(
    folder: Path, data: str, message: str
):
    (folder / "mine.yaml").write_text(STUDY.format(data=data))
    done = study("run", "mine.yaml", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_a_kernel_that_is_too_large_for_the_images_is_refused(folder: Path):
    (folder / "mine.yaml").write_text(STUDY.format(data="set.npz").replace("[3, 5]", "[3, 8]"))
    done = study("plan", "mine.yaml", folder=folder)
    assert done.code == 2
    assert (
        "exercise 2: kernel_size 8 is too large for images of 8 x 10 pixels; at most 7 is allowed" in done.err
    )
