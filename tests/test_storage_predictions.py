"""Predictions as a Parquet file: the columns, as written down here once more."""

from pathlib import Path

import pyarrow.parquet as pq

from storage.predictions import PREDICTIONS, write_predictions
from study.fashion_mnist import CLASS_NAMES

COLUMNS = [
    # name, type, unit, may be null, meaning
    ("path", "string", "", False, "the picture's file, as it was given or found"),
    ("class_index", "int64", "", True, "the likeliest class, 0 to 9; null if the file cannot be read"),
    ("class_name", "string", "", True, "its name"),
    ("probability", "double", "fraction", True, "its probability, softened if the model is calibrated"),
    ("sure", "bool", "", True, "whether that reaches the confidence asked for"),
    ("inverted", "bool", "", True, "whether the background looked light, and the picture was inverted"),
    *((f"probability_{n}", "double", "fraction", True, f"of {name}") for n, name in enumerate(CLASS_NAMES)),
    ("error", "string", "", True, "why the file cannot be read; null if it can"),
]  # fmt: skip


def test_the_columns_are_those_written_down():
    assert [
        (each.name, str(each.type), each.unit, each.nullable, each.meaning) for each in PREDICTIONS
    ] == COLUMNS


def test_rows_are_read_back_with_unit_and_meaning_of_each_column(tmp_path: Path):
    read = {"path": "a.png", "class_index": 9, "class_name": "Ankle boot", "probability": 0.9, "sure": True}
    write_predictions(tmp_path / "p.parquet", [read, {"path": "b.png", "error": "no picture"}])
    table = pq.read_table(tmp_path / "p.parquet")
    first, second = table.to_pylist()
    assert first == dict.fromkeys(table.column_names) | read
    assert second == dict.fromkeys(table.column_names) | {"path": "b.png", "error": "no picture"}
    assert [
        (field.name, str(field.type), field.metadata[b"unit"].decode(), field.nullable,
         field.metadata[b"meaning"].decode())
        for field in table.schema
    ] == COLUMNS  # fmt: skip
