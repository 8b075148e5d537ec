"""Predictions as text, JSON, CSV and Parquet."""

import csv
import io
import json
from pathlib import Path

import pandas as pd

from storage.predictions import PREDICTIONS, write_predictions
from tasks.classify import Prediction, Unreadable
from tasks.prediction_output import as_csv, as_json, describe_prediction, row_of

SHIRT = Prediction(
    Path("odd, name.png"), 6, "Shirt", (0.3, 0.0, 0.1, 0.0, 0.1, 0.0, 0.5, 0.0, 0.0, 0.0), True
)
BROKEN = Unreadable(Path("broken.png"), "broken.png: the file is empty; give an image file")


def test_below_the_confidence_asked_for_it_is_not_sure():
    assert describe_prediction(SHIRT, 0.6).startswith("odd, name.png: Shirt (6), but not sure: below 60%\n")
    assert describe_prediction(SHIRT, 0.5).startswith("odd, name.png: Shirt (6)\n")


def test_as_many_classes_are_listed_as_are_asked_for():
    assert describe_prediction(SHIRT, 0.5, top=2).splitlines()[-2:] == [
        "   50.0%  Shirt",
        "   30.0%  T-shirt/top",
    ]


def test_rows_have_the_columns_that_are_documented():
    names = [each.name for each in PREDICTIONS]
    assert list(row_of(SHIRT, 0.6)) == list(row_of(BROKEN, 0.6)) == names
    assert row_of(SHIRT, 0.6)["sure"] is False
    assert row_of(BROKEN, 0.6)["class_name"] is None
    assert row_of(BROKEN, 0.6)["error"] == BROKEN.reason


def test_json_is_one_list_also_of_nothing():
    rows = [row_of(each, 0.6) for each in (SHIRT, BROKEN)]
    assert json.loads("\n".join(as_json(rows))) == rows
    assert json.loads("\n".join(as_json([]))) == []


def test_csv_has_a_header_and_quotes_what_needs_it():
    rows = [row_of(each, 0.6) for each in (SHIRT, BROKEN)]
    read = list(csv.DictReader(io.StringIO("\n".join(as_csv(rows)))))
    assert [each["path"] for each in read] == ["odd, name.png", "broken.png"]
    assert read[0]["probability"] == "0.5"
    assert read[1]["class_index"] == ""


def test_parquet_has_types_and_nulls(tmp_path: Path):
    file = tmp_path / "new" / "answers.parquet"
    write_predictions(file, [row_of(each, 0.6) for each in (SHIRT, BROKEN)])
    frame = pd.read_parquet(file)
    assert list(frame.columns) == [each.name for each in PREDICTIONS]
    assert frame["class_name"].iloc[0] == "Shirt"
    assert frame["class_name"].isna().tolist() == [False, True]
    assert frame["probability_6"].iloc[0] == 0.5
