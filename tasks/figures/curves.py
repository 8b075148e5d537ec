"""The learning curves of a sweep: their points, their figure, caption and alt text."""

import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from storage.tables import EpochRow, TrialRow
from study.spec import Study, SweepExercise
from study.status import Status
from study.wording import count, listing, plain, shortened
from tasks.figures.points import readings_floor
from tasks.figures.style import (
    BLUE,
    GREY,
    VERMILLION,
    DrawnFigure,
    ParameterAxis,
    new_figure,
    parameter_axis,
    place_legend,
    save,
)
from tasks.figures.sweeps import count_text, failed_notes

Lines = tuple[tuple[float, ...], ...]
"""A value for each epoch, from the first, of each training; trainings may differ in length."""

LONG_RANGE = 10.0
"""Losses beyond this factor are drawn on a log scale."""

RULES = 1.5
"""Epoch 1 rules the loss axis if losses range more than this many times as far with it as without."""

_SHOWN_LOSS = 100.0
"""Losses follow the rule of accuracies in percent: 0.2 nats are far, like 20 points."""


@dataclass(frozen=True)
class SettingCurves:
    """The validation accuracies (percent) and losses (nats) of one setting's completed trials."""

    value: float
    accuracies: Lines
    losses: Lines
    failed: int

    @property
    def reached(self) -> int:
        """Return the last epoch that every training reached; 0 without trainings."""
        return min((len(line) for line in self.losses), default=0)

    @property
    def longest(self) -> int:
        """Return the last epoch that any training reached; 0 without trainings."""
        return max((len(line) for line in self.losses), default=0)


@dataclass(frozen=True)
class Span:
    """Limits of an axis without far values, whether it is logarithmic, and the first epoch drawn."""

    low: float
    high: float
    is_log: bool = False
    first: int = 1

    def leaves_out(self, line: Sequence[float]) -> bool:
        """Say whether a line, from epoch 1 on, runs off the axis where it is drawn."""
        return self.first_out(line) is not None

    def first_out(self, line: Sequence[float]) -> int | None:
        """Return the first epoch at which a line is off the axis; None if it never is."""
        epochs = enumerate(line[self.first - 1 :], self.first)
        return next((epoch for epoch, each in epochs if not self.low <= each <= self.high), None)


def setting_curves(
    study: Study, exercise: SweepExercise, trials: Sequence[TrialRow], epochs: Sequence[EpochRow]
) -> list[SettingCurves]:
    """Return the curves of each setting of an exercise, by rising value; only those of the longest budget if
    all settings read prefixes of them.

    Trials of other exercises are ignored; each trial gets the epochs that it read.
    """
    by_training = defaultdict(list)
    for each in sorted(epochs, key=lambda each: each.epoch):
        by_training[each.key].append(each)
    ours = sorted((row for row in trials if row.exercise == exercise.number), key=lambda row: row.repeat)
    all_curves = [
        _curves_of(value, [row for row in ours if row.value == value], by_training)
        for value in sorted(exercise.levels)
    ]
    if exercise.reads_prefixes(study.baseline):
        return [each for each in all_curves if each.losses][-1:]
    return all_curves


def _curves_of(
    value: float, trials: Sequence[TrialRow], by_training: Mapping[str, Sequence[EpochRow]]
) -> SettingCurves:
    done = [row for row in trials if row.status == Status.COMPLETED and row.key in by_training]
    read = [by_training[row.key][: row.epochs_run] for row in done]
    return SettingCurves(
        value,
        tuple(tuple(100 * each.validation_accuracy for each in epochs) for epochs in read),
        tuple(tuple(each.validation_loss for each in epochs) for epochs in read),
        failed=sum(row.status == Status.FAILED for row in trials),
    )


def mean_line(lines: Lines) -> list[float]:
    """Return the mean over all trainings of each epoch, up to the last that all reached.

    A later mean would be over the fewer trainings that early stopping selected.
    """
    return [math.fsum(values) / len(lines) for values in zip(*lines, strict=False)]


def accuracy_span(curves: Sequence[SettingCurves]) -> Span:
    """Return the span of accuracies in percent, by the rule of `readings_floor`."""
    readings = [each for setting in curves for line in setting.accuracies for each in line]
    floor = readings_floor(readings)
    low, high = floor, max(readings)
    margin = 0.04 * max(high - low, 1.0)
    return Span(max(low - margin, 0.0), min(high + margin, 100.0))


def loss_span(curves: Sequence[SettingCurves]) -> Span:
    """Return the span of losses in nats, by the same rule upside down; without epoch 1 if that rules it."""
    whole = _loss_span(curves, first=1)
    later = [each for setting in curves for line in setting.losses for each in line[1:] if each <= whole.high]
    if min(each.longest for each in curves if each.losses) < 2:
        return whole
    is_ruled = whole.high - whole.low > RULES * (max(later) - whole.low)
    return _loss_span(curves, first=2) if is_ruled else whole


