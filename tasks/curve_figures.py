"""Draw the learning curves of a sweep: validation accuracy and loss, a line for each setting."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from study.exercises import SweepExercise
from study.spec import Study
from tasks.curve_points import (
    Lines,
    SettingCurves,
    Span,
    accuracy_span,
    loss_span,
    mean_line,
    setting_curves,
)
from tasks.curve_words import curve_words
from tasks.figure_style import BLUE, GREY, DrawnFigure, new_figure, save
from tasks.parameter_axis import parameter_axis

logger = logging.getLogger(__name__)

_MARKERS, _DASHES = "os^DvPX<", ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)))
"""Of different number of each, so that 24 settings differ in grey too."""

_FAINTEST, _STRONGEST = 0.15, 0.45
"""Opacity of a thin line, the fainter the more there are."""

_MOST_MARKS = 20
"""Markers on a line that is alone; half of it where lines share a panel."""

_MOST_BUDGETS = 8
"""More of them are not all written at the axis."""

_LEGEND_COLUMNS = 6


@dataclass(frozen=True)
class _Panel:
    """What one of the two panels shows of every setting."""

    label: str
    span: Span
    lines: Sequence[Lines]
    off_axis: float
    """Where, in heights of the panel, lines leave it."""


def draw_curve_figures(
    study: Study, exercise: SweepExercise, trials: pd.DataFrame, epochs: pd.DataFrame, folder: Path
) -> list[DrawnFigure]:
    """Draw validation accuracy and loss of one exercise against the epoch, as PNG and SVG.

    An exercise without a completed trial has no figure.

    Args:
        study: The study the exercise belongs to.
        exercise: The exercise to draw.
        trials: Rows of the `trials` table; those of other exercises are ignored.
        epochs: Rows of the `epochs` table, of the same run.
        folder: Where the files go; made when missing.

    Raises:
        OSError: the folder cannot be written to.
    """
    curves = setting_curves(study, exercise, trials, epochs)
    if not any(each.losses for each in curves):
        logger.warning("exercise %d: no completed trial, no learning curves", exercise.number)
        return []
    axis = parameter_axis(exercise)
    budgets = sorted(exercise.values) if exercise.reads_prefixes(study.baseline) else []
    caption, alt = curve_words(study, exercise, axis, curves)
    how = "go on from epoch to epoch" if budgets else f"depend on the {axis.noun}"
    title = f"Exercise {exercise.number}: how does learning {how}?"
    rows = 0 if budgets else -(-len(curves) // _LEGEND_COLUMNS)
    with new_figure(9.0, 4.0 + 0.22 * rows) as figure:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11.5)
        for axes, panel in zip(figure.subplots(1, 2), _panels(curves), strict=True):
            _draw_panel(axes, panel, [axis.describe(each.value) for each in curves])
            _show_epochs(axes, max(each.longest for each in curves), budgets)
        if not budgets:
            handles, labels = figure.axes[0].get_legend_handles_labels()
            figure.legend(
                handles, labels, loc="outside lower center", ncols=_LEGEND_COLUMNS, fontsize=9,
                title=axis.noun.capitalize(), title_fontsize=9, handlelength=3.2,
            )  # fmt: skip
        name = f"exercise-{exercise.number}-curves"
        return [save(figure, folder, name, exercise=exercise.number, title=title, caption=caption, alt=alt)]


def _panels(curves: Sequence[SettingCurves]) -> tuple[_Panel, _Panel]:
    loss = loss_span(curves)
    label = "Validation loss (nats, log scale)" if loss.is_log else "Validation loss (nats)"
    return (
        _Panel("Validation accuracy (%)", accuracy_span(curves), [each.accuracies for each in curves], 0.02),
        _Panel(label, loss, [each.losses for each in curves], 0.98),
    )


def _draw_panel(axes: Axes, panel: _Panel, names: Sequence[str]) -> None:
    axes.set(xlabel="Epoch", ylabel=panel.label, ylim=(panel.span.low, panel.span.high))
    if panel.span.is_log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda nats, _: f"{nats:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    colours = _colours(len(panel.lines))
    opacity = 10 / max(1, sum(len(lines) for lines in panel.lines))
    opacity = min(max(opacity, _FAINTEST), _STRONGEST)
    for index, lines in enumerate(panel.lines):
        # Where a training runs off the axis, the mean stands for nothing that is seen: its name alone stays.
        is_off = any(panel.span.leaves_out(line) for line in lines)
        _plot_trainings(axes, lines, colours[index], 0.8 if is_off else opacity)
        _mark_far(axes, panel, lines, colours[index])
        _plot_mean(axes, [] if is_off else mean_line(lines), index, colours, names[index])


def _colours(count: int) -> list[str]:
    """Rising values from dark to light, as far as light is seen on white; one alone is blue."""
    if count == 1:
        return [BLUE]
    return [to_hex(each) for each in matplotlib.colormaps["viridis"](np.linspace(0, 0.8, count))]


def _plot_trainings(axes: Axes, lines: Lines, colour: str, opacity: float) -> None:
    for line in lines:
        axes.plot(
            range(1, len(line) + 1), line, "-" if len(line) > 1 else ".", color=colour, linewidth=0.6,
            alpha=opacity, markersize=5, mew=0, zorder=2,
        )  # fmt: skip


def _plot_mean(axes: Axes, mean: Sequence[float], index: int, colours: Sequence[str], name: str) -> None:
    every = max(1, round(len(mean) / (_MOST_MARKS if len(colours) == 1 else _MOST_MARKS / 2)))
    marks = sorted({*range(index % every, len(mean), every), *range(len(mean))[-1:]})  # the end has one
    axes.plot(
        range(1, len(mean) + 1), mean, color=colours[index], linewidth=1.6, linestyle=_DASHES[index % 3],
        marker=_MARKERS[index % 8], markersize=5, mec="white", mew=0.5, markevery=marks, label=name, zorder=3,
    )  # fmt: skip


def _mark_far(axes: Axes, panel: _Panel, lines: Lines, colour: str) -> None:
    """Mark at the edge the first epoch at which a training is off the axis."""
    span = panel.span
    for line in lines:
        if span.leaves_out(line):
            first = next(epoch for epoch, each in enumerate(line, 1) if span.leaves_out([each]))
            axes.plot(
                [first], [panel.off_axis], "v" if panel.off_axis < 0.5 else "^", color=colour, markersize=7,
                transform=axes.get_xaxis_transform(), zorder=4,
            )  # fmt: skip


def _show_epochs(axes: Axes, last: int, budgets: Sequence[float]) -> None:
    axes.set_xlim(0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    shown = [each for each in budgets if each <= last]
    for budget in shown:
        axes.axvline(budget, color=GREY, linestyle=":", linewidth=1.2, zorder=1)
    if shown and len(shown) <= _MOST_BUDGETS:
        axes.xaxis.set_major_locator(FixedLocator(shown))
