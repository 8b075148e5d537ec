"""The report's part on the published readings: each mean, band and claim, and a summary sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from study.wording import MISSING, count, listing, percent, points
from tasks.report.settings import Table

_NOTHING = "The study states no published readings to compare with."

_VERDICTS = {
    "cell": ("published mean", ("agrees", "differs", "cannot tell", "not measured")),
    "band": ("band of agreement", ("inside", "outside", "cannot tell", "not measured")),
    "claim": ("published claim", ("supported", "contradicted", "cannot tell", "not measured")),
}
"""Noun of each kind of row, and its possible verdicts, in the report's order."""

_WORDS = {
    "agrees": "agree with ours",
    "differs": "differ",
    "inside": "are met",
    "outside": "are missed",
    "supported": "are supported by our readings",
    "contradicted": "contradicted",
    "cannot tell": "cannot be told",
}


@dataclass(frozen=True)
class AgainstPublished:
    """A run compared with the published values: a sentence and its evidence."""

    headline: str
    has_missed: bool
    """Say whether anything differs, lies outside or is contradicted."""
    tables: tuple[Table, ...]
    folded: tuple[Table, ...]


def describe_agreement(agreement: pd.DataFrame) -> AgainstPublished:
    """Describe the rows of the `agreement` table, or say that the study has no published values."""
    by_kind = {kind: agreement[agreement["kind"] == kind] for kind in _VERDICTS}
    told = [_count(kind, rows) for kind, rows in by_kind.items() if len(rows)]
    tables = (_claims(by_kind["claim"]), _bands(by_kind["band"]))
    cells = _cells(by_kind["cell"])
    return AgainstPublished(
        " ".join(told) or _NOTHING,
        bool(agreement["verdict"].isin(["differs", "outside", "contradicted"]).any()),
        tuple(each for each in tables if each.rows),
        (cells,) if cells.rows else (),
    )


def _count(kind: str, rows: pd.DataFrame) -> str:
    (noun, order), verdicts = _VERDICTS[kind], rows["verdict"]
    plural = noun.replace("band of", "bands of") if kind == "band" else f"{noun}s"
    counts = [(int((verdicts == each).sum()), _WORDS.get(each, each)) for each in order]
    told = [f"{number} {each}" for number, each in counts if number]
    own = int((rows["published_verdict"] == "supported").sum())
    beside = f"; their own readings support {own}" if kind == "claim" else ""
    return f"Of {count(len(verdicts), noun, plural)}, {listing(told)}{beside}."


def _claims(rows: pd.DataFrame) -> Table:
    header = ("Claim", "Ours", "Why", "Their own readings", "Why")
    cells = [
        (
            str(row["subject"]),
            str(row["verdict"]),
            str(row["found"]),
            str(row["published_verdict"]),
            str(row["published_reason"]),
        )
        for row in rows.to_dict("records")
    ]
    note = (
        "What our readings bear of each published claim, and beside it what the published ones bear "
        "alone; each claim at 5%, with Holm's correction over the pairs it compares. Not measured: there "
        "are no single readings to ask."
    )
    return _table("Published claims", header, cells, (note,), rows["verdict"] == "contradicted")


def _bands(rows: pd.DataFrame) -> Table:
    header = ("Band", "Allowed", "Found (95% interval)", "Verdict")
    cells = [
        (str(row["subject"]), str(row["allowed"]), str(row["found"]), str(row["verdict"]))
        for row in rows.to_dict("records")
    ]
    note = (
        "Inside: our mean is. Outside: our 95% interval leaves the band out. Cannot tell: it "
        "is outside, and our interval reaches in, or a single reading has none."
    )
    return _table("Bands of agreement", header, cells, (note,), rows["verdict"] == "outside")


def _cells(rows: pd.DataFrame) -> Table:
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
            str(row["subject"]),
            str(row["exercise"]),
            percent(row["published_accuracy"], sign=False),
            "not stated" if pd.isna(row["published_trials"]) else f"{int(row['published_trials'])}",
            percent(row["mean_accuracy"], sign=False),
            f"{int(row['trials'])}",
            points(row["difference"]),
            MISSING if pd.isna(row["low"]) else f"{points(row['low'])} to {points(row['high'])}",
            str(row["verdict"]),
        )
        for row in rows.to_dict("records")
    ]
    margin = f"{100 * rows['margin'].max():g}" if len(rows) else ""
    note = (
        f"Agrees: two one-sided tests at 5% leave out a difference of {margin} points or more. Differs: the "
        "95% interval leaves out none. Each is judged alone: of as many means without any difference, "
        f"{0.05 * len(rows):.1f} would be said to differ by chance."
    )
    return _table("Published means", header, cells, (note,), rows["verdict"] == "differs", has_words=False)


def _table(
    title: str,
    header: tuple[str, ...],
    cells: Sequence[tuple[str, ...]],
    notes: tuple[str, ...],
    is_marked: "pd.Series[bool]",
    has_words: bool = True,
) -> Table:
    marked = frozenset(place for place, is_one in enumerate(is_marked) if is_one)
    return Table(title, header, tuple(cells), notes, marked, has_words)