def _loss_span(curves: Sequence[SettingCurves], first: int) -> Span:
    readings = [each for setting in curves for line in setting.losses for each in line[first - 1 :]]
    high = -readings_floor([-_SHOWN_LOSS * each for each in readings]) / _SHOWN_LOSS
    low = min(readings)
    if low > 0 and high > LONG_RANGE * low:
        return Span(low / 1.1, high * 1.1, is_log=True, first=first)
    margin = 0.04 * max(high - low, 0.02)
    return Span(max(low - margin, 0.0), high + margin, first=first)


_STOPPED = "Some trainings stopped early; a mean ends with the first of its trainings to do so."

_MOST_TOLD = 8
"""Most settings in an alt text: a longer one is tiring to hear."""


def curve_words(
    study: Study, exercise: SweepExercise, axis: ParameterAxis, curves: Sequence[SettingCurves]
) -> tuple[str, str]:
    """Return caption and alt text of the learning curves; `curves` holds at least one training."""
    counts = count_text([len(each.losses) for each in curves])
    sentences = [
        f"Validation accuracy and loss after each epoch; {counts}.",
        *(_prefix_notes(exercise, curves[0]) if exercise.reads_prefixes(study.baseline) else ()),
        *(["Losses are drawn from epoch 2 on."] if loss_span(curves).first == 2 else ()),
        *([_STOPPED] if any(each.reached != each.longest for each in curves) else ()),
        *_far_notes(axis, curves),
        *failed_notes({axis.name(each.value): each.failed for each in curves}),
    ]
    return " ".join(sentences), _describe(axis, curves)


def _prefix_notes(exercise: SweepExercise, longest: SettingCurves) -> list[str]:
    budgets = listing([plain(each) for each in sorted(exercise.levels) if each <= longest.value])
    longer = [plain(each) for each in sorted(exercise.levels) if each > longest.value]
    notes = [f"Dotted: the ends of the settings ({budgets}); all read the same trainings."]
    return [*notes, f"No trial of {listing(longer)} epochs was completed."] if longer else notes


def _far_notes(axis: ParameterAxis, curves: Sequence[SettingCurves]) -> list[str]:
    accuracy, loss = accuracy_span(curves), loss_span(curves)
    notes = []
    for setting in curves:
        low = [min(line) for line in setting.accuracies if accuracy.leaves_out(line)]
        high = [max(line[loss.first - 1 :]) for line in setting.losses if loss.leaves_out(line)]
        total = len(setting.losses)
        told = [f"accuracy of {len(low)} of {total}, lowest {min(low):.1f}%"] if low else []
        told += [f"loss of {len(high)} of {total}, highest {max(high):.2g} nats"] if high else []
        if told:
            notes.append(f"at {axis.name(setting.value)}: {', '.join(told)}")
    if not notes:
        return []
    return [
        f"Triangles at the edge: trainings far from the rest, off the axis ({'; '.join(notes)}); no mean is "
        "drawn of their setting."
    ]


def _describe(axis: ParameterAxis, curves: Sequence[SettingCurves]) -> str:
    """Say where the means end: all of them, or if many, the first, the last and the highest."""
    known, heading = [each for each in curves if each.losses], "Means at their ends"
    if len(known) > _MOST_TOLD:
        best = max(known, key=lambda each: mean_line(each.accuracies)[-1])
        known = [each for each in known if each in (known[0], known[-1], best)]
        heading = "Means at their ends, of the first, the last and the most accurate setting"
    ends = [
        f"{mean_line(each.accuracies)[-1]:.1f}% and {mean_line(each.losses)[-1]:.3g} nats "
        f"at {axis.name(each.value)} (epoch {each.reached})"
        for each in known
    ]
    return (
        f"Learning curves by {axis.noun}: validation accuracy and validation loss over "
        f"{count(max(each.longest for each in curves), 'epoch')}. {heading}: {', '.join(ends)}."
    )


logger = logging.getLogger(__name__)

_FAINTEST, _STRONGEST = 0.25, 0.7
"""Opacity of thin lines; more lines in a panel are fainter."""

_ROW = 0.95
"""Inches of a row of panels."""

_MOST_LETTERS = 22
"""Letters above a panel."""

_MOST_BUDGETS = 8
"""Most values written at the axis."""


@dataclass(frozen=True)
class _Column:
    """What a column of panels shows: its values for every setting."""

    label: str
    span: Span
    lines: Sequence[Lines]
    off_axis: float
    """Where lines leave a panel, in fractions of its height."""

    def mean(self, index: int) -> list[float]:
        """Return a setting's mean after each epoch; empty if it would include a training off the axis."""
        lines = self.lines[index]
        return [] if any(self.span.leaves_out(line) for line in lines) else mean_line(lines)


