"""The report's tables as text: settings, candidates and failures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from study.exercises import SweepExercise
from study.setting import Setting
from study.wording import MISSING, interval, percent, plain, points
from tasks.setting_of import read_setting


@dataclass(frozen=True)
class Table:
    """A table as text; the first column names the row, `marked` holds the places of rows to stress."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    marked: frozenset[int] = frozenset()
    has_words: bool = False
    """Whether its cells are words, which wrap, rather than numbers, which do not."""


def tabulate_failures(trials: pd.DataFrame) -> Table | None:
    """Every failed trial with its reason; None if none failed."""
    failed = trials[trials["status"] == "failed"].to_dict("records")
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
    """One row for each setting of a sweep; published columns only where something was published.

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
    """Columns that stand only where they say something: whether, name, text of a cell, and a note."""
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
    """One row for each candidate of the optimum, with the parameters in which any differs from the baseline.

    Args:
        baseline: What the study holds fixed.
        trials: Rows of `trials` of the optimum exercise.
        summary: Its rows of `summary`.
        kept: Name of the candidate that was kept.
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
    """The completed trials of a setting, and how many failed if any did."""
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
    """A parameter's name as a column's header."""
    return parameter.replace("_", " ").capitalize()
