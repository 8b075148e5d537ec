"""The learning curves of a sweep: their points, their figure, caption and alt text."""

import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from storage.tables import EpochRow, TrialRow
from study.spec import Study, SweepExercise
from study.status import Status
from study.wording import count, listing, plain
from tasks.figures.points import LONG_RANGE, readings_floor
from tasks.figures.style import BLUE, GREY, DrawnFigure, ParameterAxis, new_figure, parameter_axis, save
from tasks.figures.sweeps import count_text

Lines = tuple[tuple[float, ...], ...]
"""A value for each epoch, from the first, of each training; trainings may differ in length."""

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
    """Limits of an axis without far values, and whether it is logarithmic."""

    low: float
    high: float
    is_log: bool = False

    def leaves_out(self, line: Sequence[float]) -> bool:
        """Say whether a line runs off the axis."""
        return any(not self.low <= each <= self.high for each in line)


def setting_curves(
    study: Study, exercise: SweepExercise, trials: Sequence[TrialRow], epochs: Sequence[EpochRow]
) -> list[SettingCurves]:
    """Return the curves of each setting of an exercise, by rising value; only those of the longest budget if
    all settings read prefixes of them.

    Args:
        study: The study the exercise belongs to.
        exercise: The exercise.
        trials: Rows of the `trials` table; those of other exercises are ignored.
        epochs: Rows of the `epochs` table, of the same run; each trial gets those that it read.
    """
    by_training = defaultdict(list)
    for each in sorted(epochs, key=lambda each: each.epoch):
        by_training[each.key].append(each)
    ours = sorted((row for row in trials if row.exercise == exercise.number), key=lambda row: row.repeat)
    all_curves = [
        _curves_of(value, [row for row in ours if row.value == value], by_training)
        for value in sorted(exercise.values)
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
    """Return the span of losses in nats, by the same rule upside down; a log scale beyond a factor of ten."""
    readings = [each for setting in curves for line in setting.losses for each in line]
    high = -readings_floor([-_SHOWN_LOSS * each for each in readings]) / _SHOWN_LOSS
    low = min(readings)
    if low > 0 and high > LONG_RANGE * low:
        return Span(low / 1.1, high * 1.1, is_log=True)
    margin = 0.04 * max(high - low, 0.02)
    return Span(max(low - margin, 0.0), high + margin)


_MOST_TOLD = 8
"""Most settings in an alt text: a longer one is tiring to hear."""


def curve_words(
    study: Study, exercise: SweepExercise, axis: ParameterAxis, curves: Sequence[SettingCurves]
) -> tuple[str, str]:
    """Return caption and alt text of the learning curves; `curves` holds at least one training."""
    sentences = [
        f"Validation accuracy and validation loss after each epoch, protocol {study.protocol}"
        + (": there the validation images are the test images." if study.protocol == "lab" else "."),
        _lines_note(study, exercise, curves),
        *_stop_notes(curves),
        *_far_notes(curves),
        *_failed_notes(curves),
    ]
    return " ".join(sentences), _describe(axis, curves)


def _lines_note(study: Study, exercise: SweepExercise, curves: Sequence[SettingCurves]) -> str:
    if exercise.reads_prefixes(study.baseline):
        number = count(len(curves[0].losses), "training")
        budgets = listing([plain(each) for each in sorted(exercise.values) if each <= curves[0].value])
        longer = [plain(each) for each in sorted(exercise.values) if each > curves[0].value]
        return (
            "Settings with fewer epochs read the first epochs of the same trainings, so there is one curve: "
            f"that of {plain(curves[0].value)} epochs. Thick line with dots: the mean of {number}; thin "
            f"lines: single trainings; there are no error bars. Dotted: where the settings read ({budgets})."
            + (f" No trial of {listing(longer)} epochs was completed." if longer else "")
        )
    counts = count_text([len(each.losses) for each in curves])
    return (
        f"Thick lines with markers: the mean over a setting's trainings ({counts}); thin lines: single "
        "trainings, in the colour of their setting; there are no error bars."
    )


def _stop_notes(curves: Sequence[SettingCurves]) -> list[str]:
    if all(each.reached == each.longest for each in curves):
        return []
    return [
        "Some trainings stopped early. A mean ends with the first of its trainings to do so: beyond, it "
        "would be over the fewer trainings that early stopping selected. Only thin lines continue."
    ]


def _far_notes(curves: Sequence[SettingCurves]) -> list[str]:
    accuracy, loss = accuracy_span(curves), loss_span(curves)
    notes = []
    for setting in curves:
        low = [min(line) for line in setting.accuracies if accuracy.leaves_out(line)]
        high = [max(line) for line in setting.losses if loss.leaves_out(line)]
        total = len(setting.losses)
        told = [f"accuracy of {len(low)} of {total}, lowest {min(low):.1f}%"] if low else []
        told += [f"loss of {len(high)} of {total}, highest {max(high):.2g} nats"] if high else []
        if told:
            notes.append(f"at {plain(setting.value)}: {', '.join(told)}")
    if not notes:
        return []
    return [
        "Triangles at the edge: trainings far from the rest, off the axis from there "
        f"({'; '.join(notes)}). No mean is drawn where it would include one of them."
    ]


def _failed_notes(curves: Sequence[SettingCurves]) -> list[str]:
    failed = [f"{each.failed} at {plain(each.value)}" for each in curves if each.failed]
    return [f"Failed trials, not drawn: {', '.join(failed)}."] if failed else []


def _describe(axis: ParameterAxis, curves: Sequence[SettingCurves]) -> str:
    """Say where the means end: all of them, or if many, the first, the last and the highest."""
    known, heading = [each for each in curves if each.losses], "Means at their ends"
    if len(known) > _MOST_TOLD:
        best = max(known, key=lambda each: mean_line(each.accuracies)[-1])
        known = [each for each in known if each in (known[0], known[-1], best)]
        heading = "Means at their ends, of the first, the last and the most accurate setting"
    ends = [
        f"{mean_line(each.accuracies)[-1]:.1f}% and {mean_line(each.losses)[-1]:.3g} nats "
        f"at {plain(each.value)} (epoch {each.reached})"
        for each in known
    ]
    return (
        f"Learning curves by {axis.noun}: validation accuracy on the left, validation loss on the right, "
        f"over {count(max(each.longest for each in curves), 'epoch')}. {heading}: {', '.join(ends)}."
    )


logger = logging.getLogger(__name__)

_MARKERS, _DASHES = "os^DvPX<", ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)))
"""Markers and dashes, different in number, so that 24 settings differ in grey too."""

