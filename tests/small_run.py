"""The tables of a small run, as rows to publish."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import pandas as pd

from storage.tables import RunTables
from study.spec import Study
from study.study_file import read_study
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
    runs, *rest = ([{**row, "run_id": run_id} for row in _rows(frame)] for frame in frames)
    return RunTables({**runs[0], "started_at": started}, *rest)


def make_small_night(verdicts: Mapping[int, str] | None = None, run_id: str = RUN_ID) -> list[dict[str, Any]]:
    """Rows of the table `nights`, by exercise; none given: exercise 4 was identical."""
    return _rows(make_nights(verdicts or {4: "identical"}, run_id))


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
