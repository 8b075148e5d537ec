"""Wait for an event: a file, a line of output, a state; never for time."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

WAIT_SECONDS = 600.0
"""Longest wait for anything in a test of processes; only a broken program reaches it."""

Seen = TypeVar("Seen")


def wait_until(
    condition: Callable[[], Seen], tell: Callable[[], object] = lambda: "", seconds: float = WAIT_SECONDS
) -> Seen:
    """Wait until something is so; return what was seen then.

    Args:
        condition: Says whether it is so; the first true value is returned. An `OSError`, such as a refused
            connection, means not yet.
        tell: What the error shows beside.
        seconds: Longest wait; shorter only where the test goes on without.

    Raises:
        TimeoutError: it was not so within that time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(OSError):
            if seen := condition():
                return seen
        time.sleep(0.05)
    raise TimeoutError(f"not so after {seconds:.0f} s: {condition} {tell()}")
