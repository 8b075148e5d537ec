"""What is run on a lane, an attempt at it, and how it can come to nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from distributed import Future as DaskFuture


class LaneDied(RuntimeError):
    """The process that ran this died, or was lost with its host; others go on."""


class LaneHung(RuntimeError):
    """The process that ran this made no progress; it was killed and a new one takes its place."""


class LanesClosed(RuntimeError):
    """The lanes were closed before this was finished."""


@dataclass(frozen=True)
class Work:
    """A function to be run on a lane."""

    label: str
    """What is run, for people."""
    function: Callable[..., Any]
    arguments: tuple[object, ...]
    silence_seconds: float
    """How long it may run without reporting progress before it counts as hung."""


@dataclass(eq=False)
class Attempt:
    """A piece of work on one lane."""

    lane: str
    name: str
    """Of this attempt alone: Dask's key, and what the lane's reports carry."""
    since: float
    """Seconds of the monotonic clock when it was handed to the lane."""
    future: DaskFuture
    ended: Event = field(default_factory=Event)
    lost: Exception | None = None
    """Why nothing more is waited for."""