_FAINTEST, _STRONGEST = 0.15, 0.45
"""Opacity of thin lines; more lines are fainter."""

_MOST_MARKS = 20
"""Markers on a single line; half as many where lines share a panel."""

_MOST_BUDGETS = 8
"""Most values written at the axis."""

_LEGEND_COLUMNS = 6


@dataclass(frozen=True)
class _Panel:
    """One of the two panels: its values for every setting."""

    label: str
    span: Span
    lines: Sequence[Lines]
    off_axis: float
    """Where lines leave the panel, in fractions of its height."""


def draw_curve_figures(
    study: Study,
    exercise: SweepExercise,
    trials: Sequence[TrialRow],
    epochs: Sequence[EpochRow],
    folder: Path,
) -> list[DrawnFigure]:
    """Draw validation accuracy and loss of one exercise against the epoch, as PNG and SVG.

    An exercise without a completed trial has no figure.

    Args:
        study: The study the exercise belongs to.
        exercise: The exercise to draw.
        trials: Rows of the `trials` table; those of other exercises are ignored.
        epochs: Rows of the `epochs` table, of the same run.
        folder: The folder for the files; made when missing.

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
    how = "continue from epoch to epoch" if budgets else f"depend on the {axis.noun}"
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
        # Where a training runs off the axis, the mean is not drawn: only its name stays.
        is_off = any(panel.span.leaves_out(line) for line in lines)
        _plot_trainings(axes, lines, colours[index], 0.8 if is_off else opacity)
        _mark_far(axes, panel, lines, colours[index])
        _plot_mean(axes, [] if is_off else mean_line(lines), index, colours, names[index])


def _colours(count: int) -> list[str]:
    """Return colours from dark to light, visible on white, for rising values; blue for a single one."""
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
