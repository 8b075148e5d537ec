"""Many nights to publish: the tables of one simulated run, its readings off a little, anew every night.

Unlike true nights on one machine, no two have a weight or a reading in common: the most that files can hold.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import numpy as np

from storage.tables.parts import Row
from storage.tables.published import RunTables
from study.spec.study import Study
from tests.frames import (
    make_agreement,
    make_comparisons,
    make_epochs,
    make_nights,
    make_run,
    make_summary,
    make_trainings,
    make_trials,
)
from tests.small_run import rows_of

_MOVED = ("difference", "low", "high")
_NOT_MOVED = ("published_accuracy", "sd_accuracy", "target_accuracy")


class ManyNights:
    """Nights of one study; what is the same every night is made once."""

    def __init__(self, study: Study) -> None:
        trials = make_trials(study)
        self._study = study
        self._run = rows_of(make_run(study, trials).to_frame().T)[0]
        self._trials = rows_of(trials)
        self._trainings = rows_of(make_trainings(study))
        self._epochs = rows_of(make_epochs(study))
        self._summary = rows_of(make_summary(trials))
        self._comparisons = rows_of(make_comparisons(study, trials))
        self._agreement = rows_of(make_agreement(study, trials))

    def run_id(self, started: datetime) -> str:
        """The id of a night's run, such as `20240101T020000Z-lab-0000abcd`."""
        return f"{started:%Y%m%dT%H%M%SZ}-{self._study.name}-0000abcd"

    def make(
        self,
        started: datetime,
        bits: str = "",
        verdict: str = "same within noise",
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
        exercises = sorted({row["exercise"] for row in self._summary})
        trials = [_fail(row) if at in failed else row for at, row in enumerate(drawn.move(self._trials))]
        run = self._run | {
            "status": "completed with failures" if failed else "completed",
            "failed_trials": len(failed),
            "started_at": started,
            "finished_at": started + timedelta(minutes=42),
            "reused_trainings": reused,
            "trigger": "schedule",
            "lock_sha256": sha256(f"{started:%Y}".encode()).hexdigest(),
        }
        return RunTables(
            run=drawn.move([run])[0],
            trials=trials,
            trainings=[
                _reuse(row) if at < reused else row for at, row in enumerate(drawn.move(self._trainings))
            ],
            epochs=drawn.move(self._epochs),
            summary=drawn.move(self._summary),
            nights=[
                row | {"study": self._study.name}
                for row in drawn.move(rows_of(make_nights(dict.fromkeys(exercises, verdict), run_id)))
            ],
            comparisons=drawn.move(self._comparisons),
            agreement=drawn.move(self._agreement),
        )


class _Drawn:
    """What is drawn anew for one night."""

    def __init__(self, run_id: str, bits: str, random: np.random.Generator) -> None:
        self._run_id, self._bits, self._random = run_id, bits, random

    def move(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """These rows as this night's: accuracies off by some 0.2 points, times by some 2%, other weights."""
        shifts = self._random.normal(0, 0.002, len(rows)).tolist()
        factors = self._random.uniform(0.96, 1.04, len(rows)).tolist()
        return [self._row(*each) for each in zip(rows, shifts, factors, strict=True)]

    def _row(self, row: Row, shift: float, factor: float) -> dict[str, Any]:
        moved: dict[str, Any] = {**row, "run_id": self._run_id}
        for name, value in row.items():
            if not isinstance(value, float):
                continue
            if name in _MOVED or (name.endswith("_accuracy") and name not in _NOT_MOVED):
                moved[name] = value + shift
            elif name == "seconds" or name.endswith("_seconds") or name.endswith("_loss"):
                moved[name] = value * factor
        if row.get("weights_sha256"):
            moved["weights_sha256"] = sha256(f"{self._bits} {row['weights_sha256']}".encode()).hexdigest()
        if row.get("trained_by"):
            moved["trained_by"] = self._run_id
        return moved


_ASKED = ("run_id", "study", "exercise", "parameter", "value", "setting", "repeat", "seed", "protocol", "key")
_CIRCUMSTANCES = (
    "reused", "data_fingerprint", "held_out_images", "model_version", "engine", "git_commit", "versions"
)  # fmt: skip
_HYPERPARAMETERS = (
    "filters", "kernel_size", "dense_units", "dropout", "learning_rate", "momentum", "batch_size", "epochs",
    "patience", "schedule", "augmentation", "averaging",
)  # fmt: skip


def _fail(row: Row) -> dict[str, Any]:
    kept = {name: row[name] for name in (*_ASKED, *_CIRCUMSTANCES, *_HYPERPARAMETERS)}
    return kept | {"status": "failed", "reason": "KilledWorker: lane 0 died 4 times", "attempts": 4}


def _reuse(row: Row) -> dict[str, Any]:
    return {**row, "reused": True, "attempts": 0, "lane_seconds": 0.0, "predicted_seconds": 0.0}
