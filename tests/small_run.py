"""The tables of a small run, as rows to publish."""

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import pandas as pd

from storage.tables.published import RunTables
from study.spec.study import Study
from study.spec.study_file import read_study
from tests.frames import (
    RUN_ID,
    STARTED_AT,
    make_epochs,
    make_nights,
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
    frames = (run.to_frame().T, trials, make_trainings(study), make_epochs(study), make_summary(trials))
    tables = tables_of(*frames, run_id=run_id)
    return dataclasses.replace(tables, run={**tables.run, "started_at": started})


def tables_of(*frames: pd.DataFrame, run_id: str = RUN_ID) -> RunTables:
    """The rows of these frames, in the order of `RunTables`, as a run of this id."""
    runs, *rest = ([{**row, "run_id": run_id} for row in rows_of(frame)] for frame in frames)
    return RunTables(runs[0], *rest)


def make_small_night(verdicts: Mapping[int, str] | None = None, run_id: str = RUN_ID) -> list[dict[str, Any]]:
    """Rows of the table `nights`, by exercise; none given: exercise 4 was identical."""
    return rows_of(make_nights(verdicts or {4: "identical"}, run_id))


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame as rows to publish."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
