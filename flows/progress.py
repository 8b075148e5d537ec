"""How far a sweep is: counts, elapsed and remaining time, for the terminal and for the Prefect UI."""

import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from study.wording import duration


@dataclass(frozen=True)
class Standing:
    """Where a sweep stands: `remaining` is in seconds, None until something was trained to judge by."""

    total: int
    done: int
    reused: int
    failed: int
    fraction: float
    elapsed: float
    remaining: float | None

    def __str__(self) -> str:
        """One line for people."""
        notes = [f"{self.reused} read from earlier runs"] if self.reused else []
        notes += [f"{self.failed} failed"] if self.failed else []
        inside = f" ({', '.join(notes)})" if notes else ""
        left = "" if self.done == self.total else f", {self.describe_remaining()}"
        return f"{self.done} of {self.total} trainings{inside}, {duration(self.elapsed)} elapsed{left}"

    def describe_remaining(self) -> str:
        """The remaining time in words."""
        if self.remaining is None:
            return "remaining time not known yet"
        return f"about {duration(self.remaining)} remaining"


class ProgressView(Protocol):
    """Something that shows where a sweep stands."""

    def show(self, standing: Standing) -> None:
        """Show it."""


further_views: ContextVar[tuple[ProgressView, ...]] = ContextVar("further_views", default=())
"""Views beside the UI's: the command line adds its bar here, as a flow's parameters must be plain data."""


class Tally:
    """Counts finished trainings; remaining time is in proportion to the multiply-adds left."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._total = self._done = self._reused = self._failed = 0
        self._work = self._trained_work = self._finished_work = 0

    def expect(self, works: list[int]) -> None:
        """Add trainings that are to come, by their work in multiply-adds."""
        self._total += len(works)
        self._work += sum(works)

    def finish(self, work: int, *, reused: bool = False, failed: bool = False) -> Standing:
        """Count one training."""
        self._done += 1
        self._reused += reused
        self._failed += failed
        self._finished_work += work
        self._trained_work += 0 if reused else work
        return self.standing()

    def standing(self) -> Standing:
        """Where the sweep stands now."""
        elapsed = self._clock() - self._started
        left = self._work - self._finished_work
        remaining = elapsed * left / self._trained_work if self._trained_work else None
        fraction = self._finished_work / self._work if self._work else 1.0
        return Standing(self._total, self._done, self._reused, self._failed, fraction, elapsed, remaining)


class TerminalProgress:
    """A bar on a terminal; elsewhere a line when a tenth more is done, at most every ten seconds."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._last_line = 0.0

    def __enter__(self) -> Self:
        """Start the bar."""
        if self._console.is_terminal:
            columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, TextColumn("{task.description}"), console=self._console)
            self._task = self._bar.add_task("", total=None)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.stop()

    def show(self, standing: Standing) -> None:
        """Move the bar, or write a line."""
        if self._bar is not None:
            text = "" if standing.done == standing.total else standing.describe_remaining()
            self._bar.update(self._task, total=standing.total, completed=standing.done, description=text)
        elif standing.done == standing.total or time.monotonic() - self._last_line >= 10:
            self._last_line = time.monotonic()
            sys.stderr.write(f"{standing}\n")