def draw_curve_figures(
    study: Study,
    exercise: SweepExercise,
    trials: Sequence[TrialRow],
    epochs: Sequence[EpochRow],
    folder: Path,
) -> list[DrawnFigure]:
    """Draw validation accuracy and loss of one exercise against the epoch, a panel a setting.

    Rows of other exercises are ignored; an exercise without a completed trial has no figure.

    Raises:
        OSError: the folder cannot be written to.
    """
    curves = setting_curves(study, exercise, trials, epochs)
    if not any(each.losses for each in curves):
        logger.warning("exercise %d: no completed trial, no learning curves", exercise.number)
        return []
    axis = parameter_axis(exercise)
    budgets = sorted(exercise.levels) if exercise.reads_prefixes(study.baseline) else []
    caption, alt = curve_words(study, exercise, axis, curves)
    how = "continue from epoch to epoch" if budgets else f"depend on the {axis.noun}"
    title = f"Exercise {exercise.number}: how does learning {how}?"
    with new_figure(title, 1.4 + max(3.0, _ROW * len(curves))) as figure:
        columns = _columns(curves)
        for index, (setting, panels) in enumerate(zip(curves, _grid(figure, len(curves)), strict=True)):
            names = _name_panel(exercise, setting), _mark_lowest(panels[1], columns[1].mean(index))
            for axes, column, name in zip(panels, columns, names, strict=True):
                axes.set_title(f"{column.label}\n{name}" if index == 0 else name)
                _draw_panel(axes, column, index)
                _show_epochs(axes, max(each.longest for each in curves), budgets)
        for axes in panels[-1:] if len(curves) == 1 else panels:
            axes.set_xlabel("Epoch")
        place_legend(figure, columns=2)
        name = f"exercise-{exercise.number}-curves"
        return [save(figure, folder, name, exercise=exercise.number, title=title, caption=caption, alt=alt)]


def _name_panel(exercise: SweepExercise, setting: SettingCurves) -> str:
    """Name a setting where half the figure's width is free for it."""
    name = exercise.phrase(setting.value)
    return name if len(name) <= _MOST_LETTERS else shortened(exercise.label(setting.value), _MOST_LETTERS)


def _grid(figure: Figure, settings: int) -> list[tuple[Axes, Axes]]:
    """Return the panels of each setting: accuracy and loss side by side, or of a single one below another."""
    rows, columns = (settings, 2) if settings > 1 else (2, 1)
    panels: list[Axes] = list(figure.subplots(rows, columns, sharex=True).flat)
    return list(zip(panels[::2], panels[1::2], strict=True))


def _columns(curves: Sequence[SettingCurves]) -> tuple[_Column, _Column]:
    loss = loss_span(curves)
    label = "Loss (nats, log scale)" if loss.is_log else "Loss (nats)"
    return (
        _Column("Accuracy (%)", accuracy_span(curves), [each.accuracies for each in curves], 0.05),
        _Column(label, loss, [each.losses for each in curves], 0.95),
    )


def _mark_lowest(axes: Axes, losses: Sequence[float]) -> str:
    """Mark the lowest loss of a mean, and return its epoch in words; nothing where no mean is drawn."""
    if not losses:
        return ""
    epoch = losses.index(min(losses)) + 1
    axes.plot([epoch], [min(losses)], "o", color=VERMILLION, markersize=6, zorder=4, label="lowest loss")
    return f"lowest: epoch {epoch}"


def _draw_panel(axes: Axes, column: _Column, index: int) -> None:
    """Draw one setting: each training thin, their mean thick; the means of the others in grey."""
    span, lines = column.span, column.lines[index]
    axes.set_ylim(span.low, span.high)
    if span.is_log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda nats, _: f"{nats:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(3))
    _plot(axes, span, column.mean(index), BLUE, 2.2, "mean", zorder=3)
    opacity = min(max(2 / max(len(lines), 1), _FAINTEST), _STRONGEST)
    for line in lines:
        _plot(axes, span, line, BLUE, 0.7, "one training", alpha=opacity)
        if (out := span.first_out(line)) is not None:
            edge, mark = axes.get_xaxis_transform(), "v" if column.off_axis < 0.5 else "^"
            axes.plot(
                [out], [column.off_axis], mark, color=VERMILLION, markersize=6, transform=edge, zorder=4
            )
    for other in range(len(column.lines)):
        if other != index:
            _plot(axes, span, column.mean(other), GREY, 0.7, "other means", zorder=1.5)


def _plot(
    axes: Axes, span: Span, line: Sequence[float], colour: str, width: float, name: str, **more: Any
) -> None:
    shown = line[span.first - 1 :]
    epochs, style = range(span.first, span.first + len(shown)), "." if len(shown) == 1 else "-"
    axes.plot(epochs, shown, style, color=colour, linewidth=width, label=name, **more)


def _show_epochs(axes: Axes, last: int, budgets: Sequence[float]) -> None:
    axes.set_xlim(0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    shown = [each for each in budgets if each <= last]
    for budget in shown:
        axes.axvline(budget, color=GREY, linestyle=":", linewidth=1.2, zorder=1)
    if shown and len(shown) <= _MOST_BUDGETS:
        axes.xaxis.set_major_locator(FixedLocator(shown))
