"""`study predict`: files, folders and patterns, as text and as data."""

import io
import json
import shutil
from pathlib import Path

import cv2
import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.command_line import Invocation, app
from study.errors import InputError
from tests.bad_input.sound import boot, model, write_picture


def predict(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["predict", *map(str, arguments)], obj=Invocation())


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
    done = predict(folder / "model.keras", folder / "pictures")
    assert done.exit_code == 1
    assert done.stdout.count("boot.png: ") == done.stdout.count("light.png: ") == 1
    assert "broken.png: not an image that OpenCV can read" in done.stderr
    assert "1 picture of 3 could not be read" in done.stderr


def test_a_pattern_takes_what_it_matches(folder: Path):
    done = predict(folder / "model.keras", folder / "pictures" / "b*t.png")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 4, "the file, and three classes"


def test_a_named_file_that_is_broken_is_wrong_input(folder: Path):
    done = predict(folder / "model.keras", folder / "pictures" / "broken.png")
    assert isinstance(done.exception, InputError)
    assert "broken.png: not an image that OpenCV can read" in str(done.exception)


def test_json_and_csv_have_a_row_for_each_picture_in_the_same_order(folder: Path):
    rows = json.loads(predict(folder / "model.keras", folder / "pictures", "--json").stdout)
    assert [Path(row["path"]).name for row in rows] == ["boot.png", "broken.png", "light.png"]
    assert [row["inverted"] for row in rows] == [False, None, True]
    assert "not an image" in rows[1]["error"]
    read = pd.read_csv(io.StringIO(predict(folder / "model.keras", folder / "pictures", "--csv").stdout))
    assert list(read["path"]) == [row["path"] for row in rows]


def test_parquet_and_overlays_are_written_beside_the_text(folder: Path):
    file, overlays = folder / "answers.parquet", folder / "pictures" / "answers"
    command = (folder / "model.keras", folder / "pictures", "--parquet", file, "--overlay", overlays)
    assert predict(*command).exit_code == 1
    assert len(pd.read_parquet(file)) == 3
    assert sorted(each.name for each in overlays.iterdir()) == ["00001-boot.png", "00003-light.png"]
    assert cv2.imread(str(overlays / "00001-boot.png")).shape[1] == 280
    predict(*command)
    assert len(pd.read_parquet(file)) == 3, "overlays are no pictures to classify"


def test_what_is_not_sure_says_so_and_top_says_how_many_classes(folder: Path):
    done = predict(folder / "model.keras", folder / "pictures" / "boot.png", "--sure", 1, "--top", 5)
    assert ", but not sure: below 100%" in done.stdout
    assert len(done.stdout.splitlines()) == 6


def test_a_model_without_a_description_is_said_to_be_uncalibrated_once(folder: Path):
    done = predict(folder / "model.keras", folder / "pictures" / "boot.png")
    told = "WARNING: probabilities are not calibrated, most are too sure: there is no model.json"
    assert done.stderr.count(told) == 1


def test_many_pictures_are_told_how_fast(folder: Path):
    many = folder / "many"
    many.mkdir()
    for number in range(100):
        write_picture(many / f"{number:03d}.png", boot())
    done = predict(folder / "model.keras", many, "--csv")
    assert len(done.stdout.splitlines()) == 101
    assert "100 pictures in " in done.stderr and " a second" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sure", "1.5"), "--sure: 1.5 is not allowed; give a fraction from 0 to 1, such as 0.6"),
        (("--sure", "nan"), "--sure: nan is not allowed"),
        (("--json", "--csv"), "--json and --csv: both were given; give one of them"),
        (("--parquet", "."), "--parquet: . is a folder; give a file, such as answers.parquet"),
    ],
)
def test_options_that_cannot_be_are_refused(folder: Path, options: tuple[str, ...], message: str):
    done = predict(folder / "model.keras", folder / "pictures", *options)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_a_parquet_file_that_cannot_be_written_is_told(folder: Path):
    done = predict(folder / "model.keras", folder / "pictures", "--parquet", folder / "model.keras" / "x")
    assert isinstance(done.exception, InputError)
    assert "cannot be written (" in str(done.exception)
