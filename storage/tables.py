"""Publish and read the Parquet tables: a run is visible once its row in `runs` is, which is written last."""

import dataclasses
import io
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from storage.contract import UNREADABLE, find_fault, is_readable, read_label, reason_of
from storage.place import Results, write_atomically
from storage.schema import SCHEMA_VERSION, schema_of
from study.errors import InputError
from study.wording import shown

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_OF_SEARCH = ("search", "finals")
"""Tables since 1.6.0. A run of an older version has no search, and lacks nothing without them."""

_ADDED = ("comparisons", "agreement", "models", "pictures", *_OF_SEARCH)
"""Tables since 1.5.0, in the order of `RunFrames`."""

_BODY = ("trials", "trainings", "epochs", "summary", "nights", *_ADDED)
"""The tables of a run that are written before its row in `runs`, in the order of `RunFrames`."""

_NOT_ALWAYS = ("trainings", "nights", *_ADDED)
"""Tables that not every version had: `trainings` since 1.1.0, `nights` since 1.3.0."""

_MEND = "restore the file, or remove this run's folder from `tables/runs`; running the study again is quick"
"""What a person can do: what was trained is kept, so that another run reads it."""


@dataclass(frozen=True)
class RunTables:
    """The rows of one run."""

    run: Row
    trials: Sequence[Row]
    trainings: Sequence[Row]
    epochs: Sequence[Row]
    summary: Sequence[Row]
    nights: Sequence[Row] = ()
    comparisons: Sequence[Row] = ()
    agreement: Sequence[Row] = ()
    models: Sequence[Row] = ()
    pictures: Sequence[Row] = ()
    search: Sequence[Row] = ()
    finals: Sequence[Row] = ()


def _no_rows(table: str) -> pd.DataFrame:
    return pd.DataFrame(schema_of(table).empty_table().to_pandas())


@dataclass(frozen=True)
class RunFrames:
    """One published run as data frames; `run` is its row in `runs`."""

    run: "pd.Series[Any]"
    trials: pd.DataFrame
    trainings: pd.DataFrame
    epochs: pd.DataFrame
    summary: pd.DataFrame
    nights: pd.DataFrame = dataclasses.field(default_factory=partial(_no_rows, "nights"))
    comparisons: pd.DataFrame = dataclasses.field(default_factory=partial(_no_rows, "comparisons"))
    agreement: pd.DataFrame = dataclasses.field(default_factory=partial(_no_rows, "agreement"))
    models: pd.DataFrame = dataclasses.field(default_factory=partial(_no_rows, "models"))
    pictures: pd.DataFrame = dataclasses.field(default_factory=partial(_no_rows, "pictures"))
    search: pd.DataFrame = dataclasses.field(default_factory=partial(_no_rows, "search"))
    finals: pd.DataFrame = dataclasses.field(default_factory=partial(_no_rows, "finals"))


def publish(results: Results, tables: RunTables) -> None:
    """Write the tables of a run, `runs` last.

    Raises:
        pyarrow.ArrowInvalid: a row does not fit the schema.
        OSError: the disk is full or the folder cannot be written to; the run stays invisible.
    """
    run_id = str(tables.run["run_id"])
    for table in _BODY:
        _write(results, table, run_id, getattr(tables, table))
    _write(results, "runs", run_id, [tables.run])


def list_runs(results: Results) -> pd.DataFrame:
    """The published runs, oldest first; empty if there are none.

    A run whose row cannot be read is left out, with a warning: one damaged file must not hide the others.

    Raises:
        InputError: there are runs, and none of their rows can be read.
    """
    rows, errors = [], []
    for part in _list_parts(results):
        try:
            rows.append(_read(part, "runs"))
        except InputError as error:
            errors.append(error)
    if errors and not rows:
        raise errors[-1]
    for damage in errors:
        logger.warning("%s; this run is left out", damage)
    runs = pd.DataFrame(pa.concat_tables([*rows, schema_of("runs").empty_table()]).to_pandas())
    return runs.sort_values("started_at", ignore_index=True)


def read_run(results: Results, run_id: str | None = None) -> RunFrames:
    """One published run; the latest of those that can be read if none is named.

    Raises:
        InputError: no such run is published, or one of its files is missing or damaged.
    """
    # Looked for in what is there: an id that is a path to somewhere else is no run. Of the others' files none
    # is opened, so that a damaged one is in nobody's way but its own run's.
    part = next((each for each in _list_parts(results) if each.parent.name == f"run={run_id}"), None)
    chosen = _read(part, "runs").to_pandas() if part else pd.DataFrame()
    runs = list_runs(results) if chosen.empty else chosen
    if runs.empty or (run_id is not None and chosen.empty):
        known = ", ".join(runs["run_id"].tail(3)) or "none yet; `study run` makes one"
        wanted = "no run" if run_id is None else f"run {shown(run_id)} is not"
        raise InputError(f"{wanted} published in {results.tables}; latest: {known}")
    run = runs.iloc[-1]
    frames = [_read_table(results, table, str(run["run_id"])) for table in _BODY]
    return RunFrames(run, *frames)


