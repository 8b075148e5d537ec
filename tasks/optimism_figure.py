"""Draw what choosing the epoch or the setting on the test images would add to the accuracy reported."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from study.spec import Study
from study.wording import count, listing
from tasks.figure_style import BLUE, INK, VERMILLION, DrawnFigure, new_figure, save
from tasks.optimism_points import OptimismRow, optimism_rows
from tasks.parameter_axis import parameter_axis

OPTIMISM = -2
"""In place of an exercise's number: the figure belongs to all sweeps of a held-out study."""

_SPREAD, _ABOVE, _BELOW = 0.34, 0.14, 0.24
"""In rows: the height that dots are spread over, its middle above the row's, and the mean below it."""

_MOST_STRONG = 40
"""Dots of a row with more of them are fainter."""

_SEEN = 0.0005
"""A fraction that is seen on the axis."""

_MARKS = {
    True: ("o", BLUE, "choosing the epoch: one training"),
    False: ("^", VERMILLION, "choosing the setting: one seed"),
}
"""Marker, colour and meaning of the dots, by whether the epoch is chosen."""


def draw_optimism_figure(
    study: Study, trials: pd.DataFrame, epochs: pd.DataFrame, folder: Path
) -> list[DrawnFigure]:
    """Draw a row of dots for each sweep and choice, as PNG and SVG.

    None for protocol `lab`, whose validation images are the test images, and where nothing can be chosen.

    Args:
        study: The study.
        trials: Rows of the `trials` table.
        epochs: Rows of the `epochs` table, of the same run.
        folder: Where the files go; made when missing.

    Raises:
        OSError: the folder cannot be written to.
    """
    rows = optimism_rows(study, trials, epochs)
    if not rows:
        return []
    title = "How much too good does it look to choose on the test images?"
    caption, alt = optimism_words(rows)
    with new_figure(7.4, 1.7 + 0.42 * len(rows)) as figure:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11.5)
        axes = figure.add_subplot(xlabel="Test accuracy too high by (percentage points)")
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")
        axes.axvline(0, color=INK, linewidth=1)
        for place, row in enumerate(rows):
            _plot_row(axes, place, row)
        axes.set_yticks(range(len(rows)), [_name(row) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)  # the first on top
        entries = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))  # each meaning once
        figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=3, fontsize=9)
        return [save(figure, folder, "optimism", exercise=OPTIMISM, title=title, caption=caption, alt=alt)]


def _plot_row(axes: Axes, place: int, row: OptimismRow) -> None:
    found = row.optimism
    values = [100 * each for each in found.values]
    marker, colour, label = _MARKS[row.picks_epoch]
    step = _SPREAD / max(len(values) - 1, 1)
    heights = [place - _ABOVE + step * (index - (len(values) - 1) / 2) for index in range(len(values))]
    alpha = 0.55 if len(values) <= _MOST_STRONG else 0.3
    axes.plot(values, heights, marker, color=colour, alpha=alpha, markersize=5, mew=0, label=label)
    half = 0 if math.isnan(found.high) else 100 * (found.high - found.mean)
    axes.errorbar(
        [100 * found.mean], [place + _BELOW], xerr=[half], fmt="s", color=INK, markersize=6, elinewidth=1.3,
        capsize=4, zorder=3, label="mean and its 95% interval",
    )  # fmt: skip


def _name(row: OptimismRow) -> str:
    return f"Exercise {row.exercise.number}: the {_chosen(row)}"


def _chosen(row: OptimismRow) -> str:
    return "epoch" if row.picks_epoch else parameter_axis(row.exercise).noun


def optimism_words(rows: Sequence[OptimismRow]) -> tuple[str, str]:
    """Caption and alt text; there is a row at least."""
    means = [f"{_name(row).lower()}, {100 * row.optimism.mean:.2f} points" for row in rows]
    is_single = any(len(row.optimism.values) == 1 for row in rows)
    is_wide = any(row.optimism.low < -_SEEN for row in rows)
    sentences = [
        *_plain_notes(rows),
        "Dots: the highest test accuracy less that of what validation chooses, never below zero;",
        f"moved up and down only to be told apart ({_counts(rows)}). Squares: their mean; error bars:",
        "the 95% confidence interval of the mean (Student's t) over trainings or seeds, images held fixed.",
        "A single reading bears no interval." if is_single else "",
        "An interval that reaches below zero is of few or uneven readings." if is_wide else "",
        "The study chooses nothing this way: it is protocol held-out.",
    ]
    alt = f"Dot plot of what choosing on the test images would add. Means: {'; '.join(means)}."
    return " ".join(filter(None, sentences)), alt


def _plain_notes(rows: Sequence[OptimismRow]) -> list[str]:
    notes = []
    for picks_epoch, what in ((True, "epoch"), (False, "setting")):
        means = [100 * row.optimism.mean for row in rows if row.picks_epoch is picks_epoch]
        if means:
            notes.append(f"the {what} by its test accuracy reports {_range(means)} too much")
    return [f"On average over a row, whoever chooses {listing(notes)}."]


def _range(means: Sequence[float]) -> str:
    low, high = f"{min(means):.2f}", f"{max(means):.2f}"
    return f"{low} points" if low == high else f"{low} to {high} points"


def _counts(rows: Sequence[OptimismRow]) -> str:
    texts = []
    for picks_epoch, what in ((True, "training"), (False, "seed")):
        counts = [len(row.optimism.values) for row in rows if row.picks_epoch is picks_epoch]
        if counts:
            low, high = min(counts), max(counts)
            texts.append(f"{f'{low} to ' if low < high else ''}{count(high, what)} a row")
    return listing(texts)
