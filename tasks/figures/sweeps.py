"""Draw the figures of a sweep: accuracy and convergence against its parameter, with captions."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from storage.tables import SummaryRow, TrialRow
from study.records import CONVERGENCE_PATIENCE
from study.spec import Cell, PublishedAverage, Study, SweepExercise
from study.wording import count, interval
from tasks.figures.points import (
    AccuracyPoint,
    ConvergencePoint,
    accuracy_axis,
    accuracy_points,
    convergence_points,
)
from tasks.figures.style import (
    BLUE,
    INK,
    VERMILLION,
    DrawnFigure,
    ParameterAxis,
    new_figure,
    parameter_axis,
    place_legend,
    save,
)


def accuracy_words(
    exercise: SweepExercise,
    axis: ParameterAxis,
    points: Sequence[AccuracyPoint],
    averages: dict[Cell, PublishedAverage],
) -> tuple[str, str]:
    """Return caption and alt text of the accuracy figure."""
    counts = [len(point.readings) for point in points]
    sentences = [
        f"Test accuracy; {count_text(counts)}.",
        *_interval_notes(points, counts),
        *_published_notes(exercise, averages),
        *_below_notes(axis, points),
        *failed_notes({axis.name(each.value): each.failed for each in points}),
    ]
    means = ", ".join(
        f"{point.mean:.1f}% at {axis.name(point.value)}" for point in points if point.mean is not None
    )
    return " ".join(sentences), f"Chart of test accuracy against the {axis.noun}. Means: {means}."


def convergence_words(axis: ParameterAxis, points: Sequence[ConvergencePoint]) -> tuple[str, str]:
    """Return caption and alt text of the convergence figure."""
    reached, trials = sum(len(each.converged) for each in points), sum(each.trials for each in points)
    caption = (
        f"Epoch of lowest validation loss, if it did not fall for {CONVERGENCE_PATIENCE} epochs after it; "
        f"{count_text([each.trials for each in points])}."
    )
    if reached < trials:
        caption += (
            f" Arrows: the {trials - reached} of {count(trials, 'trial')} that did not converge, from their "
            "lowest loss so far; medians count them as later."
        )
    medians = [f"{each.median:g} at {axis.name(each.value)}" for each in points if each.median is not None]
    alt = (
        f"Chart of the epoch of convergence against the {axis.noun}; {reached} of {trials} trials converged."
    )
    return caption, f"{alt} Medians: {', '.join(medians)}." if medians else alt


def count_text(counts: Sequence[int]) -> str:
    """Say how many readings each setting has: "n = 4 a setting", or from the fewest to the most."""
    low, high = min(counts), max(counts)
    return f"n = {low} a setting" if low == high else f"n = {low} to {high} a setting"


def _interval_notes(points: Sequence[AccuracyPoint], counts: Sequence[int]) -> list[str]:
    notes = []
    if 1 in counts:
        notes.append("A single reading has no interval.")
    span = accuracy_axis(points)
    bars = [point for point in points if not point.below(span.floor)]
    ends = [end for point in bars for end in (point.low, point.high) if end is not None]
    if any(not span.low <= end <= span.high for end in ends):
        notes.append("An error bar that meets the edge continues beyond it.")
    return notes


def _published_notes(exercise: SweepExercise, averages: dict[Cell, PublishedAverage]) -> list[str]:
    cells = [(exercise.number, value) for value in sorted(exercise.levels)]
    shown = [averages[cell] for cell in cells if cell in averages]
    if not shown:
        return []
    counts = sorted({each.readings for each in shown if each.readings is not None and each.readings > 1})
    notes = [f"Published averages: over {' or '.join(map(str, counts))} readings each."] if counts else []
    notes += [
        f"The published value at {exercise.label(each.value)} is a single reading."
        for each in shown
        if each.readings == 1
    ]
    if all(each.readings is None for each in shown):
        notes.append("The published report does not say over how many readings its averages are.")
    return notes


def _below_notes(axis: ParameterAxis, points: Sequence[AccuracyPoint]) -> list[str]:
    floor = accuracy_axis(points).floor
    below = [_below_text(axis, point, floor) for point in points if point.below(floor)]
    if not below:
        return []
    return [f"Triangles at the lower edge: readings far below the rest, off the axis ({'; '.join(below)})."]


def _below_text(axis: ParameterAxis, point: AccuracyPoint, floor: float) -> str:
    readings = ", ".join(f"{each:.1f}%" for each in point.below(floor))
    mean = "" if point.mean is None else f", mean {point.mean:.1f}%"
    within = ""
    if point.low is not None and point.high is not None:
        within = f", 95% interval {interval(point.low / 100, point.high / 100)}%"
    return f"at {axis.name(point.value)}: {readings}{mean}{within}"


def failed_notes(failed: Mapping[str, int]) -> list[str]:
    """Say how many trials failed, by a setting's name on the axis; nothing if none did."""
    told = [f"{number} at {name}" for name, number in failed.items() if number]
    return [f"Failed trials, not drawn: {', '.join(told)}."] if told else []


