"""Publish and read the Parquet tables: a run is visible once its row in `runs` is, which is written last."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from storage.place import Results, write_atomically
from storage.schema import schema_of
from study.errors import InputError

Row = Mapping[str, Any]

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_BODY = ("trials", "trainings", "epochs", "summary")
"""The tables of a run that are written before its row in `runs`, in the order of `RunFrames`."""


@dataclass(frozen=True)
class RunTables:
    """The rows of one run."""

    run: Row
    trials: Sequence[Row]
    trainings: Sequence[Row]
    epochs: Sequence[Row]
    summary: Sequence[Row]


@dataclass(frozen=True)
class RunFrames:
    """One published run as data frames; `run` is its row in `runs`."""

    run: "pd.Series[Any]"
    trials: pd.DataFrame
    trainings: pd.DataFrame
    epochs: pd.DataFrame
    summary: pd.DataFrame


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
    """The published runs, oldest first; empty if there are none."""
    parts = sorted((results.tables / "runs").glob("run=*/part-0.parquet"))
    if not parts:
        return pd.DataFrame(schema_of("runs").empty_table().to_pandas())
    runs = pa.concat_tables([_read(part) for part in parts], promote_options="default").to_pandas()
    return pd.DataFrame(runs).sort_values("started_at", ignore_index=True)


def read_run(results: Results, run_id: str | None = None) -> RunFrames:
    """One published run; the latest if none is named.

    Raises:
        InputError: no such run is published.
    """
    runs = list_runs(results)
    chosen = runs if run_id is None else runs[runs["run_id"] == run_id]
    if chosen.empty:
        known = ", ".join(runs["run_id"].tail(3)) or "none yet; `study run` makes one"
        wanted = "no run" if run_id is None else f"run {run_id!r} is not"
        raise InputError(f"{wanted} published in {results.tables}; latest: {known}")
    run = chosen.iloc[-1]
    frames = [_read_table(results, table, str(run["run_id"])) for table in _BODY]
    return RunFrames(run, *frames)


def _part(results: Results, table: str, run_id: str) -> Path:
    # An id may come from a table's content: it must not lead out of the results folder.
    if not _RUN_ID.fullmatch(run_id):
        raise InputError(f"run {run_id!r} in {results.tables} is no run's id; remove its row in `runs`")
    return results.tables / table / f"run={run_id}" / "part-0.parquet"


def _read_table(results: Results, table: str, run_id: str) -> pd.DataFrame:
    """A run's rows of a table with today's columns; what its version did not have yet is null or empty."""
    part, schema = _part(results, table, run_id), schema_of(table)
    if table == "trainings" and not part.exists():  # runs before schema 1.1.0
        return pd.DataFrame(schema.empty_table().to_pandas())
    tables = [_read(part), schema.empty_table()]
    return pd.DataFrame(pa.concat_tables(tables, promote_options="default").to_pandas())


def _read(path: Path) -> pa.Table:
    # Read as a file: the folder's `run=` partition would add a column that repeats run_id.
    return pq.ParquetFile(path).read()


def _write(results: Results, table: str, run_id: str, rows: Sequence[Row]) -> None:
    schema = schema_of(table)
    extra = set().union(*(row.keys() for row in rows)) - set(schema.names) if rows else set()
    if extra:
        raise ValueError(f"table {table}: columns {sorted(extra)} are not in its schema")
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=schema), content)
    write_atomically(_part(results, table, run_id), content.getvalue())
