"""The report's part on the published readings: each mean, band and claim, and a summary sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.tables import AgreementRow
from study.status import Agreement, Published
from study.wording import MISSING, count, listing, percent, points, points_interval
from tasks.report.settings import Table

_NOTHING = "The study states no published readings to compare with."

_KINDS = {
    Published.CLAIM: ("published claim", "published claims"),
    Published.BAND: ("band of agreement", "bands of agreement"),
}
"""Noun of each kind of row that is counted by its verdict, one and many, in the report's order."""

_WORDS = {
    Agreement.INSIDE: "met",
    Agreement.OUTSIDE: "missed",
    Agreement.SUPPORTED: "supported by our readings",
    Agreement.CONTRADICTED: "contradicted",
    Agreement.UNDECIDED: "undecided",
    Agreement.NOT_MEASURED: "not measured",
}
"""The summary's words for each verdict, in its order."""

_MISSED = (Agreement.DIFFERS, Agreement.OUTSIDE, Agreement.CONTRADICTED)
"""The verdicts that are marked."""


@dataclass(frozen=True)
class AgainstPublished:
    """A run compared with the published values: a sentence and its evidence."""

    difference: str
    """The difference of all means, in a sentence; empty without any."""
    verdicts: str
    """The verdicts on claims and bands, counted."""
    has_missed: bool
    """Say whether anything differs, lies outside or is contradicted."""
    tables: tuple[Table, ...]
    folded: tuple[Table, ...]

    @property
    def headline(self) -> str:
        """Return what was found, in a few sentences."""
        return " ".join(filter(None, (self.difference, self.verdicts))) or _NOTHING


def describe_agreement(agreement: Sequence[AgreementRow]) -> AgainstPublished:
    """Describe the rows of the `agreement` table, or say that the study has no published values."""
    by_kind = {kind: [row for row in agreement if row.kind == kind] for kind in Published}
    verdicts = [_count(by_kind[kind], *nouns) for kind, nouns in _KINDS.items() if by_kind[kind]]
    tables = (
        _pooled(by_kind[Published.POOLED]),
        _claims(by_kind[Published.CLAIM]),
        _bands(by_kind[Published.BAND]),
    )
    cells = _cells(by_kind[Published.CELL])
    return AgainstPublished(
        _pool(by_kind[Published.POOLED]),
        " ".join(verdicts),
        any(row.verdict in _MISSED for row in agreement),
        tuple(each for each in tables if each.rows),
        (cells,) if cells.rows else (),
    )


def _pool(rows: Sequence[AgreementRow]) -> str:
    """Say how far our means are from the published ones, each weighted by its precision."""
    whole = next((row for row in rows if row.exercise == 0), None)
    if whole is None or whole.difference is None:
        return ""
    side = "above" if whole.difference > 0 else "below"
    return (
        f"Our accuracies are on average {100 * abs(whole.difference):.1f} points {side} the published ones "
        f"(95% interval {points_interval(whole.low, whole.high)}): {whole.found}."
    )


def _count(rows: Sequence[AgreementRow], noun: str, nouns: str) -> str:
    """Count the verdicts; what is missed or contradicted is named."""
    by_verdict = {each: [row.subject for row in rows if row.verdict == each] for each in _WORDS}
    counted = [
        f"{len(subjects)} {'is' if len(subjects) == 1 else 'are'} {_WORDS[verdict]}"
        f"{f' ({listing(subjects)})' if verdict in _MISSED else ''}"
        for verdict, subjects in by_verdict.items()
        if subjects
    ]
    return f"Of {count(len(rows), noun, nouns)}, {listing(counted)}."


def _pooled(rows: Sequence[AgreementRow]) -> Table:
    header = ("Settings", "Difference, points", "95% interval", "Lower in")
    cells = [
        (
            row.subject,
            points(row.difference),
            points_interval(row.low, row.high),
            (row.found or "").partition(";")[0],
        )
        for row in rows
    ]
    note = "Our means less the published ones, each weighted by its precision; shared trainings count once."
    return _table("Differences together", header, cells, note, rows)


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
        "Each claim is judged by our readings, and beside it by the published ones alone. Undecided: more "
        "repeats are needed. Not measured: no single readings were published."
    )
    return _table("Published claims", header, cells, note, rows)


def _bands(rows: Sequence[AgreementRow]) -> Table:
    header = ("Band", "Allowed", "Found (95% interval)", "Verdict")
    cells = [(row.subject, row.allowed or MISSING, row.found or MISSING, row.verdict) for row in rows]
    note = (
        "Inside: our whole interval lies in the band. Outside: all of it lies outside. Otherwise undecided."
    )
    return _table("Bands of agreement", header, cells, note, rows)


def _cells(rows: Sequence[AgreementRow]) -> Table:
    header = (
        *("Setting", "Exercise", "Published, %", "n", "Ours, %", "n"),
        *("Difference, points", "95% interval", "Verdict"),
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
        "Consistent: the published mean lies where a mean of as many of our readings is expected (95%). "
        f"Differs: it does not; by chance alone about {0.05 * len(rows):.1f} of {len(rows)} would differ. "
        f"Agrees: the true difference is shown to be below {100 * margin:g} points, which takes dozens of "
        "readings on both sides. Undecided: one reading of ours, or a collapsed one. A number of readings "
        "that is not stated counts as one."
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
