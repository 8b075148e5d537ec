"""The figures of a search: accuracy against size and time, importances, every candidate's values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from textwrap import fill
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from storage.tables import FinalRow, SearchRow, TrialRow
from study.spec import Range, Search, Study
from study.statistics import summarise
from study.status import CandidateState
from study.wording import count, listing
from tasks.figures.style import (
    BLUE,
    GREY,
    INK,
    VERMILLION,
    DrawnFigure,
    drawable,
    new_figure,
    parameter_noun,
    place_legend,
    save,
    show_log,
)
from tasks.tables import read_searched

GOOD = 0.25
"""The fraction of candidates that counts as good: the best on validation."""


@dataclass(frozen=True)
class Dot:
    """A candidate of the search, or of the finals: its cost and its validation accuracy (percent)."""

    parameters: int
    seconds: float
    accuracy: float
    is_complete: bool = True
    name: str = ""
    label: str = ""
    """The name, or a number if the figures' font lacks some of its letters."""
    half: float = 0.0
    """Half the width of the 95% interval of its mean; 0 for a single reading."""


@dataclass(frozen=True)
class Coordinate:
    """One axis: its name, its scale, and each candidate's place, in the order of the rows; NaN: none."""

    name: str
    is_log: bool
    values: tuple[float, ...]
    words: tuple[str, ...] = ()
    """Labels at 0, 1, ...: for values that are no numbers."""


def list_dots(search: Sequence[SearchRow]) -> list[Dot]:
    """Return a dot for each candidate of the search that has a reading."""
    return [
        Dot(
            row.parameters,
            row.training_seconds,
            100 * row.validation_accuracy,
            row.state == CandidateState.COMPLETED,
        )
        for row in search
        if row.validation_accuracy is not None
    ]


def list_finals(trials: Sequence[TrialRow], finals: Sequence[FinalRow]) -> list[Dot]:
    """Return a dot for each candidate of the finals: the mean of its fresh seeds, with interval."""
    dots = []
    for number, final in enumerate(finals, start=1):
        rows = [row for row in trials if (row.exercise, row.setting) == (final.exercise, final.setting)]
        spread = summarise([row.validation_accuracy for row in rows if row.validation_accuracy is not None])
        half = 100 * (spread.high - spread.mean) if spread.count > 1 else 0.0
        seconds = fmean(row.training_seconds for row in rows if row.training_seconds is not None)
        label = drawable(final.setting, f"name {number}")
        dots.append(Dot(final.parameters, seconds, 100 * spread.mean, True, final.setting, label, half))
    return dots


def find_front(dots: Sequence[Dot], cost: str) -> list[Dot]:
    """Return the dots that no other beats in accuracy at the same cost or less, by rising cost."""
    front: list[Dot] = []
    for dot in sorted(dots, key=lambda each: (getattr(each, cost), -each.accuracy)):
        if not front or dot.accuracy > front[-1].accuracy:
            front.append(dot)
    return front


def are_good(accuracies: Sequence[float]) -> npt.NDArray[np.bool_]:
    """Say of each validation accuracy whether it is among the best quarter."""
    return np.asarray(accuracies) >= np.quantile(accuracies, 1 - GOOD)


def list_coordinates(study: Study, search: Sequence[SearchRow]) -> list[Coordinate]:
    """Return an axis for each parameter that was searched, in the order of the study."""
    space = study.optimum.search if study.optimum else None
    if space is None:
        return []
    rows = [read_searched(row, space) for row in search]
    return [_coordinate(name, space, rows) for name in space.space if any(name in row for row in rows)]


def _coordinate(name: str, space: Search, rows: Sequence[dict[str, Any]]) -> Coordinate:
    declared, column = space.values_of(name), [row.get(name, math.nan) for row in rows]
    is_log = isinstance(declared, Range) and declared.log
    if isinstance(declared, Range) or all(isinstance(each, int | float) for each in declared):
        return Coordinate(name, is_log, tuple(map(float, column)))
    words = tuple(map(str, declared))
    places = tuple(float(words.index(str(each))) if each in declared else math.nan for each in column)
    return Coordinate(name, False, places, words)


def rank_importances(study: Study, search: Sequence[SearchRow]) -> dict[str, float]:
    """Return each parameter's share in deciding the best quarter, largest first; the sum is 1.

    PED-ANOVA (Watanabe, Bansal and Hutter 2023, arXiv:2304.10255), extended to parameters that only some
    candidates have (arXiv:2601.20800), by Optuna; it needs no trees and is the same every time. A candidate
    counts with the best reading it had before it was stopped. Empty for fewer than ten candidates, or if all
    readings are equal.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)  # `study report` has made no search
    space = study.optimum.search if study.optimum else None
    rows = [row for row in search if row.validation_accuracy is not None]
    if space is None or len(rows) < 10 or len({row.validation_accuracy for row in rows}) < 2:
        return {}
    read = [read_searched(row, space) for row in rows]
    names = [name for name in space.space if name != "epochs" and any(name in row for row in read)]
    searched = [{name: row[name] for name in names if name in row} for row in read]
    distributions = {name: _distribution(space, name, searched) for name in names}
    played = optuna.create_study(direction="maximize")
    for row, params in zip(rows, searched, strict=True):
        known = {name: distributions[name] for name in params}
        value = row.validation_accuracy
        played.add_trial(optuna.create_trial(params=params, distributions=known, value=value))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=GOOD)
    return optuna.importance.get_param_importances(played, evaluator=evaluator)


def _distribution(space: Search, name: str, rows: Sequence[dict[str, Any]]) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    declared = space.values_of(name)
    if not isinstance(declared, Range):
        return CategoricalDistribution(declared)
    if all(float(row[name]).is_integer() for row in rows if name in row) and float(declared.low).is_integer():
        step = int(declared.step or 1)
        return IntDistribution(int(declared.low), int(declared.high), declared.log, step)
    return FloatDistribution(declared.low, declared.high, declared.log, declared.step)


_SHOWN = 8.0
"""Points below the best on the front's axis; the caption counts the lower candidates."""

