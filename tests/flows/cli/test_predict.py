"""`study predict`: files and folders, as text and as data."""

import io
import json
import shutil
from pathlib import Path

import cv2
import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.cli.main import Invocation, app
from flows.cli.predict import COLUMNS, describe_prediction, row_of
from study.errors import InputError
from tasks.model.classify import Prediction, Unreadable
from tests.bad_input.sound import boot, model, write_picture

SHIRT = Prediction(
    Path("odd, name.png"), 6, "Shirt", (0.3, 0.0, 0.1, 0.0, 0.1, 0.0, 0.5, 0.0, 0.0, 0.0), True
)


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


def test_several_named_files_are_answered_like_those_of_a_folder(folder: Path):
    done = predict(
        folder / "model.keras", folder / "pictures" / "broken.png", folder / "pictures" / "boot.png"
    )
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 4, "the file, and three classes"
    assert "broken.png: not an image that OpenCV can read" in done.stderr


def test_where_no_picture_can_be_read_each_is_named_and_it_is_wrong_input(folder: Path):
    done = predict(folder / "model.keras", folder / "pictures" / "broken.png", folder / "gone.png")
    assert (done.exit_code, done.stdout) == (2, "")
    broken, gone = done.stderr.splitlines()
    assert broken.startswith("study: ") and "broken.png: not an image that OpenCV can read" in broken
    assert gone == f"study: {folder / 'gone.png'}: no such file; give an image file"


def test_json_and_csv_have_a_row_for_each_picture_in_the_same_order(folder: Path):
    rows = json.loads(predict(folder / "model.keras", folder / "pictures", "--json").stdout)
    assert [Path(row["path"]).name for row in rows] == ["boot.png", "broken.png", "light.png"]
    assert [row["inverted"] for row in rows] == [False, None, True]
    assert "not an image" in rows[1]["error"]
    read = pd.read_csv(io.StringIO(predict(folder / "model.keras", folder / "pictures", "--csv").stdout))
    assert list(read.columns) == list(rows[0]) == list(COLUMNS)
    assert list(read["path"]) == [row["path"] for row in rows]
    assert read["probability"].isna().tolist() == read["class_index"].isna().tolist() == [False, True, False]


def test_overlays_are_written_beside_the_text(folder: Path):
    overlays = folder / "pictures" / "answers"
    command = (folder / "model.keras", folder / "pictures", "--overlay", overlays)
    done = predict(*command)
    assert done.exit_code == 1
    assert sorted(each.name for each in overlays.iterdir()) == ["00001-boot.png", "00003-light.png"]
    assert cv2.imread(str(overlays / "00001-boot.png")).shape[1] == 280
    assert predict(*command).stdout == done.stdout, "overlays are no pictures to classify"


def test_what_is_not_sure_says_so_and_top_says_how_many_classes(folder: Path):
    done = predict(folder / "model.keras", folder / "pictures" / "boot.png", "--sure", 1, "--top", 5)
    assert ", but not sure: below 100%" in done.stdout
    assert len(done.stdout.splitlines()) == 6


def test_a_model_without_a_description_is_said_to_be_uncalibrated_once(folder: Path):
    done = predict(folder / "model.keras", folder / "pictures" / "boot.png")
    told = "WARNING: probabilities are not calibrated, most are too sure: there is no model.json"
    assert done.stderr.count(told) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sure", "1.5"), "--sure: 1.5 is not allowed; give a fraction from 0 to 1, such as 0.6"),
        (("--sure", "nan"), "--sure: nan is not allowed"),
        (("--json", "--csv"), "--json and --csv: both were given; give one of them"),
    ],
)
def test_options_that_cannot_be_are_refused(folder: Path, options: tuple[str, ...], message: str):
    done = predict(folder / "model.keras", folder / "pictures", *options)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_below_the_confidence_asked_for_it_is_not_sure():
    assert describe_prediction(SHIRT, 0.6, 3).startswith(
        "odd, name.png: Shirt (6), but not sure: below 60%\n"
    )
    assert describe_prediction(SHIRT, 0.5, 3).startswith("odd, name.png: Shirt (6)\n")


def test_as_many_classes_are_listed_as_are_asked_for():
    assert describe_prediction(SHIRT, 0.5, top=2).splitlines()[-2:] == [
        "   50.0%  Shirt",
        "   30.0%  T-shirt/top",
    ]


def test_a_prediction_is_told_with_its_classes_by_falling_probability():
    probabilities = (0.0, 0.01, 0.0, 0.0, 0.0, 0.05, 0.0, 0.04, 0.0, 0.9)
    text = describe_prediction(
        Prediction(Path("boot.png"), 9, "Ankle boot", probabilities, inverted=False), 0.6, 10
    )
    assert text.splitlines()[:4] == [
        "boot.png: Ankle boot (9)",
        "   90.0%  Ankle boot",
        "    5.0%  Sandal",
        "    4.0%  Sneaker",
    ]
    assert len(text.splitlines()) == 11


def test_an_inverted_picture_is_told_as_such():
    text = describe_prediction(
        Prediction(Path("photo.jpg"), 0, "T-shirt/top", (1.0,) + (0.0,) * 9, inverted=True), 0.6, 10
    )
    assert text.splitlines()[1] == (
        "  the background looked light, so the image was inverted (training images are light on black)"
    )


def test_rows_have_the_columns_that_are_documented():
    documented = Path("docs/predict.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in documented for name in COLUMNS if not name.startswith("probability_"))
    assert row_of(SHIRT, 0.6) == {
        "path": "odd, name.png", "class_index": 6, "class_name": "Shirt", "probability": 0.5, "sure": False,
        "inverted": True, **{f"probability_{n}": each for n, each in enumerate(SHIRT.probabilities)},
        "error": None,
    }  # fmt: skip
    broken = Unreadable(Path("broken.png"), "broken.png: the file is empty; give an image file")
    assert row_of(broken, 0.6) == dict.fromkeys(COLUMNS) | {"path": "broken.png", "error": broken.reason}
