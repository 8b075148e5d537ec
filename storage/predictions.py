"""Predictions of `study predict`: the columns, and a Parquet file of them."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from storage.column import BOOL, FLOAT, INT, TEXT, Column
from storage.place import write_atomically
from study.fashion_mnist import CLASS_NAMES

PREDICTIONS = (
    Column("path", TEXT, "", "the picture's file, as it was given or found"),
    Column("class_index", INT, "", "the likeliest class, 0 to 9; null if the file cannot be read", True),
    Column("class_name", TEXT, "", "its name", True),
    Column("probability", FLOAT, "fraction", "its probability, softened if the model is calibrated", True),
    Column("sure", BOOL, "", "whether that reaches the confidence asked for", True),
    Column("inverted", BOOL, "", "whether the background looked light, and the picture was inverted", True),
    *(
        Column(f"probability_{index}", FLOAT, "fraction", f"of {name}", True)
        for index, name in enumerate(CLASS_NAMES)
    ),
    Column("error", TEXT, "", "why the file cannot be read; null if it can", True),
)
"""The columns, in order; of CSV and JSON, too."""


def write_predictions(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as a Parquet file.

    Raises:
        OSError: the file cannot be written.
    """
    fields = [
        pa.field(each.name, each.type, each.nullable, {"unit": each.unit, "meaning": each.meaning})
        for each in PREDICTIONS
    ]
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=pa.schema(fields))
    content = io.BytesIO()
    pq.write_table(table, content)
    write_atomically(path, content.getvalue())
