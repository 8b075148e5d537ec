"""Write the tables of a run, and read them back.

A run is part of the tables if its row in `runs` is, which is written last.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from storage.results import Results, exists, remove_path, write_atomically
from storage.tables.parts import encode_part, list_published, list_rows, part_path, read_part, read_parts
from storage.tables.row import AnyRow, Row
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
from study.errors import InputError
from study.wording import shown

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunTables:
    """The rows of one run: one in `runs`, and those of every other table by its name."""

    run: RunRow
    trials: Sequence[TrialRow]
    trainings: Sequence[TrainingRow]
    epochs: Sequence[EpochRow]
    summary: Sequence[SummaryRow]
    nights: Sequence[NightRow] = ()
    comparisons: Sequence[ComparisonRow] = ()
    agreement: Sequence[AgreementRow] = ()
    models: Sequence[ModelRow] = ()
    pictures: Sequence[PictureRow] = ()
    search: Sequence[SearchRow] = ()
    finals: Sequence[FinalRow] = ()


TABLES: dict[str, type[Row]] = {
    kind.TABLE: kind
    for kind in ((get_args(each) or (each,))[0] for each in get_type_hints(RunTables).values())
}
"""The class of each table's rows, by the table's name."""

BODY = tuple(kind for kind in TABLES.values() if kind is not RunRow)
"""The kinds of rows of a run that are written before its row in `runs`, in the order of `RunTables`."""


def publish(results: Results, tables: RunTables) -> None:
    """Write the tables of a run, `runs` last.

    Tables that an interrupted attempt has published become a run only when this attempt is complete.

    Raises:
        OSError: the disk is full or the folder cannot be written to; the run stays invisible.
    """
    parts: dict[type[Row], bytes] = {kind: encode_part(kind, getattr(tables, kind.TABLE)) for kind in BODY}
    parts[RunRow] = encode_part(RunRow, [tables.run])
    paths = {kind: part_path(results, kind.TABLE, tables.run.run_id) for kind in parts}
    remove_path(paths[RunRow])
    for kind, part in parts.items():
        write_atomically(paths[kind], part)


def list_runs(results: Results) -> list[RunRow]:
    """List the published runs, oldest first.

    We skip a run whose row cannot be read, with a warning: one damaged file must not hide the others.

    Raises:
        InputError: there are runs, and none of their rows can be read.
    """
    runs, errors = [], []
    for run_id, part in read_parts(results, RunRow, list_published(results)):
        try:
            if isinstance(part, InputError):
                raise part
            if part is not None:
                runs += list_rows(RunRow, part, part_path(results, RunRow.TABLE, run_id))
        except InputError as error:
            errors.append(error)
    if errors and not runs:
        raise errors[-1]
    for damage in errors:
        logger.warning("%s; skipping this run", damage)
    return sorted(runs, key=lambda run: run.started_at)


def read_run(results: Results, run_id: str | None = None) -> RunTables:
    """Read one published run; if none is named, the latest that can be read.

    Raises:
        InputError: no such run is published, or one of its files is missing or damaged.
    """
    if run_id is not None:
        run = _named(results, run_id)
    elif runs := list_runs(results):
        run = runs[-1]
    else:
        raise InputError(f"no run published in {results.tables}; latest: none yet; `study run` makes one")
    body: dict[str, list[Any]] = {kind.TABLE: _read_file(results, kind, run.run_id) for kind in BODY}
    return RunTables(run, **body)


def _named(results: Results, run_id: str) -> RunRow:
    # We look only among existing runs: an id that is a path to somewhere else is not a run. We open no files
    # of other runs, so a damaged file hinders only its own run.
    if run_id in list_published(results) and (found := _read_file(results, RunRow, run_id)):
        return found[0]
    latest = ", ".join(run.run_id for run in list_runs(results)[-3:]) or "none yet; `study run` makes one"
    raise InputError(f"run {shown(run_id)} is not published in {results.tables}; latest: {latest}")


def _read_file(results: Results, kind: type[AnyRow], run_id: str) -> list[AnyRow]:
    path = part_path(results, kind.TABLE, run_id)
    return list_rows(kind, read_part(path, kind), path)


def read_rows(results: Results, kind: type[AnyRow], run_ids: Sequence[str]) -> list[AnyRow]:
    """Read the rows of one table for many published runs, in the order of the runs; see `list_runs`.

    We skip a run whose file is missing or damaged, with a warning. A kind with only some of the columns is
    quicker to read.
    """
    rows: list[AnyRow] = []
    for run_id, part in read_parts(results, kind, run_ids):
        try:
            if isinstance(part, InputError):
                raise part
            path = part_path(results, kind.TABLE, run_id)
            if part is None:
                raise InputError(f"{path}: no such file, though the run was published")
            rows += list_rows(kind, part, path)
        except InputError as damage:
            logger.warning("%s; skipping this run", damage)
    return rows


def is_published(results: Results, run_id: str) -> bool:
    """Say whether a run has its row in `runs`."""
    return exists(part_path(results, RunRow.TABLE, run_id))


def list_nights(results: Results, study: str | None = None) -> list[tuple[RunRow, NightRow]]:
    """List the rows of `nights`, each with its run, by start of the run and exercise.

    Raises:
        InputError: there are runs, and none of their rows can be read.
    """
    runs = {run.run_id: run for run in list_runs(results) if study in (None, run.study)}
    nights = [(runs[night.run_id], night) for night in read_rows(results, NightRow, list(runs))]
    return sorted(nights, key=lambda pair: (pair[0].started_at, pair[0].run_id, pair[1].exercise))
