"""The report's first screen: what was run, which parameter matters most, the best model."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.tables import ComparisonRow, RunRow, RunTables, SummaryRow
from study.spec import SweepExercise
from study.wording import count, duration, interval, listing, percent
from tasks.report.settings import Table, name_value, title_of


@dataclass(frozen=True)
class Span:
    """The settings of a sweep with the lowest and the highest mean accuracy, and how they compare."""

    exercise: SweepExercise
    lowest: SummaryRow
    highest: SummaryRow
    pair: ComparisonRow | None

    @property
    def range(self) -> float:
        """Return the highest mean less the lowest, a fraction."""
        return (self.highest.mean_accuracy or 0.0) - (self.lowest.mean_accuracy or 0.0)

    @property
    def interval(self) -> tuple[float | None, float | None]:
        """Return the interval of that difference, corrected as the pair's; None without one."""
        if self.pair is None or self.pair.low is None or self.pair.high is None:
            return None, None
        if self.pair.second_value == self.highest.value:
            return self.pair.low, self.pair.high
        return -self.pair.high, -self.pair.low


def find_spans(sweeps: Sequence[SweepExercise], tables: RunTables) -> list[Span]:
    """Return the span of each sweep with two settings or more that have a mean, the widest first.

    A setting with collapsed trials counts only where fewer than two are without.
    """
    spans = []
    for sweep in sweeps:
        rows = [
            row for row in tables.summary if row.exercise == sweep.number and row.mean_accuracy is not None
        ]
        sound = [row for row in rows if not row.collapsed_trials]
        if len(rows) > 1:
            lowest, *_, highest = sorted(
                sound if len(sound) > 1 else rows, key=lambda row: row.mean_accuracy or 0.0
            )
            ends = {lowest.value, highest.value}
            pairs = [row for row in tables.comparisons if row.exercise == sweep.number]
            pair = next((row for row in pairs if {row.first_value, row.second_value} == ends), None)
            spans.append(Span(sweep, lowest, highest, pair))
    return sorted(spans, key=lambda span: span.range, reverse=True)


def tabulate_spans(spans: Sequence[Span]) -> Table | None:
    """Return a row for each sweep, the one that matters most first; None without any."""
    header = ("Parameter", "Range, points", "95% interval", "Lowest mean, %", "Highest mean, %", "Exercise")
    rows = tuple(
        (
            title_of(span.exercise.varies),
            percent(span.range, sign=False),
            interval(*span.interval),
            _end(span.exercise, span.lowest),
            _end(span.exercise, span.highest),
            str(span.exercise.number),
        )
        for span in spans
    )
    note = (
        "Range: the highest mean less the lowest (their values in brackets), for the values tried, without "
        "settings that have collapsed trials."
    )
    return Table("What matters most", header, rows, (note,)) if rows else None


def _end(exercise: SweepExercise, row: SummaryRow) -> str:
    return f"{percent(row.mean_accuracy, sign=False)} ({name_value(exercise, row)})"


def describe_run(run: RunRow, sweeps: Sequence[SweepExercise], has_published: bool) -> str:
    """Return the line below the title: date, data, repeats, time and machine."""
    repeats = [str(number) for number in sorted({sweep.repeats for sweep in sweeps})]
    facts = (
        f"{run.started_at:%-d %B %Y}",
        f"{run.train_images:,} training and {count(run.test_images, 'test image')}",
        f"{' or '.join(repeats)} repeats a setting" if repeats else "",
        f"{duration(run.wall_seconds)} on {count(run.lanes, 'lane')} ({run.device}: {run.processor})",
        "compared with the averages of the lab's report (“published”)" if has_published else "",
    )
    return " · ".join(filter(None, facts))


def sum_up(spans: Sequence[Span], best: SummaryRow | None, difference: str) -> str:
    """Say which parameter matters most, how good the best model is, and how far the published values are."""
    words = []
    if len(spans) > 1:
        named = [title_of(listing(span.exercise.varied)) for span in spans]
        first, *others = zip(named, (f"{100 * span.range:.1f}" for span in spans), strict=True)
        rest = listing([f"{name.lower()} by {wide}" for name, wide in others])
        verb = "matters most: its" if len(spans[0].exercise.varied) == 1 else "together matter most: their"
        words.append(f"{first[0]} {verb} settings differ by up to {first[1]} points, {rest}.")
    if best is not None:
        words.append(f"The best model reaches {percent(best.mean_accuracy)} on the test images.")
    return " ".join((*words, difference)).strip()
