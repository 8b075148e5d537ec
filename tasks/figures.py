"""Draw the figures of a sweep: accuracy and time against its parameter."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from study.bands import Cell
from study.exercises import SweepExercise
from study.published import PublishedAverage
from study.spec import Study
from tasks.figure_points import (
    AccuracyPoint,
    TimePoint,
    accuracy_axis,
    accuracy_points,
    needs_log_axis,
    time_points,
)
from tasks.figure_style import BLUE, INK, VERMILLION, DrawnFigure, new_figure, save
from tasks.figure_words import accuracy_words, time_words
from tasks.model_figures import draw_model_figures
from tasks.parameter_axis import ParameterAxis, parameter_axis

__all__ = ["DrawnFigure", "draw_model_figures", "draw_sweep_figures"]

logger = logging.getLogger(__name__)

_HEIGHT = 4.4
_PUBLISHED = "published average"
# In each setting's column: readings left, mean in the middle, what it is compared with right.
_LEFT, _RIGHT = -0.25, 0.25
_SPREAD = 0.26
_ALPHA = 0.55
_BLANK = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # no grid line through words


def draw_sweep_figures(
    study: Study,
    exercise: SweepExercise,
    trials: pd.DataFrame,
    summary: pd.DataFrame,
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
        averages: The published averages; there need not be any.
        folder: Where the files go; made when missing.

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
    # Without the settings that have a reading far below: mean and interval of those stand in words.
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
    """Mark at the lower edge how many readings of a setting lie far below, and say its mean."""
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
    """Inches: wider where many settings would stand too close."""
    return min(max(7.0, 1.5 + 0.8 * len(points)), 14.0)


def _spread(axis: ParameterAxis, value: float, count: int, beside: float = _LEFT) -> list[float]:
    """Places of a setting's trials side by side, in the order of their repeats."""
    step = _SPREAD / max(count - 1, 1)
    return [axis.place(value, beside + step * (index - (count - 1) / 2)) for index in range(count)]


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [place for place, _ in pairs], [height for _, height in pairs]


def _place_legend(figure: Figure, axes: Axes) -> None:
    # Under the axes, where it hides nothing; ours first.
    entries = zip(*axes.get_legend_handles_labels(), strict=True)
    handles, labels = zip(*sorted(entries, key=lambda entry: entry[1] == _PUBLISHED), strict=True)
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9)