def list_missing(results: Results, run_id: str) -> list[str]:
    """The tables that a published run lacks, being of a version that recorded less of the same work."""
    recorded = [table for table in _NOT_ALWAYS if table not in _OF_SEARCH]
    return [table for table in recorded if not _part(results, table, run_id).exists()]


def read_rows(
    results: Results, table: str, run_ids: Sequence[str], columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """The rows of one table for many published runs, in the order of the runs; see `list_runs`.

    A run whose file is missing or damaged is left out, with a warning.

    Args:
        results: Where the tables lie.
        table: One of the tables other than `runs`.
        run_ids: The runs.
        columns: The columns to read; none means all. Fewer are quicker.
    """
    schema = schema_of(table)
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns])
    rows = [schema.empty_table()]
    for run_id in run_ids:
        try:
            part = _part(results, table, run_id)
            if part.exists() or table not in _NOT_ALWAYS:
                rows.append(_read(part, table, schema))
        except InputError as damage:
            logger.warning("%s; this run is left out", damage)
    return pd.DataFrame(pa.concat_tables(rows).to_pandas())


def _list_parts(results: Results) -> list[Path]:
    """The file of each published run's row in `runs`, by name."""
    return sorted((results.tables / "runs").glob("run=*/part-0.parquet"))


def is_published(results: Results, run_id: str) -> bool:
    """Whether a run's row in `runs` is there."""
    return _part(results, "runs", run_id).exists()


def _part(results: Results, table: str, run_id: str) -> Path:
    # An id may come from a table's content: it must not lead out of the results folder.
    if not _RUN_ID.fullmatch(run_id):
        raise InputError(f"run {run_id!r} in {results.tables} is no run's id; remove its row in `runs`")
    return results.tables / table / f"run={run_id}" / "part-0.parquet"


def _read_table(results: Results, table: str, run_id: str) -> pd.DataFrame:
    """A run's rows of a table with today's columns; what its version did not have yet is null or empty."""
    part = _part(results, table, run_id)
    if table in _NOT_ALWAYS and not part.exists():
        return _no_rows(table)
    return pd.DataFrame(_read(part, table).to_pandas())


def _read(path: Path, table: str, schema: pa.Schema | None = None) -> pa.Table:
    """Read a file of a table with today's columns, or some: those its version did not have yet are null.

    Raises:
        InputError: the file is missing or damaged, is another table's, or of a version that is not read here.
    """
    try:
        # As a file: the folder's `run=` partition would add a column that repeats run_id.
        with pq.ParquetFile(path) as file:
            _check_kind(path, file.schema_arrow.metadata or {}, table)
            content = file.read(columns=schema.names if schema else None)
        return _fit(path, content, schema or schema_of(table))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file, though the run was published; {_MEND}") from error
    except UNREADABLE as error:
        raise InputError(f"{path}: cannot be read as a Parquet file: {reason_of(error)}; {_MEND}") from error


def _check_kind(path: Path, metadata: Mapping[bytes, bytes], table: str) -> None:
    found = read_label(metadata, "table")
    if found != table:
        holds = f"table {shown(found)}" if found else "no table of this program"
        raise InputError(f"{path}: holds {holds}, expected {table!r}; {_MEND}")
    version = read_label(metadata, "schema_version")
    if not is_readable(version):
        raise InputError(
            f"{path}: has schema version {shown(version)}, this program reads versions "
            f"{SCHEMA_VERSION.partition('.')[0]}.x "
            f"(it writes {SCHEMA_VERSION}); read it with the program that wrote it, or run the study again"
        )


def _fit(path: Path, content: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with just the columns of a schema: later versions may have more, earlier ones fewer.

    Only what may be null was ever added, so every other column is in each version.
    """
    columns = []
    for field in schema:
        known = field.name in content.column_names
        if not known and not field.nullable:
            raise InputError(f"{path}: lacks the column {field.name!r}; {_MEND}")
        column = content.column(field.name) if known else pa.nulls(len(content), field.type)
        if fault := find_fault(field, column):
            raise InputError(f"{path}: column {field.name!r} {fault}; {_MEND}")
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def _write(results: Results, table: str, run_id: str, rows: Sequence[Row]) -> None:
    schema = schema_of(table)
    extra = set().union(*(row.keys() for row in rows)) - set(schema.names) if rows else set()
    if extra:
        raise ValueError(f"table {table}: columns {sorted(extra)} are not in its schema")
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=schema), content)
    write_atomically(_part(results, table, run_id), content.getvalue())
