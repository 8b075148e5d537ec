"""The report's tables of settings, candidates and failures, and how settings compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from study.records import CONVERGENCE_PATIENCE
from study.spec import Setting, SweepExercise
from study.status import Status
from study.wording import MISSING, count, interval, percent, plain, points, probability
from tasks.tables import read_setting


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


def tabulate_failures(trials: pd.DataFrame) -> Table | None:
    """Return every failed trial with its reason; None if none failed."""
    failed = trials[trials["status"] == Status.FAILED].to_dict("records")
    rows = tuple(
        (
            f"{row['setting']}, repeat {row['repeat']}",
            str(row["exercise"]),
            str(row["attempts"]),
            "not recorded" if pd.isna(row["reason"]) else str(row["reason"]),
        )
        for row in failed
    )
    header = ("Trial", "Exercise", "Attempts", "Reason")
    return Table("Failed trials", header, rows, has_words=True) if rows else None


def tabulate_sweep(exercise: SweepExercise, summary: pd.DataFrame, agreement: pd.DataFrame) -> Table:
    """Return a row for each setting of a sweep; published columns only if something was published.

    Args:
        exercise: The sweep.
        summary: Its rows of the `summary` table.
        agreement: Its published means, rows of the `agreement` table.
    """
    header: tuple[str, ...] = (
        title_of(exercise.parameter),
        *("n", "Mean, %", "SD, points", "95% interval, %", "Min–max, %"),
    )
    records = summary.to_dict("records")
    rows = tuple(_measures(row) for row in records)
    notes = ["Of test accuracy; the interval of the mean is Student's t over seeds."]
    if any(row["low_accuracy"] < 0 or row["high_accuracy"] > 1 for row in records):
        notes.append("Where readings lie so far apart that it would leave 0 to 100%, it ends there.")
    for has, name, cell, note in _optional_columns(records):
        if has:
            header += (name,)
            rows = tuple((*cells, cell(row)) for cells, row in zip(rows, records, strict=True))
            notes.append(note)
    held = {float(row["value"]): row for row in agreement.to_dict("records")}
    if held:
        header += ("Published, %", "Difference, points", "its 95% interval", "Verdict")
        against = [_against_published(held.get(float(row["value"]))) for row in records]
        rows = tuple((*cells, *more) for cells, more in zip(rows, against, strict=True))
    return Table(f"Exercise {exercise.number}, by setting", header, rows, tuple(notes))


def _optional_columns(records: Sequence[Any]) -> list[tuple[bool, str, Any, str]]:
    """Return the optional columns: whether to show it, name, text of a cell, and a note."""
    return [
        (
            any(row["collapsed_trials"] > 0 for row in records),
            "Collapsed",
            lambda row: _whole(row["collapsed_trials"]),
            "Collapsed: trials at 20% or less. Beside them neither mean nor interval says much.",
        ),
        (
            any(pd.notna(row["bootstrap_low_accuracy"]) for row in records),
            "Bootstrap 95%",
            lambda row: _range(row["bootstrap_low_accuracy"], row["bootstrap_high_accuracy"]),
            "Bootstrap: the BCa interval of the mean, which follows the readings' skew; from 20 readings on.",
        ),
    ]


def tabulate_candidates(
    baseline: Setting, trials: pd.DataFrame, summary: pd.DataFrame, kept: str | None
) -> Table:
    """Return a row for each candidate of the optimum, with the parameters that differ from the baseline.

    Args:
        baseline: The study's fixed parameters.
        trials: Rows of `trials` of the optimum exercise.
        summary: Its rows of `summary`.
        kept: Name of the kept candidate.
    """
    first = trials.drop_duplicates("setting").to_dict("records")
    settings = {str(row["setting"]): read_setting(row) for row in first}
    varied = [
        name
        for name in Setting.model_fields
        if any(getattr(each, name) != getattr(baseline, name) for each in settings.values())
    ]
    records = summary.to_dict("records")
    rows = tuple(
        (
            f"{row['setting']} (kept)" if row["setting"] == kept else str(row["setting"]),
            *(_number(getattr(settings[str(row["setting"])], name)) for name in varied),
            *_candidate_measures(row),
        )
        for row in records
    )
    header = ("Candidate", *map(title_of, varied), "n", "Validation, %", "Test, %", "Training, s")
    marked = frozenset(place for place, row in enumerate(records) if row["setting"] == kept)
    note = "Accuracies and training time are means over n. What is not listed is as in the baseline."
    return Table("Candidates", header, rows, (note,), marked)


def _measures(row: Any) -> tuple[str, ...]:
    return (
        plain(row["value"]),
        count_trials(row),
        percent(row["mean_accuracy"], sign=False),
        percent(row["sd_accuracy"], sign=False),
        interval(row["low_accuracy"], row["high_accuracy"]),
        _range(row["minimum_accuracy"], row["maximum_accuracy"]),
    )


def count_trials(row: Any) -> str:
    """Return the completed trials of a setting, and the number of failed ones if any."""
    trials, failed = int(row["trials"]), int(row["failed_trials"])
    return f"{trials} ({failed} failed)" if failed else str(trials)


def _against_published(row: Any) -> tuple[str, ...]:
    if row is None:
        return (MISSING,) * 4
    low, high = points(row["low"]), points(row["high"])
    return (
        percent(row["published_accuracy"], sign=False),
        points(row["difference"]),
        MISSING if low == MISSING else f"{low} to {high}",
        str(row["verdict"]),
    )


def _candidate_measures(row: Any) -> tuple[str, ...]:
    return (
        count_trials(row),
        percent(row["mean_validation_accuracy"], sign=False),
        percent(row["mean_accuracy"], sign=False),
        _decimal(row["mean_training_seconds"]),
    )


def _range(low: float, high: float) -> str:
    if pd.isna(low) or pd.isna(high):
        return MISSING
    return f"{percent(low, sign=False)}–{percent(high, sign=False)}"


def _whole(number: float) -> str:
    return MISSING if pd.isna(number) else f"{int(number):,}"


def _decimal(number: float, places: int = 1) -> str:
    return MISSING if pd.isna(number) else f"{number:,.{places}f}"


def _number(value: Any) -> str:
    return MISSING if pd.isna(value) else plain(value if isinstance(value, str) else float(value))


def title_of(parameter: str) -> str:
    """Return a parameter's name as a column's header."""
    return parameter.replace("_", " ").capitalize()


def tabulate_pairs(exercise: SweepExercise, comparisons: pd.DataFrame) -> Table | None:
    """Return a row for each pair of settings, those that differ marked; None if no pair could be compared.

    Args:
        exercise: The sweep.
        comparisons: Its rows of the `comparisons` table.
    """
    records = comparisons.to_dict("records")
    if not records:
        return None
    is_paired = records[0]["test"] == "paired t"
    header = (
        *("Pair", "Difference, points", "95% interval", "p", "p, Holm", "Hedges' g (95%)"),
        *(() if is_paired else ("p, paired",)),
        *("Seen 80%, points", "Repeats needed"),
    )
    test = "The paired t test over equal seeds" if is_paired else "Welch's t test"
    notes = [
        f"{test}, second setting less the first. The intervals hold for all {count(len(records), 'pair')} "
        "at once (Bonferroni); the p values of Holm are corrected for as many. Marked: different at 5%.",
        "Seen 80%: the difference that these repeats find four times in five. Repeats needed: of each "
        "setting, to find the observed difference as often, if it is real.",
    ]
    if not is_paired:
        notes.append(
            "p, paired: over seeds that both settings share. It sees more where a seed moves both alike, "
            "but is not what we chose to go by, and decides nothing."
        )
    rows = tuple(_pair(row, is_paired) for row in records)
    marked = frozenset(place for place, row in enumerate(records) if row["differs"])
    return Table(f"Exercise {exercise.number}, every pair", header, rows, tuple(notes), marked)


def tabulate_times(exercise: SweepExercise, summary: pd.DataFrame) -> Table:
    """Return a row for each setting: epochs, epoch time, convergence and target, with censored counts.

    Args:
        exercise: The sweep.
        summary: Its rows of the `summary` table.
    """
    records = summary.to_dict("records")
    targets = summary["target_accuracy"].dropna()
    target = "the target" if targets.empty else percent(targets.iloc[0]).replace(".00", "")
    header = (
        exercise.parameter.replace("_", " ").capitalize(),
        *("n", "Epochs run", "An epoch, s", "Training, s", "Converged", "after epochs", "after s"),
        *(f"Reached {target}", "after epochs", "after s"),
    )
    notes = (
        "Epochs and seconds of training are means. Converged: validation loss was lowest and then not lower "
        f"for {CONVERGENCE_PATIENCE} epochs. Reached: validation accuracy of {target}. After: medians, where "
        "trials that did not get there count as censored (Kaplan and Meier); none where too few did. Seconds "
        f"are of training steps only, on {_machine(summary)}.",
    )
    return Table(f"Exercise {exercise.number}, time", header, tuple(map(_times, records)), notes)


def _pair(row: Any, is_paired: bool) -> tuple[str, ...]:
    low, high = points(row["low"]), points(row["high"])
    needed = row["repeats_needed"]
    return (
        f"{plain(row['first_value'])}\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}{plain(row['second_value'])}",
        points(row["difference"]),
        MISSING if low == MISSING else f"{low} to {high}",
        _p(row["p_value"]),
        _p(row["adjusted_p_value"]),
        _effect(row),
        *(() if is_paired else (_p(row["paired_p_value"]),)),
        percent(row["detectable_difference"], sign=False),
        MISSING if pd.isna(needed) else f"{int(needed):,}",
    )


def _effect(row: Any) -> str:
    if pd.isna(row["effect_size"]):
        return MISSING
    return f"{row['effect_size']:.1f} ({row['effect_low']:.1f} to {row['effect_high']:.1f})".replace("-", "−")


def _times(row: Any) -> tuple[str, ...]:
    trials = int(row["trials"])
    return (
        plain(row["value"]),
        count_trials(row),
        _decimal(row["mean_epochs_run"]),
        _decimal(row["mean_epoch_seconds"], 2),
        _decimal(row["mean_training_seconds"]),
        f"{row['converged_trials']} of {trials}" if trials else MISSING,
        _decimal(row["kaplan_meier_convergence_epoch"]),
        _decimal(row["kaplan_meier_convergence_seconds"]),
        f"{row['target_trials']} of {trials}" if trials else MISSING,
        _decimal(row["kaplan_meier_target_epoch"]),
        _decimal(row["kaplan_meier_target_seconds"]),
    )


def _machine(summary: pd.DataFrame) -> str:
    devices, engines = summary["device"].dropna().unique(), summary["engine"].unique()
    device = ", ".join(devices) or "a device not recorded"
    return f"{device} by the {engines[0]} engine" if len(engines) else device


def _p(value: float) -> str:
    return probability(value).replace("below ", "< ")  # in a table each character counts
