"""Keep programs running: one that ends or is not well is started again; one that cannot be kept ends all."""

import logging
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NoReturn, Protocol

from flows.tether import stop_tethered
from study.errors import InputError

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
HEALTH_SECONDS = 10.0
"""Between two looks at whether a program is alive, and whether it is well."""
MOST_ENDS, WITHIN_SECONDS = 5, 300.0
"""A program that ends so often within this time is given up."""


class Watched(Protocol):
    """Something that is looked at again and again."""

    def look(self) -> None:
        """Look whether it is there."""

    def check(self) -> None:
        """Look whether it is well, which may take a moment."""


class Part:
    """A program of ours that is kept running.

    Args:
        name: What it is called in messages, such as "the worker".
        start: Starts it.
        is_well: Whether it does its work, as others see it.
        patience_seconds: How long it may not be well before it is started again, also after its start.
    """

    def __init__(
        self,
        name: str,
        start: Callable[[], "subprocess.Popen[bytes]"],
        is_well: Callable[[], bool] = lambda: True,
        patience_seconds: float = 300.0,
    ) -> None:
        self._name, self._start, self._is_well, self._patience = name, start, is_well, patience_seconds
        self._ends: deque[float] = deque()
        self.process = self._begin()

    def look(self) -> None:
        """Start it again if it has ended.

        Raises:
            InputError: it ends again and again.
        """
        code = self.process.poll()
        if code is not None:
            self._start_again(f"ended ({describe_end(code)})")

    def check(self) -> None:
        """Start it again if it has not been well for too long.

        Raises:
            InputError: that happens again and again.
        """
        if self._is_well():
            self._well_at = time.monotonic()
        elif time.monotonic() - self._well_at > self._patience:
            stop_tethered(self.process)
            self._start_again(f"did not answer for {self._patience:.0f} s")

    def stop(self) -> None:
        """Stop it, with what it has started."""
        stop_tethered(self.process)

    def _begin(self) -> "subprocess.Popen[bytes]":
        self._well_at = time.monotonic()
        return self._start()

    def _start_again(self, what: str) -> None:
        now = time.monotonic()
        self._ends.append(now)
        while now - self._ends[0] > WITHIN_SECONDS:
            self._ends.popleft()
        if len(self._ends) >= MOST_ENDS:
            raise InputError(
                f"{self._name} {what}, for the {MOST_ENDS}th time within {WITHIN_SECONDS / 60:.0f} minutes; "
                "its log above says why"
            )
        logger.warning("%s %s and is started again", self._name, what)
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process = self._begin()


class Guest:
    """A program of somebody else's: it is waited for, never started or stopped."""

    def __init__(self, name: str, is_well: Callable[[], bool]) -> None:
        self._name, self._is_well, self._was_well = name, is_well, True

    def look(self) -> None:
        """Nothing to see: it is no process of ours."""

    def check(self) -> None:
        """Say so when it stops answering, and when it answers again."""
        is_well = self._is_well()
        if is_well != self._was_well:
            logger.warning("%s %s", self._name, "answers again" if is_well else "does not answer; waiting")
        self._was_well = is_well


def keep_running(watched: Iterable[Watched]) -> NoReturn:
    """Look after everything until an exception ends it.

    Raises:
        InputError: something ends again and again.
    """
    everything, checked_at = list(watched), time.monotonic()
    while True:
        for each in everything:
            each.look()
        if time.monotonic() - checked_at > HEALTH_SECONDS:
            for each in everything:
                each.check()
            checked_at = time.monotonic()
        time.sleep(LOOK_SECONDS)


def describe_end(code: int) -> str:
    """How a process ended, by its exit code."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
