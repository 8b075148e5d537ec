"""Publish and read the Parquet tables: a run is visible once its row in `runs` is, which is written last."""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa

from storage.results import Results, exists, remove_path, write_atomically
from storage.tables.parts import Row, encode_part, list_published, part_path, read_part, read_parts
from storage.tables.schema import TABLES, schema_of
from study.errors import InputError
from study.wording import shown

logger = logging.getLogger(__name__)

BODY = tuple(table for table in TABLES if table != "runs")
"""The tables of a run that are written before its row in `runs`, in the order of `RunFrames`."""


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

    Tables that an interrupted attempt has published become a run only when this attempt is complete.

    Raises:
        ValueError: a row has a column that its table has not; nothing was written.
        pyarrow.ArrowInvalid: a row does not fit the schema; nothing was written.
        OSError: the disk is full or the folder cannot be written to; the run stays invisible.
    """
    run_id = str(tables.run["run_id"])
    parts = {table: encode_part(table, getattr(tables, table)) for table in BODY}
    parts["runs"] = encode_part("runs", [tables.run])
    paths = {table: part_path(results, table, run_id) for table in parts}
    remove_path(paths["runs"])
    for table, part in parts.items():
        write_atomically(paths[table], part)


def list_runs(results: Results) -> pd.DataFrame:
    """List the published runs, oldest first; empty if there are none.

    We skip a run whose row cannot be read, with a warning: one damaged file must not hide the others.

    Raises:
        InputError: there are runs, and none of their rows can be read.
    """
    rows, errors = [], []
    for _, part in read_parts(results, "runs", list_published(results)):
        if isinstance(part, InputError):
            errors.append(part)
        elif part is not None:
            rows.append(part)
    if errors and not rows:
        raise errors[-1]
    for damage in errors:
        logger.warning("%s; skipping this run", damage)
    runs = pd.DataFrame(pa.concat_tables([*rows, schema_of("runs").empty_table()]).to_pandas())
    return runs.sort_values("started_at", ignore_index=True)


def read_run(results: Results, run_id: str | None = None) -> RunFrames:
    """Read one published run; if none is named, the latest that can be read.

    Raises:
        InputError: no such run is published, or one of its files is missing or damaged.
    """
    # We look only among existing runs: an id that is a path to somewhere else is not a run. We open no files
    # of other runs, so a damaged file hinders only its own run.
    is_there = run_id is not None and run_id in list_published(results)
    chosen = (
        read_part(part_path(results, "runs", str(run_id)), "runs").to_pandas() if is_there else pd.DataFrame()
    )
    runs = list_runs(results) if chosen.empty else chosen
    if runs.empty or (run_id is not None and chosen.empty):
        known = ", ".join(runs["run_id"].tail(3)) or "none yet; `study run` makes one"
        wanted = "no run" if run_id is None else f"run {shown(run_id)} is not"
        raise InputError(f"{wanted} published in {results.tables}; latest: {known}")
    run = runs.iloc[-1]
    parts = [read_part(part_path(results, table, str(run["run_id"])), table) for table in BODY]
    return RunFrames(run, *(pd.DataFrame(part.to_pandas()) for part in parts))


def read_rows(
    results: Results, table: str, run_ids: Sequence[str], columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read the rows of one table for many published runs, in the order of the runs; see `list_runs`.

    We skip a run whose file is missing or damaged, with a warning.

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
    for run_id, part in read_parts(results, table, run_ids, schema):
        if part is None:
            part = InputError(
                f"{part_path(results, table, run_id)}: no such file, though the run was published"
            )
        if isinstance(part, InputError):
            logger.warning("%s; skipping this run", part)
        else:
            rows.append(part)
    return pd.DataFrame(pa.concat_tables(rows).to_pandas())


def is_published(results: Results, run_id: str) -> bool:
    """Say whether a run has its row in `runs`."""
    return exists(part_path(results, "runs", run_id))


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame, missing values as None."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


OF_RUN = ["run_id", "study", "protocol", "status", "started_at", "wall_seconds", "failed_trials"]
"""The columns of each row that describe its run."""


def list_nights(results: Results, study: str | None = None) -> pd.DataFrame:
    """List the rows of `nights` with columns `OF_RUN` of their runs, by start of the run and exercise.

    The run's failed trials are `run_failed_trials`.

    Args:
        results: Where the tables lie.
        study: Only this study's.

    Raises:
        InputError: there are runs, and none of their rows can be read.
    """
    runs = list_runs(results)
    if study is not None:
        runs = runs[runs["study"] == study]
    rows = read_rows(results, "nights", runs["run_id"].tolist()).drop(columns="study")
    of_run = runs[OF_RUN].rename(columns={"failed_trials": "run_failed_trials"})
    joined = of_run.merge(rows, on="run_id")
    return joined.sort_values(["started_at", "run_id", "exercise"], ignore_index=True)
