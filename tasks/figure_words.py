"""Captions and alt texts of the figures of a sweep."""

from collections.abc import Sequence

from study.bands import Cell
from study.exercises import SweepExercise
from study.published import PublishedAverage
from study.spec import Study
from study.stopping import CONVERGENCE_PATIENCE
from tasks.figure_points import AccuracyPoint, TimePoint, accuracy_axis
from tasks.parameter_axis import ParameterAxis


def accuracy_words(
    study: Study,
    exercise: SweepExercise,
    axis: ParameterAxis,
    points: Sequence[AccuracyPoint],
    averages: dict[Cell, PublishedAverage],
) -> tuple[str, str]:
    """Caption and alt text of the accuracy figure."""
    counts = [len(point.readings) for point in points]
    sentences = [
        f"Test accuracy against the {axis.noun}, protocol {study.protocol}.",
        f"Dots: single readings ({count_text(counts)}), moved sideways only to be told apart.",
        "Squares: their mean; error bars: the 95% confidence interval of the mean (Student's t).",
        *_interval_notes(points, counts),
        *_published_notes(study, exercise, averages),
        *_below_notes(points),
        *_failed_notes(points),
    ]
    means = ", ".join(f"{point.mean:.1f}% at {point.value:g}" for point in points if point.mean is not None)
    alt = f"Chart of test accuracy against the {axis.noun}. Means: {means}."
    return " ".join(sentences), alt


def time_words(study: Study, axis: ParameterAxis, points: Sequence[TimePoint]) -> tuple[str, str]:
    """Caption and alt text of the time figure."""
    converged = sum(len(point.convergence) for point in points)
    total = sum(len(point.training) for point in points)
    counts = count_text([len(point.training) for point in points])
    rule = f"fell to its lowest and then not for {CONVERGENCE_PATIENCE} epochs"
    convergence = (
        "Triangles: convergence time, the training time up to the lowest validation loss, "
        f"of the {converged} of {total} trials whose validation loss {rule}."
    )
    if not converged:
        convergence = f"No convergence time is shown: in none of {total} trials the validation loss {rule}."
    sentences = [
        f"Seconds of training against the {axis.noun}: training steps only, without validation, compiling",
        f"and warm-up. Dots: single trials ({counts}), moved sideways only to be told apart; squares: their",
        "mean; there are no error bars.",
        convergence,
        "Seconds hold for the machine they were taken on.",
        "The published times are not training times in any unit and are not shown."
        if study.published
        else "",
    ]
    caption = " ".join(sentences).rstrip()
    means = ", ".join(f"{point.mean:.3g} s at {point.value:g}" for point in points if point.mean is not None)
    alt = (
        f"Chart of training time against the {axis.noun}. Means: {means}. "
        f"{converged} of {total} trials converged."
    )
    return caption, alt


def count_text(counts: Sequence[int]) -> str:
    """How many readings stand behind each setting: "n = 4 a setting", or from the fewest to the most."""
    low, high = min(counts), max(counts)
    return f"n = {low} a setting" if low == high else f"n = {low} to {high} a setting"


def _interval_notes(points: Sequence[AccuracyPoint], counts: Sequence[int]) -> list[str]:
    notes = []
    if 1 in counts:
        notes.append("A single reading bears no interval.")
    span = accuracy_axis(points)
    bars = [point for point in points if not point.below(span.floor)]
    ends = [end for point in bars for end in (point.low, point.high) if end is not None]
    if any(not span.low <= end <= span.high for end in ends):
        notes.append("An error bar that meets the edge goes on beyond it.")
    return notes


def _published_notes(
    study: Study, exercise: SweepExercise, averages: dict[Cell, PublishedAverage]
) -> list[str]:
    cells = [(exercise.number, value) for value in sorted(exercise.values)]
    shown = [averages[cell] for cell in cells if cell in averages]
    if not shown:
        return []
    source = f" ({study.published.averages.name})" if study.published else ""
    counts = sorted({each.readings for each in shown if each.readings is not None and each.readings > 1})
    over = f", each over {' or '.join(map(str, counts))} readings" if counts else ""
    notes = [f"Hollow diamonds: averages printed in the published report{source}{over}."]
    notes += [
        f"The published value at {each.value:g} is a single reading." for each in shown if each.readings == 1
    ]
    if all(each.readings is None for each in shown):
        notes.append("The report does not say how many readings they average.")
    return notes


def _below_notes(points: Sequence[AccuracyPoint]) -> list[str]:
    floor = accuracy_axis(points).floor
    below = [_below_text(point, floor) for point in points if point.below(floor)]
    if not below:
        return []
    return [
        f"Triangles at the lower edge: readings far below the rest, off the axis ({'; '.join(below)}). Where "
        "there are any, mean and interval are not drawn."
    ]


def _below_text(point: AccuracyPoint, floor: float) -> str:
    readings = ", ".join(f"{each:.1f}%" for each in point.below(floor))
    mean = "" if point.mean is None else f", mean {point.mean:.1f}%"
    interval = "" if point.low is None else f", 95% interval {point.low:.1f} to {point.high:.1f}%"
    return f"at {point.value:g}: {readings}{mean}{interval}"


def _failed_notes(points: Sequence[AccuracyPoint]) -> list[str]:
    failed = [f"{point.failed} at {point.value:g}" for point in points if point.failed]
    return [f"Failed trials, not drawn: {', '.join(failed)}."] if failed else []
