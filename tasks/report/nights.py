"""The report's part on nights: each exercise compared with earlier runs, and the changes in between."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from storage.tables import RunFrames
from study.conclusions import Change, describe_changes, read_changes, shorten_verdicts
from study.wording import MISSING, count, listing, points
from tasks.report.settings import Table


@dataclass(frozen=True)
class Nights:
    """The comparison with earlier runs."""

    headline: str
    has_drifted: bool
    table: Table
    changes: tuple[str, ...]


def describe_nights(frames: RunFrames) -> Nights | None:
    """Return the comparison of a run with earlier ones; None if it did not train everything fresh."""
    nights = frames.nights
    if nights.empty:
        return None
    verdicts = {int(row["exercise"]): str(row["verdict"]) for row in nights.to_dict("records")}
    short = shorten_verdicts(verdicts)
    everywhere = "" if len(set(verdicts.values())) > 1 else f" in {count(len(verdicts), 'exercise')}"
    headline = f"Against earlier runs: {short.replace('drifted', 'DRIFTED')}{everywhere}."
    return Nights(headline, "drifted" in verdicts.values(), _tabulate(nights), _list_changes(frames))


def _tabulate(nights: pd.DataFrame) -> Table:
    header = ("Exercise", "Verdict", "New weights", "Difference, points", "p", "Alarm at", "Compared with")
    records = nights.to_dict("records")
    rows = tuple(
        (
            str(row["exercise"]),
            "DRIFTED" if row["verdict"] == "drifted" else str(row["verdict"]),
            f"{row['changed_trials']} of {count(row['trials'] - row['failed_trials'], 'trial')}",
            points(row["difference"]),
            _chance(row["p_value"]),
            _chance(row["threshold"]),
            _reference(row),
        )
        for row in records
    )
    marked = frozenset(place for place, row in enumerate(records) if row["verdict"] == "drifted")
    notes = (
        "Identical: the same weights, bit for bit. Where weights are new, the difference is tested, so that "
        "at most one false alarm a year is expected. A drift is reported once: later nights are compared "
        "with it. Among the readings compared with, equal weights count once.",
    )
    return Table("Each exercise against earlier runs", header, rows, notes, marked, has_words=True)


def _reference(row: Mapping[Hashable, Any]) -> str:
    if pd.isna(row["compared_with"]):
        return MISSING
    if row["verdict"] == "identical" or row["earlier_runs"] == 1:
        return f"run {row['compared_with']}"
    return (
        f"{row['distinct_readings']} readings of {row['earlier_runs']} runs, the last {row['compared_with']}"
    )


def _list_changes(frames: RunFrames) -> tuple[str, ...]:
    """Describe the changes: a sentence for each earlier run and each kind of verdict."""
    said: dict[str, list[str]] = {}
    dirty = frames.run["git_dirty"]
    for row in frames.nights.to_dict("records"):
        if pd.isna(row["compared_with"]):
            continue
        changes: tuple[Change, ...] = read_changes(row["changes"])
        words = describe_changes(
            row["verdict"], row["compared_with"], changes, not pd.isna(dirty) and bool(dirty)
        )
        said.setdefault(words, []).append(str(row["exercise"]))
    several = len(said) > 1
    return tuple(
        f"Exercise{'s' if len(of) > 1 else ''} {listing(of)}: {words}" if several else words
        for words, of in said.items()
    )


def _chance(number: float) -> str:
    return MISSING if pd.isna(number) else f"{number:.2g}"
