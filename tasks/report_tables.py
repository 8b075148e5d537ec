"""The report's tables as text: settings, candidates, saved files, bands and failures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from study.chosen_model import ChosenModel, NewImage
from study.fashion_mnist import CLASS_NAMES
from study.published import BandVerdict
from study.spec import Setting, SweepExercise
from study.wording import MISSING, percent, plain, points


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


def tabulate_sweep(exercise: SweepExercise, summary: pd.DataFrame) -> Table:
    """One row for each setting of a sweep; published columns only where something was published.

    Args:
        exercise: The sweep.
        summary: Its rows of the `summary` table.
    """
    header: tuple[str, ...] = (
        _title(exercise.parameter),
        *("n", "Mean, %", "SD, points", "95% interval, %", "Min–max, %"),
        *("Epochs run", "Training, s", "Converged"),
    )
    records = summary.to_dict("records")
    rows = tuple(_measures(row) for row in records)
    notes = ["Mean, SD, interval and range are of test accuracy. Epochs and training time are means over n."]
    if summary["published_accuracy"].notna().any():
        header += ("Published, %", "Difference, points")
        rows = tuple((*cells, *_against_published(row)) for cells, row in zip(rows, records, strict=True))
    if any("†" in cell for row in rows for cell in row):
        notes.append("† The published average lies outside our 95% interval.")
    return Table(f"Exercise {exercise.number}, by setting", header, rows, tuple(notes))


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
    values = trials.drop_duplicates("setting").set_index("setting")
    varied = [name for name in Setting.model_fields if _varies(values[name], getattr(baseline, name))]
    records = summary.to_dict("records")
    rows = tuple(
        (
            f"{row['setting']} (kept)" if row["setting"] == kept else str(row["setting"]),
            *(_number(values.loc[str(row["setting"]), name]) for name in varied),
            *_candidate_measures(row),
        )
        for row in records
    )
    header = ("Candidate", *map(_title, varied), "n", "Validation, %", "Test, %", "Training, s")
    marked = frozenset(place for place, row in enumerate(records) if row["setting"] == kept)
    note = "Accuracies and training time are means over n. What is not listed is as in the baseline."
    return Table("Candidates", header, rows, (note,), marked)


def tabulate_files(chosen: ChosenModel) -> Table:
    """The saved files, and whether they are the same model when loaded again."""
    loaded = "same outputs on every test image" if chosen.files_agree else "THE FILES' OUTPUTS DIFFER"
    rows = tuple((name, loaded) for name in chosen.files)
    marked = frozenset() if chosen.files_agree else frozenset(range(len(rows)))
    return Table("Files saved", ("File", "Loaded again"), rows, marked=marked, has_words=True)


def tabulate_image(image: NewImage) -> Table:
    """The new image's probability of each class, in the order of the classes."""
    title = f"Test image {image.test_index}: probability of each class"
    rows = tuple(
        (name, f"{probability:.4f}")
        for name, probability in zip(CLASS_NAMES, image.probabilities, strict=True)
    )
    marked = frozenset({CLASS_NAMES.index(image.predicted_class)})
    return Table(title, ("Class", "Probability"), rows, (f"Its true class is {image.true_class}.",), marked)


def tabulate_verdicts(verdicts: Sequence[BandVerdict]) -> Table | None:
    """Each band and what was found; None if the study states none."""
    words = {True: "inside", False: "OUTSIDE", None: "not measured"}
    rows = tuple((each.claim, each.allowed, each.found, words[each.inside]) for each in verdicts)
    marked = frozenset(place for place, each in enumerate(verdicts) if each.inside is False)
    header = ("Claim", "Allowed", "Found", "Verdict")
    return Table("Bands of agreement", header, rows, marked=marked, has_words=True) if rows else None


def _measures(row: Any) -> tuple[str, ...]:
    trials, failed = int(row["trials"]), int(row["failed_trials"])
    return (
        plain(row["value"]),
        f"{trials} ({failed} failed)" if failed else str(trials),
        percent(row["mean_accuracy"], sign=False),
        percent(row["sd_accuracy"], sign=False),
        _range(row["low_accuracy"], row["high_accuracy"]),
        _range(row["minimum_accuracy"], row["maximum_accuracy"]),
        _decimal(row["mean_epochs_run"]),
        _decimal(row["mean_training_seconds"]),
        f"{row['converged_trials']} of {trials}" if trials else MISSING,
    )


def _against_published(row: Any) -> tuple[str, str]:
    published = row["published_accuracy"]
    # Without an interval (one reading, or none) both comparisons are false, and nothing is marked.
    outside = published < row["low_accuracy"] or published > row["high_accuracy"]
    return percent(published, sign=False), ("† " if outside else "") + points(row["difference"])


def _candidate_measures(row: Any) -> tuple[str, ...]:
    trials, failed = int(row["trials"]), int(row["failed_trials"])
    return (
        f"{trials} ({failed} failed)" if failed else str(trials),
        percent(row["mean_validation_accuracy"], sign=False),
        percent(row["mean_accuracy"], sign=False),
        _decimal(row["mean_training_seconds"]),
    )


def _range(low: float, high: float) -> str:
    if pd.isna(low) or pd.isna(high):
        return MISSING
    return f"{percent(low, sign=False)}–{percent(high, sign=False)}"


def _decimal(number: float) -> str:
    return MISSING if pd.isna(number) else f"{number:,.1f}"


def _number(value: Any) -> str:
    return MISSING if pd.isna(value) else plain(value if isinstance(value, str) else float(value))


def _varies(values: "pd.Series[Any]", usual: float | None) -> bool:
    return any(_number(value) != _number(usual) for value in values)


def _title(parameter: str) -> str:
    return parameter.replace("_", " ").capitalize()
