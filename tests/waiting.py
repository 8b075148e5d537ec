"""Wait for an event: a file, a line of output, a state; never for time."""

import time
from collections.abc import Callable
from typing import TypeVar

WAIT_SECONDS = 600.0
"""Longest wait for anything in a test of processes; only a broken program reaches it."""

Seen = TypeVar("Seen")


def wait_until(condition: Callable[[], Seen], tell: Callable[[], object] = lambda: "") -> Seen:
    """Wait until something is so; return what was seen then.

    Args:
        condition: Says whether it is so; what it returns first that is true is returned.
        tell: What the error shows beside.

    Raises:
        TimeoutError: it was not so within `WAIT_SECONDS`.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while not (seen := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so after {WAIT_SECONDS:.0f} s: {condition} {tell()}")
        time.sleep(0.05)
    return seen
