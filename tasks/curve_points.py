"""What the learning curves of a sweep plot: plain values in percent and nats, computed without drawing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from study.exercises import SweepExercise
from study.spec import Study
from tasks.figure_points import LONG_RANGE, readings_floor

Lines = tuple[tuple[float, ...], ...]
"""A value for each epoch, from the first, of each training; trainings may differ in length."""

_SHOWN_LOSS = 100.0
"""Losses are held to the rule of accuracies in percent: 0.2 nats are far, as 20 points are."""


@dataclass(frozen=True)
class SettingCurves:
    """The validation accuracies (percent) and losses (nats) that one setting's completed trials read."""

    value: float
    accuracies: Lines
    losses: Lines
    failed: int

    @property
    def reached(self) -> int:
        """The last epoch that every training reached; 0 without trainings."""
        return min((len(line) for line in self.losses), default=0)

    @property
    def longest(self) -> int:
        """The last epoch that any training reached; 0 without trainings."""
        return max((len(line) for line in self.losses), default=0)


@dataclass(frozen=True)
class Span:
    """Limits of an axis that leave out what is far from the rest, and whether it is logarithmic."""

    low: float
    high: float
    is_log: bool = False

    def leaves_out(self, line: Sequence[float]) -> bool:
        """Whether a line runs off the axis."""
        return any(not self.low <= each <= self.high for each in line)


def setting_curves(
    study: Study, exercise: SweepExercise, trials: pd.DataFrame, epochs: pd.DataFrame
) -> list[SettingCurves]:
    """The curves of each setting of an exercise, by rising value; those of the longest budget alone if all
    settings read prefixes of them.

    Args:
        study: The study the exercise belongs to.
        exercise: The exercise.
        trials: Rows of the `trials` table; those of other exercises are ignored.
        epochs: Rows of the `epochs` table, of the same run; each trial is given those that it read.
    """
    ours = trials[trials["exercise"] == exercise.number]
    all_curves = [
        _curves_of(value, ours[ours["value"] == value], epochs) for value in sorted(exercise.values)
    ]
    if exercise.reads_prefixes(study.baseline):
        return [each for each in all_curves if each.losses][-1:]
    return all_curves


def _curves_of(value: float, trials: pd.DataFrame, epochs: pd.DataFrame) -> SettingCurves:
    done = trials[trials["status"] == "completed"].sort_values("repeat")
    joined = done[["key", "repeat", "epochs_run"]].merge(
        epochs[["key", "epoch", "validation_accuracy", "validation_loss"]], on="key"
    )
    read = joined[joined["epoch"] <= joined["epochs_run"]].sort_values(["repeat", "epoch"])
    trainings = [rows for _, rows in read.groupby("repeat")]
    return SettingCurves(
        value,
        tuple(tuple((100 * rows["validation_accuracy"]).tolist()) for rows in trainings),
        tuple(tuple(rows["validation_loss"].tolist()) for rows in trainings),
        failed=int((trials["status"] == "failed").sum()),
    )


def mean_line(lines: Lines) -> list[float]:
    """The mean over all trainings of each epoch, as far as all of them reached.

    Not further: a mean over those still training would be one of other trainings, which early stopping chose.
    """
    return [math.fsum(values) / len(lines) for values in zip(*lines, strict=False)]


def accuracy_span(curves: Sequence[SettingCurves]) -> Span:
    """The span of accuracies in percent, by the rule of `readings_floor`."""
    readings = [each for setting in curves for line in setting.accuracies for each in line]
    floor = readings_floor(readings)
    low, high = floor, max(readings)
    margin = 0.04 * max(high - low, 1.0)
    return Span(max(low - margin, 0.0), min(high + margin, 100.0))


def loss_span(curves: Sequence[SettingCurves]) -> Span:
    """The span of losses in nats, by the same rule upside down; a log scale beyond a factor of ten."""
    readings = [each for setting in curves for line in setting.losses for each in line]
    high = -readings_floor([-_SHOWN_LOSS * each for each in readings]) / _SHOWN_LOSS
    low = min(readings)
    if low > 0 and high > LONG_RANGE * low:
        return Span(low / 1.1, high * 1.1, is_log=True)
    margin = 0.04 * max(high - low, 0.02)
    return Span(max(low - margin, 0.0), high + margin)
