"""The report's tables of settings, candidates and failures, and how settings compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from storage.tables import AgreementRow, ComparisonRow, SummaryRow, TrialRow
from study.spec import Setting, SweepExercise
from study.status import Status
from study.wording import MISSING, interval, percent, plain, points, points_interval, probability
from tasks.tables import read_setting

if TYPE_CHECKING:
    from study.conclusions import Factors  # which imports the tests of statistics


@dataclass(frozen=True)
class Table:
    """A table as text; the first column names the row, `marked` holds the places of highlighted rows."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    marked: frozenset[int] = frozenset()
    has_words: bool = False
    """Say whether its cells are words, which wrap, and not numbers."""


def tabulate_failures(trials: Sequence[TrialRow]) -> Table | None:
    """Return every failed trial with its reason; None if none failed."""
    rows = tuple(
        (
            f"{row.setting}, repeat {row.repeat}",
            str(row.exercise),
            str(row.attempts),
            row.reason or "not recorded",
        )
        for row in trials
        if row.status == Status.FAILED
    )
    header = ("Trial", "Exercise", "Attempts", "Reason")
    return Table("Failed trials", header, rows, has_words=True) if rows else None


def tabulate_sweep(
    exercise: SweepExercise, summary: Sequence[SummaryRow], agreement: Sequence[AgreementRow]
) -> Table:
    """Return a row for each setting of a sweep; other columns only where some setting has them.

    `agreement` are its published means.
    """
    header = [title_of(exercise.varies), "n", "Mean, %", "SD, points", "95% interval, %"]
    rows = [(name_value(exercise, row), *_measures(row)) for row in summary]
    notes = []
    if any((row.low_accuracy or 0) < 0 or (row.high_accuracy or 0) > 1 for row in summary):
        notes.append("Intervals that would leave 0 to 100% end there.")
    if any(row.collapsed_trials for row in summary):
        header.append("Collapsed")
        rows = [(*cells, _decimal(row.collapsed_trials, 0)) for cells, row in zip(rows, summary, strict=True)]
        notes.append("Collapsed: trials at 20% or less. Beside them neither mean nor interval says much.")
    if any(row.bootstrap_low_accuracy is not None for row in summary):
        header.append("Bootstrap 95%")
        rows = [(*cells, _bootstrap(row)) for cells, row in zip(rows, summary, strict=True)]
        notes.append(
            "Bootstrap: the BCa interval of the mean, which follows the readings' skew; from 20 readings on."
        )
    held = {row.value: row for row in agreement}
    if held:
        header += ["Published, %", "Difference, points", "its 95% interval", "Verdict"]
        against = [_against_published(held.get(row.value)) for row in summary]
        rows = [(*cells, *more) for cells, more in zip(rows, against, strict=True)]
    return Table(f"Exercise {exercise.number}, by setting", tuple(header), tuple(rows), tuple(notes))


def tabulate_candidates(
    baseline: Setting, trials: Sequence[TrialRow], summary: Sequence[SummaryRow], kept: str | None
) -> Table:
    """Return a row for each candidate of the optimum, with the parameters that differ from the baseline."""
    settings = {row.setting: read_setting(row) for row in trials}
    varied = [
        name
        for name in baseline.values
        if any(each.values[name] != baseline.values[name] for each in settings.values())
    ]
    rows = tuple(
        (
            f"{row.setting} (kept)" if row.setting == kept else row.setting,
            *(_number(settings[row.setting].values[name]) for name in varied),
            count_trials(row),
            percent(row.mean_validation_accuracy, sign=False),
            percent(row.mean_accuracy, sign=False),
            _decimal(row.mean_training_seconds),
        )
        for row in summary
    )
    header = ("Candidate", *map(title_of, varied), "n", "Validation, %", "Test, %", "Training, s")
    marked = frozenset(place for place, row in enumerate(summary) if row.setting == kept)
    note = "Accuracies and training time are means over n. What is not listed is as in the baseline."
    return Table("Candidates", header, rows, (note,), marked)


def _measures(row: SummaryRow) -> tuple[str, ...]:
    return (
        count_trials(row),
        percent(row.mean_accuracy, sign=False),
        percent(row.sd_accuracy, sign=False),
        interval(row.low_accuracy, row.high_accuracy),
    )


def count_trials(row: SummaryRow) -> str:
    """Return the completed trials of a setting, and the number of failed ones if any."""
    return f"{row.trials} ({row.failed_trials} failed)" if row.failed_trials else str(row.trials)


def _against_published(row: AgreementRow | None) -> tuple[str, ...]:
    if row is None:
        return (MISSING,) * 4
    return (
        percent(row.published_accuracy, sign=False),
        points(row.difference),
        points_interval(row.low, row.high),
        row.verdict,
    )


