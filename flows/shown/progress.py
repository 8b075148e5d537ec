"""Measure a sweep's progress: counts, elapsed and remaining time, for terminal and Prefect UI."""

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress as Bar, TaskProgressColumn, TextColumn
from rich.table import Table

from study.plan import (
    CALIBRATED_SPREAD,
    Expected,
    FurtherTrainings,
    Phase,
    Remaining,
    Running,
    SpeedErrors,
    work_of,
)
from study.wording import duration, time_range

if TYPE_CHECKING:
    from tasks.lanes import Progress  # late, with Dask

_NOTHING: "Mapping[str, Progress]" = MappingProxyType({})

MOST_LANES = 8
"""The most lanes whose epochs are shown."""


@dataclass(frozen=True)
class SweepState:
    """A sweep's progress: numbers of trainings, seconds elapsed and remaining, epochs of those that run."""

    total: int
    done: int
    reused: int
    failed: int
    elapsed: float
    remaining: Remaining
    epochs: tuple[str, ...] = ()
    """Of each running training the epochs that have ended and the most there can be, such as 7/20."""

    @property
    def fraction(self) -> float:
        """Return the done fraction of the run's time."""
        whole = self.elapsed + self.remaining.seconds
        return self.elapsed / whole if whole > 0 else 1.0

    def __str__(self) -> str:
        """Return one line for people."""
        notes = [f"{self.reused} read from earlier runs"] if self.reused else []
        notes += [f"{self.failed} failed"] if self.failed else []
        # The most wanted facts first: Prefect's cards show about forty characters.
        counted = f"{self.done} of {self.total} trainings"
        left = [self.describe_remaining()] if self.remaining.seconds else []
        facts = [counted, *left, f"{duration(self.elapsed)} elapsed", *notes]
        return f"{self.fraction:.0%}: {', '.join(facts)}"

    def describe_remaining(self) -> str:
        """Return the remaining time with its 95% interval, and the epochs of the running trainings."""
        epochs = f", epochs {' '.join(self.epochs[:MOST_LANES])}" if self.epochs else ""
        return f"{duration(self.remaining.seconds)} left ({time_range(*self.remaining.interval)}){epochs}"


class ProgressView(Protocol):
    """A view that shows a sweep's progress."""

    def show(self, standing: SweepState) -> None:
        """Show it."""


class SweepCounter:
    """Counts finished trainings and estimates the remaining time, corrected by how long epochs take."""

    def __init__(
        self,
        lanes: int,
        later: Sequence[FurtherTrainings] = (),
        common_spread: float = CALIBRATED_SPREAD,
        rest: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to count; `later` are the phases to come, `rest` the seconds after the last training."""
        self._lanes, self._later, self._rest, self._clock = lanes, tuple(later), rest, clock
        self._started = self._last_end = clock()
        self._total = self._done = self._reused = self._failed = 0
        self._waiting: dict[str, Expected] = {}
        self._phase = Phase(())
        self._errors = SpeedErrors(common_spread)

    def expect(
        self, expected: Mapping[str, Expected], later: Sequence[FurtherTrainings] | None = None
    ) -> None:
        """Begin a phase, given its trainings by name; `later` replaces the phases to come."""
        self._total += len(expected)
        self._waiting = dict(sorted(expected.items(), key=lambda each: -each[1].seconds))  # longest first
        self._phase = Phase(expected.values())
        if later is not None:
            self.foresee(later)

    def foresee(self, later: Sequence[FurtherTrainings]) -> None:
        """Replace what is expected of the phases to come."""
        self._later = tuple(later)

    def count_lanes(self, lanes: int) -> None:
        """Set how many trainings run at once, after lanes have joined or left."""
        self._lanes = lanes

    def finish(self, name: str, epoch_seconds: float | None, *, failed: bool = False) -> None:
        """Count one training; without seconds an epoch it was read from an earlier run, or failed."""
        self._last_end = self._clock()
        self._done += 1
        self._failed += failed
        self._reused += epoch_seconds is None and not failed
        expected = self._waiting.pop(name)
        self._phase.end(expected)
        if epoch_seconds is not None and expected.seconds > 0:
            self._errors.observe(expected, epoch_seconds)

    def standing(self, running: "Mapping[str, Progress]" = _NOTHING) -> SweepState:
        """Return the current progress, given what running trainings have reported, by name."""
        now = self._clock()
        on_lanes = {name: each for name, each in running.items() if name in self._waiting}
        known = [_describe_running(self._waiting[name], each, now) for name, each in on_lanes.items()]
        errors = self._errors.including(known)
        longest = next((each for name, each in self._waiting.items() if name not in on_lanes), None)
        works = [self._phase.left(known, longest, self._lanes, errors)]
        works += [work_of(each, self._lanes, errors) for each in self._later]
        rest = self._rest
        if not self._waiting and not any(each.seconds for each in self._later):
            rest = max(rest - (now - self._last_end), rest / 10)
        return SweepState(
            self._total,
            self._done,
            self._reused,
            self._failed,
            now - self._started,
            Remaining.of(works, errors, rest),
            tuple(f"{each.epochs}/{self._waiting[name].most_epochs}" for name, each in on_lanes.items()),
        )


def _describe_running(expected: Expected, progress: "Progress", now: float) -> Running:
    epochs = progress.epochs - (progress.first_epochs or 0)
    each = (progress.at - progress.first_at) / epochs if epochs > 0 else None
    ended = max(0, progress.epochs - expected.kept_epochs)
    return Running(expected, ended, each, now - progress.at)


def print_table(table: Table, width: int) -> None:
    """Print a table to standard output, outside a terminal with this width."""
    console = Console()
    (console if console.is_terminal else Console(width=width)).print(table)


class TerminalProgress:
    """A bar on a terminal; elsewhere a line, at most every thirty seconds."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar: Bar | None = None
        self._last_line, self._done = -math.inf, -1

    def __enter__(self) -> Self:
        """Return the view; the bar starts with the first state, so that it does not mix with other text."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the bar and leave it on the terminal."""
        if self._bar is not None:
            self._bar.stop()

    def show(self, standing: SweepState) -> None:
        """Move the bar, or write a line."""
        if self._console.is_terminal:
            self._bar = self._bar or self._start()
            counted = f"{standing.done}/{standing.total} trainings"
            text = f"{counted}, {standing.describe_remaining()}"
            self._bar.update(self._task, completed=standing.fraction, description=text)
        elif time.monotonic() - self._last_line >= 30 or self._done < standing.done == standing.total:
            self._last_line, self._done = time.monotonic(), standing.done
            sys.stderr.write(f"{standing}\n")

    def _start(self) -> Bar:
        bar = Bar(
            TaskProgressColumn(),
            BarColumn(bar_width=12),
            TextColumn("{task.description}"),
            console=self._console,
        )
        self._task = bar.add_task("", total=1.0)
        bar.start()
        return bar
