"""The values in a sweep's figures: plain percent and epochs, computed without drawing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from storage.tables import SummaryRow, TrialRow
from study.spec import Cell, PublishedAverage, SweepExercise

FAR_POINTS = 20.0
FAR_TIMES = 2.0


@dataclass(frozen=True)
class AccuracyPoint:
    """One setting's accuracies in percent; None where there is none."""

    value: float
    readings: tuple[float, ...] = ()
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    published: float | None = None
    failed: int = 0

    def below(self, floor: float) -> tuple[float, ...]:
        """Return the readings under a floor, in percent."""
        return tuple(reading for reading in self.readings if reading < floor)


@dataclass(frozen=True)
class ConvergencePoint:
    """One setting's epochs of convergence, and the lowest-loss epochs of trials that did not converge.

    The median counts those as later ones; None where too few converged.
    """

    value: float
    converged: tuple[int, ...] = ()
    still_open: tuple[int, ...] = ()
    median: float | None = None

    @property
    def trials(self) -> int:
        """Count the completed trials."""
        return len(self.converged) + len(self.still_open)


@dataclass(frozen=True)
class AccuracyAxis:
    """The span of the accuracy axis in percent; readings under `floor` are marked at its lower edge."""

    low: float
    high: float
    floor: float


def accuracy_points(
    exercise: SweepExercise,
    trials: Sequence[TrialRow],
    summary: Sequence[SummaryRow],
    averages: dict[Cell, PublishedAverage],
) -> list[AccuracyPoint]:
    """Return a point for each setting of the exercise, by rising value, measured or not."""
    points = []
    for value, rows, found in _settings(exercise, trials, summary):
        published = averages.get((exercise.number, value))
        shown = _percent(published.accuracy) if published else None
        if found is None:
            points.append(AccuracyPoint(value, published=shown))
            continue
        readings = tuple(100 * row.test_accuracy for row in rows if row.test_accuracy is not None)
        ends = _percent(found.low_accuracy), _percent(found.high_accuracy)
        mean = _percent(found.mean_accuracy)
        points.append(AccuracyPoint(value, readings, mean, *ends, shown, found.failed_trials))
    return points


def convergence_points(
    exercise: SweepExercise, trials: Sequence[TrialRow], summary: Sequence[SummaryRow]
) -> list[ConvergencePoint]:
    """Return a point for each setting of the exercise, by rising value, measured or not."""
    return [
        ConvergencePoint(
            value,
            tuple(row.convergence_epoch for row in rows if row.convergence_epoch is not None),
            tuple(
                row.lowest_loss_epoch
                for row in rows
                if row.convergence_epoch is None and row.lowest_loss_epoch is not None
            ),
            None if found is None else found.kaplan_meier_convergence_epoch,
        )
        for value, rows, found in _settings(exercise, trials, summary)
    ]


def _settings(
    exercise: SweepExercise, trials: Sequence[TrialRow], summary: Sequence[SummaryRow]
) -> list[tuple[float, list[TrialRow], SummaryRow | None]]:
    """Return each value, rising, with its trials by repeat, and their summary if there are any."""
    ours = sorted((row for row in trials if row.exercise == exercise.number), key=lambda row: row.repeat)
    found = {row.value: row for row in summary if row.exercise == exercise.number}
    return [
        (value, [row for row in ours if row.value == value], found.get(value))
        for value in sorted(exercise.levels)
    ]


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


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
