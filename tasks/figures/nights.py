"""Draw the nights: accuracy and time of each exercise over the fresh runs of a study."""

from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from study.spec import Study
from study.wording import count, duration
from tasks.figures.style import BLUE, INK, VERMILLION, DrawnFigure, new_figure, save

NIGHTS = -1
"""Stands for an exercise's number: the figure belongs to the comparison with earlier nights."""

MIN_NIGHTS = 2
"""Fewest nights of a figure."""

_MOST_DOTS = 60
"""More nights than this become a line; only drifted ones keep their markers."""

_LEAST_SPAN = 1.0
"""Percentage points an accuracy axis shows at least: less would make noise look like drift."""

_KNOWN = "first, or the weights of an earlier night"
_MARKS = {
    "identical": ("o", BLUE, BLUE, _KNOWN),
    "first": ("o", BLUE, BLUE, _KNOWN),
    "same within noise": ("o", "white", BLUE, "new weights, same within noise"),
    "unclear": ("s", "white", INK, "new weights, too few readings"),
    "drifted": ("v", VERMILLION, VERMILLION, "drifted"),
}
"""Marker, filling, edge and meaning of each verdict."""


def draw_history_figures(study: Study, nights: pd.DataFrame, folder: Path) -> list[DrawnFigure]:
    """Draw accuracy and time over the nights that `list_nights` gives, a panel an exercise."""
    if nights["run_id"].nunique() < MIN_NIGHTS:
        return []
    titles = {each.number: f"Exercise {each.number}: {each.title}" for each in study.exercises}
    exercises = [number for number in sorted(nights["exercise"].unique()) if number in titles]
    named = [(titles[number], nights[nights["exercise"] == number]) for number in exercises]
    return [_draw_accuracy(nights, named, folder), _draw_time(nights, named, folder)]


_Panels = Sequence[tuple[str, pd.DataFrame]]
"""Title and rows of each panel."""


def _draw_accuracy(nights: pd.DataFrame, panels: _Panels, folder: Path) -> DrawnFigure:
    title = "How has accuracy changed from night to night?"
    drifts = nights[nights["verdict"] == "drifted"]
    told = [f"exercise {row.exercise} on {row.started_at:%Y-%m-%d}" for row in drifts.itertuples()]
    caption = (
        f"Mean test accuracy of each exercise over its settings, {_span(nights)}. Each panel has its own "
        f"axis, of {_LEAST_SPAN:g} point or more. A drift is reported once: later nights compare with it."
    )
    latest = [f"{title.partition(':')[0].lower()} {_latest(rows)}" for title, rows in panels]
    alt = (
        f"Chart of mean test accuracy over {count(nights['run_id'].nunique(), 'night')}, a panel an "
        f"exercise. Latest: {', '.join(latest)}. Drifted: {', '.join(told[-10:]) or 'none'}."
    )
    with new_figure(7.4, 1.0 + 1.3 * len(panels)) as figure:
        for axes, (name, rows) in zip(_panels(figure, len(panels)), panels, strict=True):
            percents = rows.assign(shown=100 * rows["mean_accuracy"])
            _plot(axes, name, percents)
            _mark(axes, percents)
            middle = (percents["shown"].max() + percents["shown"].min()) / 2
            half = 0.58 * max(percents["shown"].max() - percents["shown"].min(), _LEAST_SPAN)
            if not pd.isna(middle):
                axes.set_ylim(middle - half, middle + half)
        _finish(figure, title, nights, "Mean test accuracy (%)")
        return save(figure, folder, "nights-accuracy", exercise=NIGHTS, title=title, caption=caption, alt=alt)


def _draw_time(nights: pd.DataFrame, panels: _Panels, folder: Path) -> DrawnFigure:
    title = "How long did each night take?"
    whole = nights.drop_duplicates("run_id")
    caption = (
        f"Above: wall time of the whole run, {_span(nights)}. Below: time of lanes, of all trainings that "
        "an exercise reads, as far as the run trained them. Lanes work side by side, and a training that "
        "several exercises read counts in each: the panels do not add up to the run. Times hold for the "
        "machine they were measured on."
    )
    alt = (
        f"Chart of times over {count(len(whole), 'night')}. Wall time of the run from "
        f"{duration(float(whole['wall_seconds'].min()))} to {duration(float(whole['wall_seconds'].max()))}."
    )
    times = [("Whole run: wall time", whole.assign(shown=whole["wall_seconds"]))]
    times += [(f"{name}: lane time", rows.assign(shown=rows["lane_seconds"])) for name, rows in panels]
    with new_figure(7.4, 1.0 + 1.3 * len(times)) as figure:
        for axes, (name, rows) in zip(_panels(figure, len(times)), times, strict=True):
            longest = float(rows["shown"].max())
            unit, seconds = ("h", 3600) if longest > 7200 else ("min", 60) if longest > 120 else ("s", 1)
            _plot(axes, f"{name} ({unit})", rows.assign(shown=rows["shown"] / seconds))
            axes.set_ylim(0, 1.15 * longest / seconds or 1.0)
        _finish(figure, title, nights, "Time")
        return save(figure, folder, "nights-time", exercise=NIGHTS, title=title, caption=caption, alt=alt)


def _panels(figure: Figure, number: int) -> Sequence[Axes]:
    grid: Any = figure.subplots(number, 1, sharex=True, squeeze=False)
    return list(grid[:, 0])


def _plot(axes: Axes, title: str, rows: pd.DataFrame) -> None:
    """Plot `shown` over the start of each night: dots and a line, or the line only if there are many."""
    marker = "" if len(rows) > _MOST_DOTS else "o"
    axes.plot(rows["started_at"], rows["shown"], "-", marker=marker, color=BLUE, linewidth=1.2, markersize=4)
    axes.set_title(title, fontsize=10, pad=4)
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _mark(axes: Axes, rows: pd.DataFrame) -> None:
    """Give each night the marker of its verdict; of many nights, only those that drifted."""
    for verdict, (marker, fill, edge, label) in _MARKS.items():
        of_verdict = rows[rows["verdict"] == verdict]
        is_drift = verdict == "drifted"
        if of_verdict.empty or (len(rows) > _MOST_DOTS and not is_drift):
            continue
        axes.plot(
            of_verdict["started_at"], of_verdict["shown"], marker, mfc=fill, mec=edge,
            markersize=8 if is_drift else 5, zorder=4 if is_drift else 3, label=label,
        )  # fmt: skip


def _finish(figure: Figure, title: str, nights: pd.DataFrame, label: str) -> None:
    """Add a title above all panels, an axis of dates below, one label at the side, and a legend."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=11.5)
    last = figure.axes[-1]
    starts = nights["started_at"]
    margin = max((starts.max() - starts.min()) * 0.03, pd.Timedelta(minutes=1))
    last.set_xlim(starts.min() - margin, starts.max() + margin)
    locator: Any = AutoDateLocator(tz=UTC, minticks=2, maxticks=8)
    last.xaxis.set_major_locator(locator)
    last.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
    last.set_xlabel("Start of the run (UTC)")
    figure.supylabel(label, fontsize=10)
    entries = {
        text: handle
        for axes in figure.axes
        for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if entries:
        figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=2, fontsize=9)


def _span(nights: pd.DataFrame) -> str:
    starts = nights["started_at"]
    number = count(nights["run_id"].nunique(), "night")
    return f"{number} from {starts.min():%Y-%m-%d} to {starts.max():%Y-%m-%d}"


def _latest(rows: pd.DataFrame) -> str:
    known = rows["mean_accuracy"].dropna()
    return "no reading" if known.empty else f"{100 * known.iloc[-1]:.1f}%"