_MARKS = "sDv^PX*hp<>d"
"""Markers of the candidates of the finals, in their order."""

_COSTS = {
    "parameters": "Parameters (log scale)",
    "seconds": "Training time of one thread (s, log scale)",
}

_NAME_WIDTH = 12
"""Letters of a line beside an axis."""


def draw_search_figures(
    study: Study,
    trials: Sequence[TrialRow],
    search: Sequence[SearchRow],
    finals: Sequence[FinalRow],
    folder: Path,
) -> list[DrawnFigure]:
    """Draw the front, the importances and the parallel coordinates; none without a search.

    Raises:
        OSError: the folder cannot be written to.
    """
    known = [row for row in search if row.validation_accuracy is not None]
    if study.optimum is None or not known:
        return []
    number = study.optimum.number
    drawn = [_draw_front(number, list_dots(known), list_finals(trials, finals), folder)]
    importances = rank_importances(study, known)
    if importances:
        drawn.append(_draw_importances(number, importances, len(known), folder))
    return [*drawn, _draw_parallel(study, number, known, folder)]


def _draw_front(exercise: int, dots: Sequence[Dot], finals: Sequence[Dot], folder: Path) -> DrawnFigure:
    title = f"Exercise {exercise}: what does accuracy cost in size and in time?"
    best = max(each.accuracy for each in (*dots, *finals))
    shown, shown_finals = (
        [each for each in some if each.accuracy >= best - _SHOWN] for some in (dots, finals)
    )
    numbered = [f"{each.label}: {each.name}" for each in shown_finals if each.label != each.name]
    with new_figure(title, 7.0 + 0.2 * len(finals)) as figure:
        panels = figure.subplots(2, 1)
        for axes, (cost, label) in zip(panels, _COSTS.items(), strict=True):
            _plot_costs(axes, cost, shown, shown_finals)
            axes.set(xlabel=label, ylabel="Validation accuracy (%)")
        place_legend(figure)
        caption, alt = front_words(dots, finals, len(dots) - len(shown))
        caption += f" In the legend, {'; '.join(numbered)}." if numbered else ""
        name = f"exercise-{exercise}-front"
        return save(figure, folder, name, exercise=exercise, title=title, caption=caption, alt=alt)


def _plot_costs(axes: Axes, cost: str, dots: Sequence[Dot], finals: Sequence[Dot]) -> None:
    for is_complete, marker, colour, label in (
        (False, "x", GREY, "candidate, stopped early"),
        (True, "o", BLUE, "candidate, trained to the end"),
    ):
        some = [each for each in dots if each.is_complete is is_complete]
        places, heights = [getattr(each, cost) for each in some], [each.accuracy for each in some]
        axes.plot(places, heights, marker, color=colour, alpha=0.75, markersize=5, label=label)
    front = find_front(dots, cost)
    axes.step(
        [getattr(each, cost) for each in front], [each.accuracy for each in front],
        where="post", color=BLUE, linewidth=1, alpha=0.7, label="best reading at the cost or less",
    )  # fmt: skip
    for number, each in enumerate(finals):  # by their marks: names next to them would overlap
        axes.errorbar(
            [getattr(each, cost)], [each.accuracy], [each.half], fmt=_MARKS[number % len(_MARKS)],
            color=VERMILLION, markersize=6.5, elinewidth=1.3, capsize=4, zorder=3, label=each.label,
        )  # fmt: skip
    show_log(axes, "x", np.array([getattr(each, cost) for each in (*dots, *finals)], float))


def front_words(dots: Sequence[Dot], finals: Sequence[Dot], below: int) -> tuple[str, str]:
    """Return caption and alt text of the front."""
    caption = (
        f"{count(len(dots), 'candidate')} of the search, one training each"
        + (f", {below} of them more than {_SHOWN:g} points below the best and not shown" if below else "")
        + "; one that was stopped early counts with its best reading and its time until then. "
        "The step line joins readings that none of equal or lower cost exceeds: single readings, the "
        "luckiest of many. With bars and marks of their own: the finals, means over fresh seeds with 95% "
        "intervals (Student's t)."
    )
    means = [f"{each.name} {each.accuracy:.2f}% with {each.parameters:,} parameters" for each in finals]
    told = f" {listing(means)}." if means else ""
    return caption, f"Validation accuracy against parameters and training time.{told}"