logger = logging.getLogger(__name__)

_HEIGHT = 3.6
_PUBLISHED = "published average"
# In each setting's column: readings left, mean in the middle, compared values right.
_LEFT, _RIGHT = -0.25, 0.25
_SPREAD = 0.26
_ALPHA = 0.55


def draw_sweep_figures(
    study: Study,
    exercise: SweepExercise,
    trials: Sequence[TrialRow],
    summary: Sequence[SummaryRow],
    averages: dict[Cell, PublishedAverage],
    folder: Path,
) -> list[DrawnFigure]:
    """Draw accuracy and convergence against the parameter of one exercise, each as PNG and SVG.

    A setting without a completed trial keeps its empty place; an exercise without any has no figure.
    Convergence is drawn if a trial converged, and not of a sweep that reads shorter budgets from the same
    trainings: its learning curves show it once. Rows of other exercises are ignored.

    Raises:
        OSError: the folder cannot be written to.
    """
    points = accuracy_points(exercise, trials, summary, averages)
    if not any(point.readings for point in points):
        logger.warning("exercise %d: no completed trial, no figures", exercise.number)
        return []
    axis = parameter_axis(exercise)
    drawn = [_draw_accuracy(exercise, axis, points, averages, folder)]
    convergence = convergence_points(exercise, trials, summary)
    if any(each.converged for each in convergence) and not exercise.reads_prefixes(study.baseline):
        drawn.append(_draw_convergence(exercise, axis, convergence, folder))
    return drawn


def _draw_accuracy(
    exercise: SweepExercise,
    axis: ParameterAxis,
    points: Sequence[AccuracyPoint],
    averages: dict[Cell, PublishedAverage],
    folder: Path,
) -> DrawnFigure:
    title = f"Exercise {exercise.number}: how does accuracy change with the {axis.noun}?"
    span = accuracy_axis(points)
    caption, alt = accuracy_words(exercise, axis, points, averages)
    with new_figure(title, _HEIGHT) as figure:
        axes = figure.add_subplot(ylabel="Test accuracy (%)", ylim=(span.low, span.high))
        axis.show(axes, ["" if point.readings else "no trial" for point in points])
        _plot_readings(axes, axis, points, span.floor)
        _plot_means(axes, axis, points, span.floor)
        _plot_published(axes, axis, points)
        for point in points:
            _mark_below(axes, axis, point, span.floor)
        place_legend(figure, columns=2, last=_PUBLISHED)
        name = f"exercise-{exercise.number}-accuracy"
        return save(figure, folder, name, exercise=exercise.number, title=title, caption=caption, alt=alt)


