"""`study predict`: files and folders, as text and as data."""

import dataclasses
import io
import json
import os
import shutil
from pathlib import Path

import cv2
import pandas as pd
import pytest

from flows.cli.predict import COLUMNS, describe_prediction, row_of
from tasks.model.classify import Prediction, Unreadable
from tests.bad_input.sound import boot, model, write_picture
from tests.command import study

SHIRT = Prediction(
    Path("odd, name.png"), 6, "Shirt", (0.3, 0.0, 0.1, 0.0, 0.1, 0.0, 0.5, 0.0, 0.0, 0.0), True
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model, and a folder of three pictures of which one is none."""
    shutil.copyfile(model(), tmp_path / "model.keras")
    pictures = tmp_path / "pictures"
    (pictures / "deep").mkdir(parents=True)
    write_picture(pictures / "boot.png", boot())
    write_picture(pictures / "deep" / "light.png", 255 - boot())
    (pictures / "broken.png").write_text("no picture")
    return tmp_path


def test_a_folder_is_answered_picture_by_picture_and_the_broken_one_costs_the_exit_code_only(folder: Path):
    done = study("predict", folder / "model.keras", folder / "pictures")
    assert done.code == 1
    assert done.out.count("boot.png: ") == done.out.count("light.png: ") == 1
    assert "broken.png: not an image that OpenCV can read" in done.err
    assert "1 picture of 3 could not be read" in done.err


def test_several_named_files_are_answered_like_those_of_a_folder(folder: Path):
    pictures = folder / "pictures"
    named = (pictures / "broken.png", pictures / "boot.png", "--sure", 1, "--top", 5)
    done = study("predict", folder / "model.keras", *named)
    assert done.code == 1
    assert ", but not sure: below 100%" in done.out
    assert len(done.out.splitlines()) == 6, "the file, and five classes"
    assert "broken.png: not an image that OpenCV can read" in done.err


def test_where_no_picture_can_be_read_each_is_named_and_it_is_wrong_input(folder: Path):
    done = study("predict", folder / "model.keras", folder / "pictures" / "broken.png", folder / "gone.png")
    assert (done.code, done.out) == (2, "")
    broken, gone = done.err.splitlines()
    assert broken.startswith("study: ") and "broken.png: not an image that OpenCV can read" in broken
    assert gone == f"study: {folder / 'gone.png'}: no such file; give an image file"


def test_json_and_csv_have_a_row_for_each_picture_in_the_same_order(folder: Path):
    rows = json.loads(study("predict", folder / "model.keras", folder / "pictures", "--json").out)
    assert [Path(row["path"]).name for row in rows] == ["boot.png", "broken.png", "light.png"]
    assert [row["inverted"] for row in rows] == [False, None, True]
    assert "not an image" in rows[1]["error"]
    read = pd.read_csv(
        io.StringIO(study("predict", folder / "model.keras", folder / "pictures", "--csv").out)
    )
    assert list(read.columns) == list(rows[0]) == list(COLUMNS)
    assert list(read["path"]) == [row["path"] for row in rows]
    assert read["probability"].isna().tolist() == read["class_index"].isna().tolist() == [False, True, False]


def test_files_that_are_no_pictures_are_counted_and_named_once(folder: Path):
    (folder / "pictures" / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (folder / "pictures" / "one.svg").write_text("<svg/>")
    done = study("predict", folder / "model.keras", folder / "pictures")
    assert done.err.count("study: 2 files passed over: 1 HEIC (convert it to JPEG), 1 SVG\n") == 1
    assert done.out.count("boot.png: ") == 1


def test_odd_names_are_all_answered_and_written(folder: Path):
    names = (b"bo\xefte.png", b"new\nline.png", b"=SUM(1+1).png", b"esc\x1b[31mred.png")
    for name in names:
        shutil.copyfile(folder / "pictures" / "boot.png", folder / os.fsdecode(name))
    given = ("predict", "model.keras", *map(os.fsdecode, names))
    shown = [r"bo\xefte.png", r"new\nline.png", "./=SUM(1+1).png", r"esc\x1b[31mred.png"]
    text = study(*given, "--top", 1, folder=folder)
    assert text.code == 0
    assert [each.partition(": ")[0] for each in text.out.splitlines()[::2]] == shown
    assert [row["path"] for row in json.loads(study(*given, "--json", folder=folder).out)] == shown
    table = study(*given, "--csv", folder=folder).out
    assert list(pd.read_csv(io.StringIO(table))["path"]) == shown
    assert table.startswith("path,"), "no mark of the encoding where all is ASCII"


def test_csv_with_names_beyond_ascii_says_that_it_is_utf_8(folder: Path):
    shutil.move(folder / "pictures" / "boot.png", folder / "støvel.png")
    table = study("predict", "model.keras", "støvel.png", "--csv", folder=folder).out
    assert table.startswith("\ufeffpath,")
    assert list(pd.read_csv(io.BytesIO(table.encode()))["path"]) == ["støvel.png"]


def test_overlays_are_written_beside_the_text(folder: Path):
    overlays = folder / "pictures" / "answers"
    command = (folder / "model.keras", folder / "pictures", "--overlay", overlays)
    done = study("predict", *command)
    assert done.code == 1
    assert sorted(each.name for each in overlays.iterdir()) == ["00001-boot.png", "00003-light.png"]
    assert cv2.imread(str(overlays / "00001-boot.png")).shape[1] == 280
    assert study("predict", *command).out == done.out, "overlays are no pictures to classify"


def test_a_model_without_a_description_is_said_to_be_uncalibrated_once(folder: Path):
    done = study("predict", folder / "model.keras", folder / "pictures" / "boot.png")
    told = "WARNING: probabilities are not calibrated, most are too sure: there is no model.json"
    assert done.err.count(told) == 1


def test_a_run_s_folder_stands_for_its_model_and_the_scale_that_was_taken_is_said(folder: Path):
    (folder / "run" / "model").mkdir(parents=True)
    shutil.move(folder / "model.keras", folder / "run" / "model" / "Fashion_MNIST_model.keras")
    command = ("predict", folder / "run", folder / "pictures" / "boot.png")
    done = study(*command)
    assert (done.code, done.out.count("boot.png: ")) == (0, 1)
    told = "WARNING: the model was given pixels 0-1: "
    right = "11% (loss 2.30)"
    assert f"{told}{right} of 500 test images are then right, {right} for 0-255; --input-scale" in done.err
    assert told not in study(*command, "--input-scale", "0-255").err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sure", "1.5"), "--sure: 1.5 is not allowed; give a fraction from 0 to 1, such as 0.8"),
        (("--sure", "nan"), "--sure: nan is not allowed"),
        (("--json", "--csv"), "--json and --csv: both were given; give one of them"),
    ],
)
def test_options_that_cannot_be_are_refused(folder: Path, options: tuple[str, ...], message: str):
    done = study("predict", folder / "model.keras", folder / "pictures", *options)
    assert done.code == 2
    assert message in done.err


def test_a_prediction_is_told_with_as_many_classes_as_are_asked_for_by_falling_probability():
    likely = ["   50.0%  Shirt", "   30.0%  T-shirt/top", "   10.0%  Pullover"]
    inverted = "  the background looked light, so the image was inverted (training images are light on black)"
    for sure, top, told in ((0.5, 2, "Shirt (6)"), (0.6, 3, "Shirt (6), but not sure: below 60%")):
        text = describe_prediction(SHIRT, sure, top)
        assert text.splitlines() == [f"odd, name.png: {told}", inverted, *likely[:top]]
    upright = describe_prediction(dataclasses.replace(SHIRT, inverted=False), 0.5, 10)
    assert upright.splitlines()[:4] == ["odd, name.png: Shirt (6)", *likely]
    assert len(upright.splitlines()) == 11


def test_rows_have_the_columns_that_are_documented():
    documented = Path("docs/predict.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in documented for name in COLUMNS if not name.startswith("probability_"))
    assert row_of(SHIRT, 0.6) == {
        "path": "odd, name.png", "class_index": 6, "class_name": "Shirt", "probability": 0.5, "sure": False,
        "inverted": True, **{f"probability_{n}": each for n, each in enumerate(SHIRT.probabilities)},
        "error": None, "doubt": "below 60%",
    }  # fmt: skip
    broken = Unreadable(Path("broken.png"), "broken.png: the file is empty; give an image file")
    assert row_of(broken, 0.6) == dict.fromkeys(COLUMNS) | {"path": "broken.png", "error": broken.reason}
