"""The tables of a small run, as rows to publish."""

import dataclasses
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from typing import Any

from storage.tables.published import AnyRow, RunTables
from study.spec.study import Study
from study.spec.study_file import read_study
from tests.rows import (
    RUN_ID,
    STARTED_AT,
    make_epochs,
    make_run,
    make_summary,
    make_trainings,
    make_trials,
)


@cache
def make_small_study() -> Study:
    """The lab study's exercise on the number of epochs: twenty trials, four trainings."""
    return read_study("lab").only(frozenset({4}))


def make_tables(run_id: str = RUN_ID, failed: Iterable[tuple[int, float, int]] = ()) -> RunTables:
    """The tables of a small run; later runs have later names."""
    study = make_small_study()
    trials = make_trials(study, failed=list(failed))
    run = make_run(study, trials)
    started = STARTED_AT + timedelta(days=run_id > RUN_ID)
    tables = RunTables(run, trials, make_trainings(study), make_epochs(study), make_summary(trials))
    return with_run_id(dataclasses.replace(tables, run=changed(run, started_at=started)), run_id)


def with_run_id(tables: RunTables, run_id: str) -> RunTables:
    """These tables as those of another run."""
    rest = {
        field.name: [changed(row, run_id=run_id) for row in getattr(tables, field.name)]
        for field in dataclasses.fields(tables)
        if field.name != "run"
    }
    return RunTables(changed(tables.run, run_id=run_id), **rest)


def changed(row: AnyRow, **values: Any) -> AnyRow:
    """A row with other values in some columns."""
    return row.model_copy(update=values)