def _plot_readings(axes: Axes, axis: ParameterAxis, points: Sequence[AccuracyPoint], floor: float) -> None:
    shown = [
        (place, reading)
        for point in points
        for place, reading in zip(
            _spread(axis, point.value, len(point.readings)), point.readings, strict=True
        )
        if reading >= floor
    ]
    axes.plot(*_columns(shown), "o", color=BLUE, alpha=_ALPHA, markersize=5, mew=0, label="one reading")


def _plot_means(axes: Axes, axis: ParameterAxis, points: Sequence[AccuracyPoint], floor: float) -> None:
    # Without settings that have a reading far below: words give their mean and interval.
    shown = [(each, each.mean) for each in points if each.mean is not None and not each.below(floor)]
    halves = [math.nan if each.high is None else each.high - mean for each, mean in shown]
    axes.errorbar(
        [axis.place(each.value) for each, _ in shown], [mean for _, mean in shown], halves,
        fmt="s", color=INK, markersize=6, elinewidth=1.3, capsize=4, zorder=3,
        label="mean, 95% interval",
    )  # fmt: skip


def _plot_published(axes: Axes, axis: ParameterAxis, points: Sequence[AccuracyPoint]) -> None:
    published = [
        (axis.place(each.value, _RIGHT), each.published) for each in points if each.published is not None
    ]
    if published:
        axes.plot(
            *_columns(published), "D", color=VERMILLION, mfc="none", mew=1.6, markersize=6.5,
            label=_PUBLISHED, zorder=4,
        )  # fmt: skip


def _mark_below(axes: Axes, axis: ParameterAxis, point: AccuracyPoint, floor: float) -> None:
    """Mark at the lower edge how many of the readings are far below."""
    below = point.below(floor)
    if below:
        edge, place = axes.get_xaxis_transform(), axis.place(point.value)
        axes.plot([place], [0.04], "v", color=BLUE, markersize=8, transform=edge, zorder=5)
        text = f"{len(below)} of {len(point.readings)}"
        axes.text(place, 0.09, text, transform=edge, ha="center", va="bottom", zorder=5)


def _draw_convergence(
    exercise: SweepExercise, axis: ParameterAxis, points: Sequence[ConvergencePoint], folder: Path
) -> DrawnFigure:
    title = f"Exercise {exercise.number}: after how many epochs do trainings converge?"
    caption, alt = convergence_words(axis, points)
    with new_figure(title, _HEIGHT) as figure:
        axes = figure.add_subplot(ylabel="Epoch of convergence")
        axis.show(axes, ["" if point.trials else "no trial" for point in points])
        _plot_convergence(axes, axis, points)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        place_legend(figure, columns=2)
        name = f"exercise-{exercise.number}-convergence"
        return save(figure, folder, name, exercise=exercise.number, title=title, caption=caption, alt=alt)


def _plot_convergence(axes: Axes, axis: ParameterAxis, points: Sequence[ConvergencePoint]) -> None:
    converged: list[tuple[float, float]] = []
    still_open: list[tuple[float, float]] = []
    for point in points:
        places = _spread(axis, point.value, point.trials)
        converged += zip(places, point.converged, strict=False)
        still_open += zip(places[len(point.converged) :], point.still_open, strict=True)
    medians = [(axis.place(each.value), each.median) for each in points if each.median is not None]
    axes.plot(*_columns(converged), "o", color=BLUE, alpha=_ALPHA, markersize=5, mew=0, label="one training")
    if still_open:
        axes.plot(
            *_columns(still_open), marker=r"$\uparrow$", linestyle="", color=BLUE, markersize=9, mew=0,
            label="later",
        )  # fmt: skip
    axes.plot(*_columns(medians), "s", color=INK, markersize=6, label="median", zorder=3)


def _spread(axis: ParameterAxis, value: float, number: int) -> list[float]:
    """Return places of a setting's trials side by side, in the order of their repeats."""
    step = _SPREAD / max(number - 1, 1)
    return [axis.place(value, _LEFT + step * (index - (number - 1) / 2)) for index in range(number)]


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [place for place, _ in pairs], [height for _, height in pairs]
