"""Measure a sweep's progress: counts, elapsed and remaining time, for terminal and Prefect UI."""

import bisect
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from study.plan import simulate_makespan
from study.wording import duration


@dataclass(frozen=True)
class SweepState:
    """A sweep's progress: numbers of trainings, the done fraction, and seconds elapsed and remaining."""

    total: int
    done: int
    reused: int
    failed: int
    fraction: float
    elapsed: float
    remaining: float

    def __str__(self) -> str:
        """Return one line for people."""
        notes = [f"{self.reused} read from earlier runs"] if self.reused else []
        notes += [f"{self.failed} failed"] if self.failed else []
        # The most wanted facts first: Prefect's cards show about forty characters.
        left = [] if self.done == self.total else [self.describe_remaining()]
        counted = f"{self.done} of {self.total} trainings"
        return ", ".join([counted, *left, f"{duration(self.elapsed)} elapsed", *notes])

    def describe_remaining(self) -> str:
        """Return the remaining time in words."""
        return f"about {duration(self.remaining)} remaining"


class ProgressView(Protocol):
    """A view that shows a sweep's progress."""

    def show(self, standing: SweepState) -> None:
        """Show it."""


class SweepCounter:
    """Counts finished trainings and estimates the remaining time from the forecast's own predictions.

    As trainings finish, the ratio of taken to predicted time corrects the predictions of the rest.
    """

    def __init__(
        self, lanes: int, later: Sequence[float] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin to count, with the predicted seconds of each training of later phases."""
        self._lanes, self._later, self._clock = lanes, list(later), clock
        self._started = self._spent_until = clock()
        self._total = self._done = self._reused = self._failed = 0
        self._waiting: list[float] = []  # in ascending order
        self._phase_seconds = self._spent = self._predicted = self._taken = 0.0
        self._busy = 0
        self._later_makespan = self._simulate_later()

    def expect(self, seconds: Sequence[float], later: Sequence[float] | None = None) -> None:
        """Begin a phase, given the predicted lane seconds of its trainings, 0 if read from an earlier run.

        `later` replaces those of later phases.
        """
        self._total += len(seconds)
        self._waiting = sorted(seconds)
        self._phase_seconds = sum(seconds)
        self._spent, self._spent_until = 0.0, self._clock()
        self._busy = min(self._lanes, len(self._waiting) - self._read)
        if later is not None:
            self._later = list(later)
            self._later_makespan = self._simulate_later()

    def count_lanes(self, lanes: int) -> None:
        """Set how many trainings run at once, after lanes have joined or left."""
        if lanes == self._lanes:
            return
        self._spent, self._spent_until = self._spent_now(), self._clock()
        self._lanes = lanes
        self._busy = min(lanes, len(self._waiting) - self._read)
        self._later_makespan = self._simulate_later()

    def finish(self, predicted: float, taken: float | None, *, failed: bool = False) -> SweepState:
        """Count one training; `taken` is None if it was read from an earlier run or failed."""
        self._done += 1
        self._failed += failed
        self._reused += taken is None and not failed
        del self._waiting[bisect.bisect_left(self._waiting, predicted)]
        if taken is not None:
            self._predicted += predicted
            self._taken += taken
        return self.standing()

    def standing(self) -> SweepState:
        """Return the current progress."""
        elapsed = self._clock() - self._started
        remaining = self._remaining()
        is_over = self._done == self._total and not self._later
        fraction = 1.0 if is_over else elapsed / (elapsed + remaining) if elapsed + remaining else 0.0
        return SweepState(self._total, self._done, self._reused, self._failed, fraction, elapsed, remaining)

    def _remaining(self) -> float:
        correction = self._correction()
        later = self._later_makespan * correction
        to_train = len(self._waiting) - self._read
        if to_train == 0:
            return later
        # Without any lane, report the time that would remain if one joined now.
        lanes = min(max(1, self._lanes), to_train)
        # The whole phase minus the lanes' work on it; never less than a moment for unfinished trainings.
        left = (self._phase_seconds * correction - self._spent_now()) / lanes
        return max(left, correction * self._waiting[self._read] / 10) + later

    @property
    def _read(self) -> int:
        """Number of waiting trainings that are read from earlier runs."""
        return bisect.bisect_right(self._waiting, 0.0)

    def _spent_now(self) -> float:
        """Return the seconds that lanes have spent on the phase."""
        return self._spent + (self._clock() - self._spent_until) * self._busy

    def _simulate_later(self) -> float:
        return simulate_makespan(self._later, max(1, self._lanes))

    def _correction(self) -> float:
        """Return taken over predicted time, shrunk to 1 with the weight of the largest training."""
        weight = max(*self._waiting[-1:], max(self._later, default=0.0), self._predicted / 10)
        return (self._taken + weight) / (self._predicted + weight) if weight else 1.0


def print_table(table: Table, width: int) -> None:
    """Print a table to standard output, outside a terminal with this width."""
    console = Console()
    (console if console.is_terminal else Console(width=width)).print(table)


class TerminalProgress:
    """A bar on a terminal; elsewhere a line, at most every thirty seconds."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._last_line = -math.inf

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
            text = "" if standing.done == standing.total else standing.describe_remaining()
            self._bar.update(self._task, total=standing.total, completed=standing.done, description=text)
        elif standing.done == standing.total or time.monotonic() - self._last_line >= 30:
            self._last_line = time.monotonic()
            sys.stderr.write(f"{standing}\n")

    def _start(self) -> Progress:
        columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        bar = Progress(*columns, TextColumn("{task.description}"), console=self._console)
        self._task = bar.add_task("", total=None)
        bar.start()
        return bar
