"""The contract with readers: every column of every table, its type, unit and meaning.

Accuracies are fractions of 1, times are seconds unless they are timestamps (UTC). Changes are additions only.
"""

import pyarrow as pa

from storage.column import Column
from storage.columns_of_findings import AGREEMENT, COMPARISONS, MODELS, NIGHTS, PICTURES, SUMMARY
from storage.columns_of_search import FINALS, SEARCH
from storage.columns_of_work import EPOCHS, RUNS, TRAININGS, TRIALS

SCHEMA_VERSION = "1.7.0"

COLUMNS: dict[str, tuple[Column, ...]] = {
    "runs": RUNS,
    "trials": TRIALS,
    "trainings": TRAININGS,
    "epochs": EPOCHS,
    "summary": SUMMARY,
    "nights": NIGHTS,  # since 1.3.0, with rows for runs that trained everything fresh
    "comparisons": COMPARISONS,  # this and the next three since 1.5.0
    "agreement": AGREEMENT,
    "models": MODELS,  # a row where a model was saved
    "pictures": PICTURES,  # what is drawn from images, not from rows
    "search": SEARCH,  # this and the next since 1.6.0; rows where the study searches
    "finals": FINALS,
}
"""The columns of each table, in order."""


def schema_of(table: str) -> pa.Schema:
    """The Arrow schema of a table, with unit and meaning in each field's metadata."""
    fields = [
        pa.field(each.name, each.type, each.nullable, {"unit": each.unit, "meaning": each.meaning})
        for each in COLUMNS[table]
    ]
    return pa.schema(fields, metadata={"schema_version": SCHEMA_VERSION, "table": table})
