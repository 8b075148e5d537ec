"""Draw the nights: accuracy and time of each exercise over the fresh runs of a study."""

import textwrap
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from storage.tables import NightRow, RunRow
from study.spec import Study
from study.status import NightVerdict
from study.wording import count, duration
from tasks.figures.style import (
    BLUE,
    INK,
    VERMILLION,
    DrawnFigure,
    Values,
    drawable,
    new_figure,
    place_legend,
    save,
)

NIGHTS = -1
"""Stands for an exercise's number: the figure belongs to the comparison with earlier nights."""

MIN_NIGHTS = 2
"""Fewest nights of a figure."""

_MOST_DOTS = 60
"""More nights than this become a line; only drifted ones keep their markers."""

_LEAST_SPAN = 1.0
"""Percentage points an accuracy axis shows at least: less would make noise look like drift."""

_TITLE_LETTERS = 42
"""Letters of a panel's title that fit on a line."""

_KNOWN = "first, or the weights of an earlier night"
_MARKS = {
    NightVerdict.IDENTICAL: ("o", BLUE, BLUE, _KNOWN),
    NightVerdict.FIRST: ("o", BLUE, BLUE, _KNOWN),
    NightVerdict.SAME: ("o", "white", BLUE, "new weights, same within noise"),
    NightVerdict.UNCLEAR: ("s", "white", INK, "new weights, too few readings"),
    NightVerdict.DRIFTED: ("v", VERMILLION, VERMILLION, "drifted"),
}
"""Marker, filling, edge and meaning of each verdict."""


Night = tuple[RunRow, NightRow]
"""A row of `nights`, with its run."""

_Panels = Sequence[tuple[str, Sequence[Night]]]
"""Title and rows of each panel."""


def draw_history_figures(study: Study, nights: Sequence[Night], folder: Path) -> list[DrawnFigure]:
    """Draw accuracy and time over the nights that `list_nights` gives, a panel an exercise."""
    whole = list({run.run_id: (run, night) for run, night in nights}.values())
    if len(whole) < MIN_NIGHTS:
        return []
    panels = [
        (drawable(f"Exercise {each.number}: {each.title}", f"Exercise {each.number}"), rows)
        for each in sorted(study.exercises, key=lambda each: each.number)
        if (rows := [(run, night) for run, night in nights if night.exercise == each.number])
    ]
    drifts = [(run, night) for run, night in nights if night.verdict == NightVerdict.DRIFTED]
    return [_draw_accuracy(whole, drifts, panels, folder), _draw_time(whole, panels, folder)]


def _draw_accuracy(
    whole: Sequence[Night], drifts: Sequence[Night], panels: _Panels, folder: Path
) -> DrawnFigure:
    title = "How has accuracy changed from night to night?"
    told = [f"exercise {night.exercise} on {run.started_at:%Y-%m-%d}" for run, night in drifts]
    caption = (
        f"Mean test accuracy of each exercise over its settings, {_span(whole)}. Each panel has its own "
        f"axis, of {_LEAST_SPAN:g} point or more. A drift is reported once: later nights compare with it."
    )
    latest = [f"{title.partition(':')[0].lower()} {_latest(rows)}" for title, rows in panels]
    alt = (
        f"Chart of mean test accuracy over {count(len(whole), 'night')}, a panel an "
        f"exercise. Latest: {', '.join(latest)}. Drifted: {', '.join(told[-10:]) or 'none'}."
    )
    with new_figure(title, 1.6 + 1.3 * len(panels)) as figure:
        for axes, (name, rows) in zip(_panels(figure, len(panels)), panels, strict=True):
            percents = 100 * np.array([night.mean_accuracy for _, night in rows], float)
            _plot(axes, name, rows, percents)
            _mark(axes, rows, percents)
            known = percents[~np.isnan(percents)]
            if known.size:
                middle = (known.max() + known.min()) / 2
                half = 0.58 * max(known.max() - known.min(), _LEAST_SPAN)
                axes.set_ylim(middle - half, middle + half)
        _finish(figure, whole, "Mean test accuracy (%)")
        return save(figure, folder, "nights-accuracy", exercise=NIGHTS, title=title, caption=caption, alt=alt)


