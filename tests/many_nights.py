"""Many nights to publish: the tables of one simulated run, its readings off a little, anew every night.

Unlike true nights on one machine, no two have a weight or a reading in common: the most that files can hold.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import numpy as np

from storage.tables.published import AnyRow, RunTables
from storage.tables.rows_of_work import TrialRow
from study.spec.study import Study
from study.status import NightVerdict, RunStatus, Status
from tests.rows import make_lab_tables, make_nights
from tests.small_run import changed

_MOVED = ("difference", "low", "high")
_NOT_MOVED = ("published_accuracy", "sd_accuracy", "target_accuracy")


class ManyNights:
    """Nights of one study; what is the same every night is made once."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._tables = make_lab_tables(study)

    def run_id(self, started: datetime) -> str:
        """The id of a night's run, such as `20240101T020000Z-lab-0000abcd`."""
        return f"{started:%Y%m%dT%H%M%SZ}-{self._study.name}-0000abcd"

    def make(
        self,
        started: datetime,
        bits: str = "",
        verdict: NightVerdict = NightVerdict.SAME,
        failed: Sequence[int] = (),
        reused: int = 0,
    ) -> RunTables:
        """The tables of a night.

        Args:
            started: When it started; draws its readings, too.
            bits: What decides its weights; nothing: as no other night's.
            verdict: Of every exercise, against the nights before.
            failed: Numbers of trials that failed, from 0.
            reused: So many trainings, the first, are read from earlier runs.
        """
        run_id = self.run_id(started)
        drawn = _Drawn(run_id, bits or run_id, np.random.default_rng(int(started.timestamp())))
        tables = self._tables
        run = changed(
            tables.run,
            status=RunStatus.WITH_FAILURES if failed else RunStatus.COMPLETED,
            failed_trials=len(failed),
            started_at=started,
            finished_at=started + timedelta(minutes=42),
            reused_trainings=reused,
            trigger="schedule",
            lock_sha256=sha256(f"{started:%Y}".encode()).hexdigest(),
        )
        trials = [_fail(row) if at in failed else row for at, row in enumerate(drawn.move(tables.trials))]
        trainings = [
            changed(row, **_REUSED) if at < reused else row
            for at, row in enumerate(drawn.move(tables.trainings))
        ]
        verdicts = dict.fromkeys(sorted({row.exercise for row in tables.summary}), verdict)
        nights = [changed(row, study=self._study.name) for row in make_nights(verdicts, run_id)]
        return RunTables(
            drawn.move([run])[0], trials, trainings, drawn.move(tables.epochs), drawn.move(tables.summary),
            nights=drawn.move(nights), comparisons=drawn.move(tables.comparisons),
            agreement=drawn.move(tables.agreement),
        )  # fmt: skip


class _Drawn:
    """What is drawn anew for one night."""

    def __init__(self, run_id: str, bits: str, random: np.random.Generator) -> None:
        self._run_id, self._bits, self._random = run_id, bits, random

    def move(self, rows: Sequence[AnyRow]) -> list[AnyRow]:
        """These rows as this night's: accuracies off by some 0.2 points, times by some 2%, other weights."""
        shifts = self._random.normal(0, 0.002, len(rows)).tolist()
        factors = self._random.uniform(0.96, 1.04, len(rows)).tolist()
        return [self._row(*each) for each in zip(rows, shifts, factors, strict=True)]

    def _row(self, row: AnyRow, shift: float, factor: float) -> AnyRow:
        moved: dict[str, Any] = {"run_id": self._run_id}
        for name, value in row:
            if name == "weights_sha256" and value:
                moved[name] = sha256(f"{self._bits} {value}".encode()).hexdigest()
            elif name == "trained_by" and value:
                moved[name] = self._run_id
            elif not isinstance(value, float):
                continue
            elif name in _MOVED or (name.endswith("_accuracy") and name not in _NOT_MOVED):
                moved[name] = value + shift
            elif name == "seconds" or name.endswith("_seconds") or name.endswith("_loss"):
                moved[name] = value * factor
        return changed(row, **moved)


_REUSED = {"reused": True, "attempts": 0, "lane_seconds": 0.0, "predicted_seconds": 0.0}
_ASKED = {"value", "patience", "git_commit"}
"""The columns of a trial that may be null, and are known of a failed one."""


def _fail(row: TrialRow) -> TrialRow:
    missing = {name for name, field in TrialRow.model_fields.items() if not field.is_required()} - _ASKED
    failed = {"status": Status.FAILED, "reason": "KilledWorker: lane 0 died 4 times", "attempts": 4}
    return changed(row, **dict.fromkeys(missing) | failed)
