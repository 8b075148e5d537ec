"""The report's part on the published readings: each mean, band and claim, and a summary sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.tables import AgreementRow
from study.status import Agreement, Published
from study.wording import MISSING, count, listing, percent, points
from tasks.report.settings import Table, points_interval

_NOTHING = "The study states no published readings to compare with."

_KINDS = {
    Published.CELL: ("published mean", "published means"),
    Published.BAND: ("band of agreement", "bands of agreement"),
    Published.CLAIM: ("published claim", "published claims"),
}
"""Noun of each kind of row, one and many, in the report's order."""

_WORDS = {
    Agreement.AGREES: "agree with ours",
    Agreement.DIFFERS: "differ",
    Agreement.INSIDE: "are met",
    Agreement.OUTSIDE: "are missed",
    Agreement.SUPPORTED: "are supported by our readings",
    Agreement.CONTRADICTED: "contradicted",
    Agreement.UNDECIDED: "cannot be told",
    Agreement.NOT_MEASURED: "not measured",
}
"""The summary's words for each verdict, in its order."""

_MISSED = (Agreement.DIFFERS, Agreement.OUTSIDE, Agreement.CONTRADICTED)
"""The verdicts that are marked."""


@dataclass(frozen=True)
class AgainstPublished:
    """A run compared with the published values: a sentence and its evidence."""

    headline: str
    has_missed: bool
    """Say whether anything differs, lies outside or is contradicted."""
    tables: tuple[Table, ...]
    folded: tuple[Table, ...]


def describe_agreement(agreement: Sequence[AgreementRow]) -> AgainstPublished:
    """Describe the rows of the `agreement` table, or say that the study has no published values."""
    by_kind = {kind: [row for row in agreement if row.kind == kind] for kind in _KINDS}
    told = [_count(kind, rows) for kind, rows in by_kind.items() if rows]
    tables = (_claims(by_kind[Published.CLAIM]), _bands(by_kind[Published.BAND]))
    cells = _cells(by_kind[Published.CELL])
    return AgainstPublished(
        " ".join(told) or _NOTHING,
        any(row.verdict in _MISSED for row in agreement),
        tuple(each for each in tables if each.rows),
        (cells,) if cells.rows else (),
    )


def _count(kind: Published, rows: Sequence[AgreementRow]) -> str:
    verdicts = [row.verdict for row in rows]
    told = [f"{verdicts.count(each)} {words}" for each, words in _WORDS.items() if each in verdicts]
    own = sum(row.published_verdict == Agreement.SUPPORTED for row in rows)
    beside = f"; their own readings support {own}" if kind == Published.CLAIM else ""
    return f"Of {count(len(rows), *_KINDS[kind])}, {listing(told)}{beside}."


def _claims(rows: Sequence[AgreementRow]) -> Table:
    header = ("Claim", "Ours", "Why", "Their own readings", "Why")
    cells = [
        (
            row.subject,
            row.verdict,
            row.found or MISSING,
            row.published_verdict or MISSING,
            row.published_reason or MISSING,
        )
        for row in rows
    ]
    note = (
        "What our readings bear of each published claim, and beside it what the published ones bear "
        "alone; each claim at 5%, with Holm's correction over the pairs it compares. Not measured: there "
        "are no single readings to ask."
    )
    return _table("Published claims", header, cells, note, rows)


def _bands(rows: Sequence[AgreementRow]) -> Table:
    header = ("Band", "Allowed", "Found (95% interval)", "Verdict")
    cells = [(row.subject, row.allowed or MISSING, row.found or MISSING, row.verdict) for row in rows]
    note = (
        "Inside: our mean is. Outside: our 95% interval leaves the band out. Cannot tell: it "
        "is outside, and our interval reaches in, or a single reading has none."
    )
    return _table("Bands of agreement", header, cells, note, rows)


def _cells(rows: Sequence[AgreementRow]) -> Table:
    header = (
        "Setting",
        "Exercise",
        "Published, %",
        "n",
        "Ours, %",
        "n",
        "Difference, points",
        "95% interval",
        "Verdict",
    )
    cells = [
        (
            row.subject,
            str(row.exercise),
            percent(row.published_accuracy, sign=False),
            "not stated" if row.published_trials is None else str(row.published_trials),
            percent(row.mean_accuracy, sign=False),
            str(row.trials),
            points(row.difference),
            points_interval(row.low, row.high),
            row.verdict,
        )
        for row in rows
    ]
    margin = max((row.margin or 0 for row in rows), default=0)
    note = (
        f"Agrees: two one-sided tests at 5% leave out a difference of {100 * margin:g} points or more. "
        "Differs: the 95% interval leaves out none. Each is judged alone: of as many means without any "
        f"difference, {0.05 * len(rows):.1f} would be said to differ by chance."
    )
    return _table("Published means", header, cells, note, rows, has_words=False)


def _table(
    title: str,
    header: tuple[str, ...],
    cells: Sequence[tuple[str, ...]],
    note: str,
    rows: Sequence[AgreementRow],
    has_words: bool = True,
) -> Table:
    marked = frozenset(place for place, row in enumerate(rows) if row.verdict in _MISSED)
    return Table(title, header, tuple(cells), (note,), marked, has_words)
