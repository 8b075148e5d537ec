"""The contract with readers: every column of every table, its type, unit and meaning.

Accuracies are fractions of 1, times are seconds unless they are timestamps (UTC). Changes are additions only.
"""

import pyarrow as pa

from storage.tables.column import Column, Table
from storage.tables.columns_of_findings import (
    AGREEMENT,
    COMPARISONS,
    FINALS,
    MODELS,
    NIGHTS,
    PICTURES,
    SEARCH,
    SUMMARY,
)
from storage.tables.columns_of_work import EPOCHS, RUNS, TRAININGS, TRIALS

SCHEMA_VERSION = "1.0.0"

TABLES = {
    "runs": Table("a published run", ("run_id",), RUNS),
    "trials": Table(
        "one reading: a setting of an exercise, or a candidate for the optimum, in one of its repeats",
        ("run_id", "exercise", "setting", "repeat"),
        TRIALS,
    ),
    "trainings": Table(
        "a training that the run asked for, failed ones too; several trials may read one",
        ("run_id", "key"),
        TRAININGS,
    ),
    "epochs": Table("an epoch of a training, as far as the run reads it", ("run_id", "key", "epoch"), EPOCHS),
    "summary": Table(
        "a setting of an exercise, or a candidate for the optimum, over its repeats",
        ("run_id", "exercise", "setting"),
        SUMMARY,
    ),
    "nights": Table(
        "an exercise of a run that trained everything fresh, compared with earlier such runs",
        ("run_id", "exercise"),
        NIGHTS,
    ),
    "comparisons": Table(
        "a pair of settings of an exercise",
        ("run_id", "exercise", "first_value", "second_value"),
        COMPARISONS,
    ),
    "agreement": Table(
        "a published mean, band or claim, compared with the run",
        ("run_id", "kind", "exercise", "subject"),
        AGREEMENT,
    ),
    "models": Table("the run's saved model; no row where none was saved", ("run_id",), MODELS),
    "pictures": Table(
        "a picture that the report shows of images, which no other row could draw again",
        ("run_id", "name"),
        PICTURES,
    ),
    "search": Table(
        "a candidate that the search for the optimum tried; no rows where a study does not search",
        ("run_id", "candidate"),
        SEARCH,
    ),
    "finals": Table(
        "a candidate for the optimum, compared with the one that was kept",
        ("run_id", "setting"),
        FINALS,
    ),
}
"""Every table; `RunTables` says in which order they are written."""

COLUMNS: dict[str, tuple[Column, ...]] = {name: table.columns for name, table in TABLES.items()}
"""The columns of each table, in order."""


def schema_of(table: str) -> pa.Schema:
    """Return the Arrow schema of a table, with unit and meaning in each field's metadata."""
    fields = [
        pa.field(each.name, each.type, each.nullable, {"unit": each.unit, "meaning": each.meaning})
        for each in COLUMNS[table]
    ]
    return pa.schema(fields, metadata={"schema_version": SCHEMA_VERSION, "table": table})
