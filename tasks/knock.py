"""Whether anything listens where a scheduler is said to be: asked before a run begins, answered at once."""

import socket

from study.errors import InputError
from study.scheduler_address import split_address
from study.wording import shortened

KNOCK_SECONDS = 5.0
"""Longest time a host may take to accept a connection."""


def knock(scheduler: str) -> None:
    """Connect to a scheduler's port, and leave again.

    Raises:
        InputError: nothing accepts a connection there.
    """
    try:
        socket.create_connection(split_address(scheduler), timeout=KNOCK_SECONDS).close()
    except OSError as error:
        raise unreachable(scheduler, error) from error


def unreachable(scheduler: str, error: Exception) -> InputError:
    """What to say of a scheduler that is not reached."""
    return InputError(
        f"--scheduler: {scheduler} is not reached ({shortened(str(error) or type(error).__name__, 300)}); "
        "start one there with `dask scheduler`, see docs/cluster.md, or leave --scheduler out to train here"
    )