def _draw_importances(
    exercise: int, importances: dict[str, float], candidates: int, folder: Path
) -> DrawnFigure:
    title = f"Exercise {exercise}: which parameters decide?"
    names, shares = list(importances), [100 * each for each in importances.values()]
    with new_figure(title, 1.2 + 0.35 * len(names)) as figure:
        axes = figure.add_subplot(xlabel="Share of the importance (%)")
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")
        bars = axes.barh(range(len(names)), shares, color=BLUE, height=0.6)
        axes.bar_label(bars, [f"{each:.0f}" for each in shares], padding=4)
        axes.set_yticks(range(len(names)), [parameter_noun(name) for name in names])
        axes.invert_yaxis()
        axes.set_xlim(0, 1.1 * max(shares))
        caption = (
            "How well each parameter alone separates the best quarter of candidates on validation from the "
            f"others (PED-ANOVA, {candidates} candidates, shares of the sum). It holds for the "
            "searched ranges, where the search looked most, not elsewhere; it misses parameters "
            "that matter only together."
        )
        pairs = zip(names, shares, strict=True)
        told = listing([f"{parameter_noun(name)} {share:.0f}%" for name, share in pairs])
        name = f"exercise-{exercise}-importances"
        alt = f"Bar chart of parameter importances: {told}."
        return save(figure, folder, name, exercise=exercise, title=title, caption=caption, alt=alt)


def _draw_parallel(study: Study, exercise: int, search: Sequence[SearchRow], folder: Path) -> DrawnFigure:
    coordinates = list_coordinates(study, search)
    title = f"Exercise {exercise}: which values do the best candidates have?"
    accuracies = [row.validation_accuracy for row in search if row.validation_accuracy is not None]
    accuracy = Coordinate("validation accuracy (%)", False, tuple(100 * each for each in accuracies))
    all_axes, good = (*coordinates, accuracy), are_good(accuracies)
    with new_figure(title, 1.2 + 0.6 * len(all_axes)) as figure:
        axes = figure.add_subplot()
        axes.grid(False)
        heights = np.array([_heights(each) for each in all_axes])
        for is_best, colour, width, alpha in ((False, GREY, 0.8, 0.45), (True, VERMILLION, 1.8, 0.9)):
            for line in heights.T[good == is_best]:
                marker = "." if np.isnan(line).any() else ""  # a point between gaps has no line
                axes.plot(
                    line, range(len(all_axes)), marker=marker, color=colour, linewidth=width, alpha=alpha
                )
        for place, each in enumerate(all_axes):
            _draw_scale(axes, place, each)
        names = [fill(parameter_noun(each.name), _NAME_WIDTH, break_long_words=False) for each in all_axes]
        axes.set_yticks(range(len(all_axes)), names)
        axes.set_xticks([])
        axes.set_xlim(-0.16, 1.16)
        axes.set_ylim(len(all_axes) - 0.7, -0.6)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.plot([], [], color=VERMILLION, linewidth=1.8, label="best quarter on validation")
        axes.plot([], [], color=GREY, linewidth=0.8, label="other candidates")
        place_legend(figure)
        caption = (
            f"Each line is a candidate of the search ({len(search)} in all): its values, and its validation "
            "accuracy. Epochs are those of its best reading, among its trained epochs."
        )
        if np.isnan(heights).any():
            caption += " A line has a gap at a parameter that was not searched in that candidate."
        best = search[int(np.argmax(accuracies))]
        searched = read_searched(best, study.optimum.search) if study.optimum and study.optimum.search else {}
        values = listing([f"{parameter_noun(name)} {value}" for name, value in searched.items()])
        alt = f"Parallel coordinates of {len(search)} candidates. The best reading: {values}."
        name = f"exercise-{exercise}-parallel"
        return save(figure, folder, name, exercise=exercise, title=title, caption=caption, alt=alt)


def _heights(coordinate: Coordinate) -> np.ndarray:
    """Scale values from the lowest, 0, to the highest, 1; to the middle if all are the same."""
    values = np.array(coordinate.values, float)
    values = np.log(values) if coordinate.is_log else values
    low, high = np.nanmin(values), np.nanmax(values)
    return (values - low) / (high - low) if high > low else np.where(np.isnan(values), values, 0.5)


def _draw_scale(axes: Axes, place: int, coordinate: Coordinate) -> None:
    """Draw a horizontal line with the values at its ends, and all values if they are few."""
    axes.axhline(place, color=INK, linewidth=1, zorder=3)
    heights = _heights(coordinate)
    pairs = zip(coordinate.values, map(float, heights), strict=True)
    values = sorted({pair for pair in pairs if not math.isnan(pair[0])})
    marked = values if len(values) <= 4 else [values[0], values[-1]]
    for value, height in marked:
        text = coordinate.words[int(value)] if coordinate.words else f"{value:.4g}"
        axes.annotate(
            text, (height, place), (0, 4), textcoords="offset points", ha="center", zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.8},
        )  # fmt: skip