def _bootstrap(row: SummaryRow) -> str:
    if row.bootstrap_low_accuracy is None:
        return MISSING
    low, high = row.bootstrap_low_accuracy, row.bootstrap_high_accuracy
    return f"{percent(low, sign=False)}–{percent(high, sign=False)}"


def _decimal(number: float | None, places: int = 1) -> str:
    return MISSING if number is None else f"{number:,.{places}f}"


def _number(value: float | str | bool | None) -> str:
    return MISSING if value is None else plain(value)


def name_value(exercise: SweepExercise, row: SummaryRow) -> str:
    """Return the value of a sweep's setting, or its combination of values."""
    return MISSING if row.value is None else exercise.label(row.value)


def title_of(parameter: str) -> str:
    """Return a parameter's name as a column's header."""
    return parameter.replace("_", " ").capitalize()


def tabulate_pairs(exercise: SweepExercise, comparisons: Sequence[ComparisonRow]) -> Table | None:
    """Return a row for each pair of settings, those that differ marked; None if no pair could be compared."""
    if not comparisons:
        return None
    header = (
        *("Pair", "Difference, points", "95% interval", "p", "p, corrected", "Hedges' g (95%)"),
        "Detectable, points",
    )
    marked = frozenset(place for place, row in enumerate(comparisons) if row.differs)
    rows = tuple((_name_pair(exercise, row), *_pair(row)) for row in comparisons)
    return Table(f"Exercise {exercise.number}, every pair", header, rows, marked=marked)


def tabulate_factors(exercise: SweepExercise, factors: "Factors") -> Table | None:
    """Return the average effects of the parameters of a grid, then their interactions."""
    told = [
        (f"{each.values[0]} → {each.values[1]}, averaged over {each.over}", each.change)
        for each in factors.effects
    ]
    told += [
        (f"{each.step[0]} → {each.step[1]}: with {each.at[1]} less with {each.at[0]}", each.change)
        for each in factors.interactions
    ]
    rows = tuple(
        (
            name,
            points(change.difference),
            points_interval(*change.corrected.interval),
            p_value(change.corrected.difference.p_value),
            p_value(change.corrected.p_value),
        )
        for name, change in told
    )
    header = ("Change", "Difference, points", "95% interval", "p", "p, corrected")
    marked = frozenset(place for place, (_, change) in enumerate(told) if change.differs)
    note = "Seed by seed. Corrected for the number of changes of one parameter, or of interactions."
    title = f"Exercise {exercise.number}, the two parameters"
    return Table(title, header, rows, (note,), marked) if rows else None


def tabulate_times(exercise: SweepExercise, summary: Sequence[SummaryRow]) -> Table:
    """Return a row for each setting: epochs, epoch time, convergence and target, with censored counts."""
    target = percent(summary[0].target_accuracy).replace(".00", "")
    header = (
        title_of(exercise.varies),
        *("n", "Epochs run", "An epoch, s", "Training, s", "Converged", "after epochs", "after s"),
        *(f"Reached {target}", "after epochs", "after s"),
    )
    rows = tuple((name_value(exercise, row), *_times(row)) for row in summary)
    return Table(f"Exercise {exercise.number}, time", header, rows)


def _name_pair(exercise: SweepExercise, row: ComparisonRow) -> str:
    pair = f"{exercise.label(row.first_value)} → {exercise.label(row.second_value)}"
    return pair.replace(" ", "\N{NO-BREAK SPACE}")


def _pair(row: ComparisonRow) -> tuple[str, ...]:
    return (
        points(row.difference),
        points_interval(row.low, row.high),
        p_value(row.p_value),
        p_value(row.adjusted_p_value),
        _effect(row),
        percent(row.detectable_difference, sign=False),
    )


def _effect(row: ComparisonRow) -> str:
    if row.effect_size is None:
        return MISSING
    return f"{row.effect_size:.1f} ({row.effect_low:.1f} to {row.effect_high:.1f})".replace("-", "−")


def _times(row: SummaryRow) -> tuple[str, ...]:
    return (
        count_trials(row),
        _decimal(row.mean_epochs_run),
        _decimal(row.mean_epoch_seconds, 2),
        _decimal(row.mean_training_seconds),
        f"{row.converged_trials} of {row.trials}" if row.trials else MISSING,
        _decimal(row.kaplan_meier_convergence_epoch),
        _decimal(row.kaplan_meier_convergence_seconds),
        f"{row.target_trials} of {row.trials}" if row.trials else MISSING,
        _decimal(row.kaplan_meier_target_epoch),
        _decimal(row.kaplan_meier_target_seconds),
    )


def p_value(value: float | None) -> str:
    """Return a table's cell of a p value; a dash for none."""
    # In a table each character counts.
    return MISSING if value is None else probability(value).replace("below ", "< ")