def _draw_time(whole: Sequence[Night], panels: _Panels, folder: Path) -> DrawnFigure:
    title = "How long did each night take?"
    walls = [run.wall_seconds for run, _ in whole]
    caption = (
        f"Above: wall time of the whole run, {_span(whole)}. Below: time of lanes, of all trainings that "
        "an exercise reads, as far as the run trained them. Lanes work side by side, and a training that "
        "several exercises read counts in each: the panels do not add up to the run. Times hold for the "
        "machine they were measured on."
    )
    alt = (
        f"Chart of times over {count(len(whole), 'night')}. Wall time of the run from "
        f"{duration(min(walls))} to {duration(max(walls))}."
    )
    times = [("Whole run", whole, walls)]
    times += [(name, rows, [night.lane_seconds for _, night in rows]) for name, rows in panels]
    with new_figure(title, 1.0 + 1.3 * len(times)) as figure:
        for axes, (name, rows, taken) in zip(_panels(figure, len(times)), times, strict=True):
            longest = max(taken)
            unit, seconds = ("h", 3600) if longest > 7200 else ("min", 60) if longest > 120 else ("s", 1)
            _plot(axes, f"{name} ({unit})", rows, np.array(taken) / seconds)
            axes.set_ylim(0, 1.15 * longest / seconds or 1.0)
        _finish(figure, whole, "Time")
        return save(figure, folder, "nights-time", exercise=NIGHTS, title=title, caption=caption, alt=alt)


def _panels(figure: Figure, number: int) -> Sequence[Axes]:
    grid: Any = figure.subplots(number, 1, sharex=True, squeeze=False)
    return list(grid[:, 0])


def _plot(axes: Axes, title: str, rows: Sequence[Night], heights: Values) -> None:
    """Plot heights over the start of each night: dots and a line, or the line only if there are many."""
    marker = "" if len(rows) > _MOST_DOTS else "o"
    axes.plot(_days(rows), heights, "-", marker=marker, color=BLUE, linewidth=1.2, markersize=4)
    axes.set_title(textwrap.fill(title, _TITLE_LETTERS))
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _mark(axes: Axes, rows: Sequence[Night], heights: Values) -> None:
    """Give each night the marker of its verdict; of many nights, only those that drifted."""
    days = _days(rows)
    for verdict, (marker, fill, edge, label) in _MARKS.items():
        places = [place for place, (_, night) in enumerate(rows) if night.verdict == verdict]
        is_drift = verdict == NightVerdict.DRIFTED
        if not places or (len(rows) > _MOST_DOTS and not is_drift):
            continue
        axes.plot(
            days[places], heights[places], marker, mfc=fill, mec=edge,
            markersize=8 if is_drift else 5, zorder=4 if is_drift else 3, label=label,
        )  # fmt: skip


def _finish(figure: Figure, nights: Sequence[Night], label: str) -> None:
    """Add an axis of dates below all panels, one label at the side, and a legend."""
    last = figure.axes[-1]
    days = _days(nights)
    margin = max(0.03 * (days[-1] - days[0]), 1 / (24 * 60))
    last.set_xlim(days[0] - margin, days[-1] + margin)
    locator: Any = AutoDateLocator(tz=UTC, minticks=2, maxticks=4)
    last.xaxis.set_major_locator(locator)
    last.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
    last.set_xlabel("Start of the run (UTC)")
    figure.supylabel(label, fontsize="medium")
    place_legend(figure)


def _days(nights: Sequence[Night]) -> Values:
    days: Values = date2num([run.started_at for run, _ in nights])
    return days


def _span(nights: Sequence[Night]) -> str:
    (first, _), (last, _) = nights[0], nights[-1]
    return f"{count(len(nights), 'night')} from {first.started_at:%Y-%m-%d} to {last.started_at:%Y-%m-%d}"


def _latest(rows: Sequence[Night]) -> str:
    known = [night.mean_accuracy for _, night in rows if night.mean_accuracy is not None]
    return f"{known[-1]:.1%}" if known else "no reading"
