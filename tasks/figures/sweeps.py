"""Draw the figures of a sweep: accuracy and time against its parameter, with captions."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from storage.tables import SummaryRow, TrialRow
from study.records import CONVERGENCE_PATIENCE
from study.spec import Cell, PublishedAverage, Study, SweepExercise
from tasks.figures.model import draw_model_figures
from tasks.figures.points import (
    AccuracyPoint,
    TimePoint,
    accuracy_axis,
    accuracy_points,
    needs_log_axis,
    time_points,
)
from tasks.figures.style import (
    BLUE,
    INK,
    VERMILLION,
    DrawnFigure,
    ParameterAxis,
    new_figure,
    parameter_axis,
    save,
)


def accuracy_words(
    study: Study,
    exercise: SweepExercise,
    axis: ParameterAxis,
    points: Sequence[AccuracyPoint],
    averages: dict[Cell, PublishedAverage],
) -> tuple[str, str]:
    """Return caption and alt text of the accuracy figure."""
    counts = [len(point.readings) for point in points]
    sentences = [
        f"Test accuracy against the {axis.noun}, protocol {study.protocol}.",
        f"Dots: single readings ({count_text(counts)}), moved sideways only to separate them.",
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
    """Return caption and alt text of the time figure."""
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
        f"and warm-up. Dots: single trials ({counts}), moved sideways only to separate them; squares: their",
        "mean; there are no error bars.",
        convergence,
        "Seconds hold for the machine they were measured on.",
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


__all__ = ["DrawnFigure", "draw_model_figures", "draw_sweep_figures"]

logger = logging.getLogger(__name__)

_HEIGHT = 4.4
_PUBLISHED = "published average"
# In each setting's column: readings left, mean in the middle, compared values right.
_LEFT, _RIGHT = -0.25, 0.25
_SPREAD = 0.26
_ALPHA = 0.55
_BLANK = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # no grid line through words


def draw_sweep_figures(
    study: Study,
    exercise: SweepExercise,
    trials: Sequence[TrialRow],
    summary: Sequence[SummaryRow],
    averages: dict[Cell, PublishedAverage],
    folder: Path,
) -> list[DrawnFigure]:
    """Draw accuracy and time against the parameter of one exercise, each as PNG and SVG.

    A setting without a completed trial keeps its empty place. An exercise without any has no figure.

    Args:
        study: The study the exercise belongs to.
        exercise: The exercise to draw.
        trials: Rows of the `trials` table; those of other exercises are ignored.
        summary: Rows of the `summary` table, of the same run.
        averages: The published averages; may be empty.
        folder: The folder for the files; made when missing.

    Raises:
        OSError: the folder cannot be written to.
    """
    points = accuracy_points(exercise, trials, summary, averages)
    if not any(point.readings for point in points):
        logger.warning("exercise %d: no completed trial, no figures", exercise.number)
        return []
    axis = parameter_axis(exercise)
    times = time_points(exercise, trials, summary)
    return [
        _draw_accuracy(study, exercise, axis, points, averages, folder),
        _draw_time(study, exercise, axis, times, folder),
    ]


def _draw_accuracy(
    study: Study,
    exercise: SweepExercise,
    axis: ParameterAxis,
    points: Sequence[AccuracyPoint],
    averages: dict[Cell, PublishedAverage],
    folder: Path,
) -> DrawnFigure:
    title = f"Exercise {exercise.number}: how does accuracy change with the {axis.noun}?"
    span = accuracy_axis(points)
    caption, alt = accuracy_words(study, exercise, axis, points, averages)
    with new_figure(_width(points), _HEIGHT) as figure:
        axes = figure.add_subplot(title=title, ylabel="Test accuracy (%)", ylim=(span.low, span.high))
        axis.show(axes, ["" if point.readings else "no trial" for point in points])
        _plot_readings(axes, axis, points, span.floor)
        _plot_means(axes, axis, points, span.floor)
        _plot_published(axes, axis, points)
        for point in points:
            _mark_below(axes, axis, point, span.floor)
        _place_legend(figure, axes)
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
        label="mean and its 95% interval",
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
    """Mark at the lower edge the number of readings far below, and write the setting's mean."""
    below = point.below(floor)
    if not below:
        return
    edge = axes.get_xaxis_transform()
    place = axis.place(point.value)
    axes.plot([place], [0.03], "v", color=BLUE, markersize=8, transform=edge, zorder=5)
    text = f"{len(below)} of {len(point.readings)} below:\n{_span_text(below)}"
    if point.mean is not None:
        text += f"\n(mean {point.mean:.1f}%)"
    axes.text(
        place, 0.065, text, transform=edge, ha="center", va="bottom", fontsize=8.5, zorder=5, bbox=_BLANK
    )


