"""The report's part on nights: each exercise compared with earlier runs, and the changes in between."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.tables import NightRow, RunTables
from study.conclusions import describe_changes, read_changes, shorten_verdicts
from study.status import NightVerdict
from study.wording import MISSING, count, listing, points
from tasks.report.settings import Table


@dataclass(frozen=True)
class Nights:
    """The comparison with earlier runs."""

    headline: str
    has_drifted: bool
    table: Table
    changes: tuple[str, ...]


def describe_nights(tables: RunTables) -> Nights | None:
    """Return the comparison of a run with earlier ones; None if it did not train everything fresh."""
    nights = tables.nights
    if not nights:
        return None
    verdicts = {row.exercise: row.verdict for row in nights}
    short = shorten_verdicts(verdicts)
    everywhere = "" if len(set(verdicts.values())) > 1 else f" in {count(len(verdicts), 'exercise')}"
    headline = f"Against earlier runs: {short.replace('drifted', 'DRIFTED')}{everywhere}."
    has_drifted = NightVerdict.DRIFTED in verdicts.values()
    return Nights(headline, has_drifted, _tabulate(nights), _list_changes(nights, bool(tables.run.git_dirty)))


def _tabulate(nights: Sequence[NightRow]) -> Table:
    header = ("Exercise", "Verdict", "New weights", "Difference, points", "p", "Alarm at", "Compared with")
    rows = tuple(
        (
            str(row.exercise),
            "DRIFTED" if row.verdict == NightVerdict.DRIFTED else row.verdict,
            f"{row.changed_trials} of {count(row.trials - row.failed_trials, 'trial')}",
            points(row.difference),
            _chance(row.p_value),
            _chance(row.threshold),
            _reference(row),
        )
        for row in nights
    )
    marked = frozenset(place for place, row in enumerate(nights) if row.verdict == NightVerdict.DRIFTED)
    notes = (
        "Identical: the same weights, bit for bit. Where weights are new, the difference is tested, so that "
        "at most one false alarm a year is expected. A drift is reported once: later nights are compared "
        "with it. Among the readings compared with, equal weights count once.",
    )
    return Table("Each exercise against earlier runs", header, rows, notes, marked, has_words=True)


def _reference(row: NightRow) -> str:
    if row.compared_with is None:
        return MISSING
    if row.verdict == NightVerdict.IDENTICAL or row.earlier_runs == 1:
        return f"run {row.compared_with}"
    return f"{row.distinct_readings} readings of {row.earlier_runs} runs, the last {row.compared_with}"


def _list_changes(nights: Sequence[NightRow], is_dirty: bool) -> tuple[str, ...]:
    """Describe the changes: a sentence for each earlier run and each kind of verdict."""
    said: dict[str, list[str]] = {}
    for row in nights:
        if row.changes is not None:
            words = describe_changes(row.verdict, row.compared_with, read_changes(row.changes), is_dirty)
            said.setdefault(words, []).append(str(row.exercise))
    several = len(said) > 1
    return tuple(
        f"Exercise{'s' if len(of) > 1 else ''} {listing(of)}: {words}" if several else words
        for words, of in said.items()
    )


def _chance(number: float | None) -> str:
    return MISSING if number is None else f"{number:.2g}"
