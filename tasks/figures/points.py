"""The values in a sweep's figures: plain percent and seconds, computed without drawing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from study.spec import Cell, PublishedAverage, SweepExercise
from study.status import Status

FAR_POINTS = 20.0
FAR_TIMES = 2.0
LONG_RANGE = 10.0


@dataclass(frozen=True)
class AccuracyPoint:
    """One setting's accuracies in percent; None where there is none."""

    value: float
    readings: tuple[float, ...]
    mean: float | None
    low: float | None
    high: float | None
    published: float | None
    failed: int

    def below(self, floor: float) -> tuple[float, ...]:
        """Return the readings under a floor, in percent."""
        return tuple(reading for reading in self.readings if reading < floor)


@dataclass(frozen=True)
class TimePoint:
    """One setting's times in seconds: training of completed trials, convergence of those that converged."""

    value: float
    training: tuple[float, ...]
    mean: float | None
    convergence: tuple[float, ...]

    @property
    def outcome(self) -> str:
        """Say how many of the completed trials converged."""
        return f"{len(self.convergence)} of {len(self.training)}" if self.training else "no trial"


@dataclass(frozen=True)
class AccuracyAxis:
    """The span of the accuracy axis in percent; readings under `floor` are marked at its lower edge."""

    low: float
    high: float
    floor: float


def accuracy_points(
    exercise: SweepExercise,
    trials: pd.DataFrame,
    summary: pd.DataFrame,
    averages: dict[Cell, PublishedAverage],
) -> list[AccuracyPoint]:
    """Return a point for each setting of the exercise, by rising value, measured or not."""
    points = []
    for value in sorted(exercise.values):
        ours = _of_setting(summary, exercise, value)
        row = ours.iloc[0] if len(ours) else None
        published = averages.get((exercise.number, value))
        points.append(
            AccuracyPoint(
                value=value,
                readings=_readings(_of_setting(trials, exercise, value), "test_accuracy", 100),
                mean=_number(row, "mean_accuracy", 100),
                low=_number(row, "low_accuracy", 100),
                high=_number(row, "high_accuracy", 100),
                published=None if published is None else published.accuracy_pct,
                failed=int(_number(row, "failed_trials") or 0),
            )
        )
    return points


def time_points(exercise: SweepExercise, trials: pd.DataFrame, summary: pd.DataFrame) -> list[TimePoint]:
    """Return a point for each setting of the exercise, by rising value, measured or not."""
    points = []
    for value in sorted(exercise.values):
        ours = _of_setting(summary, exercise, value)
        rows = _of_setting(trials, exercise, value)
        points.append(
            TimePoint(
                value=value,
                training=_readings(rows, "training_seconds"),
                mean=_number(ours.iloc[0] if len(ours) else None, "mean_training_seconds"),
                convergence=_readings(rows, "convergence_seconds"),
            )
        )
    return points


def accuracy_axis(points: Sequence[AccuracyPoint]) -> AccuracyAxis:
    """Return the span of the readings (without those far below) and the published averages.

    Error bars are shown whole up to one more span on either side: the interval of two readings may be wider
    than that, and then runs off the axis. A setting with a reading far below has no bar.
    """
    readings = [reading for point in points for reading in point.readings]
    floor = readings_floor(readings)
    shown = [reading for reading in readings if reading >= floor]
    shown += [point.published for point in points if point.published is not None]
    if not shown:
        return AccuracyAxis(0.0, 100.0, floor)
    low, high = min(shown), max(shown)
    span = max(high - low, 1.0)
    lows = [each.low for each in points if each.low is not None and not each.below(floor)]
    highs = [each.high for each in points if each.high is not None and not each.below(floor)]
    low = max(min([low, *lows]), low - span)
    high = min(max([high, *highs]), high + span)
    margin = 0.06 * max(high - low, 1.0)
    low, high = max(low - margin, 0.0), min(high + margin, 100.0)
    below = [reading for reading in readings if reading < floor]
    if below:  # room for the marks at the lower edge, which must stay above the readings they stand for
        low = max(low - 0.3 * (high - low), max(below))
    return AccuracyAxis(low, high, floor)


def readings_floor(readings: Sequence[float]) -> float:
    """Return the lowest reading (percent) that is not far below the rest; minus infinity if there are none.

    Readings are far below when they are fewer than half and the gap over them exceeds both 20 points and
    twice the range of all readings above it: drawn to scale, the others would share a third of the axis.
    """
    ordered = sorted(readings)
    for count in range(1, (len(ordered) + 1) // 2):
        gap = ordered[count] - ordered[count - 1]
        if gap > max(FAR_POINTS, FAR_TIMES * (ordered[-1] - ordered[count])):
            return ordered[count]
    return ordered[0] if ordered else -math.inf


def needs_log_axis(points: Sequence[TimePoint]) -> bool:
    """Say whether the times range over more than a factor of ten."""
    times = [each for point in points for each in (*point.training, *point.convergence)]
    return bool(times) and min(times) > 0 and max(times) > LONG_RANGE * min(times)


def _of_setting(frame: pd.DataFrame, exercise: SweepExercise, value: float) -> pd.DataFrame:
    return frame[(frame["exercise"] == exercise.number) & (frame["value"] == value)]


def _readings(rows: pd.DataFrame, column: str, factor: float = 1) -> tuple[float, ...]:
    done = rows[rows["status"] == Status.COMPLETED].sort_values("repeat")
    return tuple(float(each) * factor for each in done[column].dropna())


def _number(row: "pd.Series[Any] | None", column: str, factor: float = 1) -> float | None:
    if row is None or pd.isna(row[column]):
        return None
    return float(row[column]) * factor