def _span_text(values: Sequence[float]) -> str:
    low, high = f"{min(values):.1f}", f"{max(values):.1f}"
    return f"{low}%" if low == high else f"{low} to {high}%"


def _draw_time(
    study: Study, exercise: SweepExercise, axis: ParameterAxis, points: Sequence[TimePoint], folder: Path
) -> DrawnFigure:
    title = f"Exercise {exercise.number}: how does training time change with the {axis.noun}?"
    caption, alt = time_words(study, axis, points)
    with new_figure(_width(points), _HEIGHT) as figure:
        axes = figure.add_subplot(title=title, ylabel="Time (s)")
        axis.show(axes, [point.outcome for point in points], "(under each value: how many trials converged)")
        _plot_times(axes, axis, points)
        _scale_time(axes, points)
        _place_legend(figure, axes)
        name = f"exercise-{exercise.number}-time"
        return save(figure, folder, name, exercise=exercise.number, title=title, caption=caption, alt=alt)


def _plot_times(axes: Axes, axis: ParameterAxis, points: Sequence[TimePoint]) -> None:
    training: list[tuple[float, float]] = []
    convergence: list[tuple[float, float]] = []
    for point in points:
        training += zip(_spread(axis, point.value, len(point.training)), point.training, strict=True)
        places = _spread(axis, point.value, len(point.convergence), _RIGHT)
        convergence += zip(places, point.convergence, strict=True)
    means = [(axis.place(each.value), each.mean) for each in points if each.mean is not None]
    label = "training time of one trial"
    axes.plot(*_columns(training), "o", color=BLUE, alpha=_ALPHA, markersize=5, mew=0, label=label)
    axes.plot(*_columns(means), "s", color=INK, markersize=6, label="mean training time", zorder=4)
    if convergence:
        label = "convergence time of one trial"
        axes.plot(*_columns(convergence), "^", color=VERMILLION, mfc="none", markersize=6, label=label)


def _scale_time(axes: Axes, points: Sequence[TimePoint]) -> None:
    if not needs_log_axis(points):
        longest = max(seconds for point in points for seconds in (*point.training, *point.convergence))
        axes.set_ylim(0, 1.08 * longest or 1.0)
        return
    axes.set_yscale("log")
    axes.set_ylabel("Time (s, log scale)")
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _width(points: Sequence[object]) -> float:
    """Return the width in inches: wider for many settings."""
    return min(max(7.0, 1.5 + 0.8 * len(points)), 14.0)


def _spread(axis: ParameterAxis, value: float, count: int, beside: float = _LEFT) -> list[float]:
    """Return places of a setting's trials side by side, in the order of their repeats."""
    step = _SPREAD / max(count - 1, 1)
    return [axis.place(value, beside + step * (index - (count - 1) / 2)) for index in range(count)]


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [place for place, _ in pairs], [height for _, height in pairs]


def _place_legend(figure: Figure, axes: Axes) -> None:
    # Under the axes, where it hides nothing; ours first.
    entries = zip(*axes.get_legend_handles_labels(), strict=True)
    handles, labels = zip(*sorted(entries, key=lambda entry: entry[1] == _PUBLISHED), strict=True)
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9)
