"""The heat map of a grid: the mean accuracy of every combination of two parameters."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from storage.tables import SummaryRow
from study.spec import GridSweep
from study.wording import MISSING, count, plain
from tasks.figures.points import readings_floor
from tasks.figures.style import (
    INK,
    VERMILLION,
    WHITE_FROM,
    DrawnFigure,
    Values,
    new_figure,
    parameter_label,
    parameter_noun,
    save,
)
from tasks.figures.sweeps import count_text, failed_notes

_SIDE, _LETTER = 3.0, 10.0
"""Inches that the columns share, and points of a number's letters where these are not narrow."""


def draw_grid_figure(exercise: GridSweep, summary: Sequence[SummaryRow], folder: Path) -> list[DrawnFigure]:
    """Draw the mean test accuracies of a grid, rows and columns in the order of the study.

    A combination without a completed trial has a dash; an exercise without any trial has no figure.

    Raises:
        OSError: the folder cannot be written to.
    """
    rows = {row.value: row for row in summary if row.exercise == exercise.number and row.value is not None}
    means = mean_grid(exercise, rows)
    if np.isnan(means).all():
        return []
    (first, down), (second, across) = exercise.grid.items()
    title = f"Exercise {exercise.number}: which combination is most accurate?"
    with new_figure(title, 1.3 + 0.5 * len(down)) as figure:
        axes = figure.add_subplot(xlabel=parameter_label(second), ylabel=parameter_label(first))
        _plot_means(axes, means, _shades(means))
        axes.set_xticks(np.arange(len(across)) + 0.5, [plain(each) for each in across])
        axes.set_yticks(np.arange(len(down)) + 0.5, [plain(each) for each in down])
        if sum(len(plain(each)) + 2 for each in across) > _SIDE * 72 / _LETTER / 0.6:
            axes.tick_params(axis="x", rotation=90)
        caption, alt = grid_words(exercise, rows, means)
        name = f"exercise-{exercise.number}-grid"
        return [save(figure, folder, name, exercise=exercise.number, title=title, caption=caption, alt=alt)]


def mean_grid(exercise: GridSweep, rows: Mapping[float, SummaryRow]) -> Values:
    """Return mean accuracies in percent, (values of the first parameter, of the second); NaN for none."""
    means = np.full([len(values) for values in exercise.grid.values()], np.nan)
    for level, cell in exercise.cells.items():
        if level in rows and (mean := rows[level].mean_accuracy) is not None:
            means[cell] = 100 * mean
    return means


def grid_words(exercise: GridSweep, rows: Mapping[float, SummaryRow], means: Values) -> tuple[str, str]:
    """Return caption and alt text of the heat map."""
    failed = {exercise.label(level): row.failed_trials for level, row in rows.items()}
    found = means[~np.isnan(means)]
    shades = _shades(means)
    far = f" Means below {shades.vmin:.1f}% have the lightest shade." if shades.vmin > found.min() else ""
    caption = (
        f"Mean test accuracy in percent; {count_text([row.trials for row in rows.values()])}. Darker: more "
        f"accurate. Framed: the highest mean.{far}"
    )
    texts = [
        f"{plain(value)}: {', '.join(_text(mean) for mean in line)}"
        for value, line in zip(next(iter(exercise.grid.values())), means, strict=True)
    ]
    level = max(rows, key=lambda each: rows[each].mean_accuracy or 0.0)
    first, second = exercise.grid
    alt = (
        f"Heat map of the mean test accuracy of {count(means.size, 'combination')}: rows by "
        f"{parameter_noun(first)}, columns by {parameter_noun(second)} "
        f"({', '.join(map(plain, exercise.grid[second]))}). {'; '.join(texts)}. Highest: "
        f"{_text(found.max())} with {exercise.phrase(level)}."
    )
    return " ".join((caption, *failed_notes(failed))), alt


def _shades(means: Values) -> Normalize:
    """Return the scale from the lowest mean that is not far below the rest to the highest."""
    found = [float(mean) for mean in means.flat if not np.isnan(mean)]
    low, high = readings_floor(found), max(found)
    return Normalize(low, max(high, low + 0.1), clip=True)


def _plot_means(axes: Axes, means: Values, shades: Normalize) -> None:
    axes.pcolormesh(np.ma.masked_invalid(means), cmap="Blues", norm=shades, edgecolors="white", linewidth=1)
    axes.invert_yaxis()
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    size = min(_LETTER, _SIDE * 72 / means.shape[1] / 3)
    for (row, column), mean in np.ndenumerate(means):
        colour = "white" if shades(mean) >= WHITE_FROM else INK
        text = _text(mean)
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=colour, fontsize=size)
    best = np.unravel_index(int(np.nanargmax(means)), means.shape)
    frame = Rectangle((best[1] + 0.03, best[0] + 0.05), 0.94, 0.9, fill=False, edgecolor=VERMILLION, lw=2)
    axes.add_patch(frame)


def _text(mean: float) -> str:
    return MISSING if np.isnan(mean) else f"{mean:.1f}"
