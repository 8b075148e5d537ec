"""The contract with readers: every table, the columns of its rows, their types, units and meanings.

Accuracies are fractions of 1, times are seconds unless they are timestamps (UTC). Changes are additions only.
"""

import pyarrow as pa

from storage.tables.row import Row
from storage.tables.rows_of_findings import (
    AgreementRow,
    ComparisonRow,
    FinalRow,
    ModelRow,
    NightRow,
    PictureRow,
    SearchRow,
    SummaryRow,
)
from storage.tables.rows_of_work import EpochRow, RunRow, TrainingRow, TrialRow

SCHEMA_VERSION = "1.0.0"

TABLES: dict[str, type[Row]] = {
    row.TABLE: row
    for row in (
        RunRow,
        TrialRow,
        TrainingRow,
        EpochRow,
        SummaryRow,
        NightRow,
        ComparisonRow,
        AgreementRow,
        ModelRow,
        PictureRow,
        SearchRow,
        FinalRow,
    )
}
"""The class of each table's rows, by the table's name; `RunTables` says in which order they are written."""


def schema_of(row: type[Row]) -> pa.Schema:
    """Return the Arrow schema of rows, with unit and meaning in each field's metadata."""
    fields = [
        pa.field(each.name, each.type, each.nullable, {"unit": each.unit, "meaning": each.meaning})
        for each in row.columns()
    ]
    return pa.schema(fields, metadata={"schema_version": SCHEMA_VERSION, "table": row.TABLE})
