"""The ratio table: medians and spread over the rounds, each contestant against the notebook loop."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.comparison.contest import Entry
from benchmarks.comparison.contestants import NOTEBOOK, OURS, Contestant
from benchmarks.comparison.process_tree import Measured


@dataclass(frozen=True)
class Spread:
    """Median, least and most of some values."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one value."""
        return cls(median(values), min(values), max(values))

    def text(self, decimals: int) -> str:
        """Such as "12.3 (11.8 to 12.9)"."""
        return f"{self.median:.{decimals}f} ({self.least:.{decimals}f} to {self.most:.{decimals}f})"


@dataclass(frozen=True)
class Line:
    """What one contestant took in all of its rounds; nothing of those that failed, whose reasons are named.

    `faster` and `less_cpu` are ratios of the notebook loop's to its own, taken within each round.
    """

    contestant: Contestant
    rounds: int
    wall: Spread | None
    cpu: Spread | None
    peak_gb: Spread | None
    faster: Spread | None
    less_cpu: Spread | None
    failures: tuple[str, ...]


def make_lines(entries: Iterable[Entry], against: str = NOTEBOOK) -> list[Line]:
    """One line a contestant, in the order in which they ran."""
    kept = list(entries)
    reference = {
        each.round: each.measured for each in kept if each.contestant.name == against and each.succeeded
    }
    return [
        _make_line([each for each in kept if each.contestant.name == name], reference)
        for name in dict.fromkeys(each.contestant.name for each in kept)
    ]


def _make_line(entries: list[Entry], reference: dict[int, Measured]) -> Line:
    done = [each for each in entries if each.succeeded]
    paired = [(reference[each.round], each.measured) for each in done if each.round in reference]
    return Line(
        contestant=entries[0].contestant,
        rounds=len(entries),
        wall=_spread(each.measured.wall_seconds for each in done),
        cpu=_spread(each.measured.cpu_seconds for each in done),
        peak_gb=_spread(each.measured.peak_bytes / 1e9 for each in done),
        faster=_spread(theirs.wall_seconds / own.wall_seconds for theirs, own in paired),
        less_cpu=_spread(theirs.cpu_seconds / own.cpu_seconds for theirs, own in paired),
        failures=tuple(dict.fromkeys(each.measured.problem for each in entries if not each.succeeded)),
    )


def _spread(values: Iterable[float]) -> Spread | None:
    found = list(values)
    return Spread.of(found) if found else None


HEADING = (
    "| | two workers by | wall (s) | times faster | CPU (s) | times less CPU | peak memory (GB) |",
    "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
)


def format_table(lines: Sequence[Line]) -> str:
    """The table in Markdown; median, and in brackets least and most of the rounds."""
    return "\n".join([*HEADING, *(_format_line(line) for line in lines)])


def _format_line(line: Line) -> str:
    columns = ((line.wall, 1), (line.faster, 2), (line.cpu, 1), (line.less_cpu, 2), (line.peak_gb, 2))
    cells = [spread.text(decimals) if spread else "" for spread, decimals in columns]
    failed = f"failed: {'; '.join(line.failures)}" if line.failures else ""
    if line.wall is None:
        cells[0] = failed
    elif failed:
        cells[0] += f"; of {line.rounds} rounds some {failed}"
    return f"| {line.contestant.title} | {line.contestant.workers} | {' | '.join(cells)} |"


def compare_ours(lines: Sequence[Line]) -> list[str]:
    """One sentence for each other contestant: how many times faster this project is, by the medians."""
    walls = {line.contestant.name: line.wall for line in lines}
    ours = walls.get(OURS)
    if ours is None:
        return []
    return [
        f"this project is {line.wall.median / ours.median:.1f} times faster than {line.contestant.title}"
        for line in lines
        if line.wall is not None and line.contestant.name != OURS
    ]
