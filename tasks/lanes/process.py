"""Inside a lane's process: start, run functions and report progress."""

import contextlib
import ctypes
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any, TypeVar

from distributed import Future as DaskFuture

from study.errors import LanesLost
from tasks.engines import hash_code

Result = TypeVar("Result")

PROGRESS = "progress"
"""Topic of the events by which a lane reports progress."""

LOG = "log"
"""Topic of the events that carry a lane's log lines."""

LANE_CORE = "STUDY_LANE_CORE"
"""Environment variable with the number of the CPU core a lane is pinned to, if it is."""

_PR_SET_PDEATHSIG = 1  # prctl(2), linux/prctl.h

_MORE_LIKELY_KILLED = "500"
"""Of 1000, see proc_pid_oom_score_adj(5): short of memory, the machine ends a lane, not the flow."""


def dask_setup(_worker: Any) -> None:
    """Prepare the process before it takes work; Dask calls this by its name.

    It dies with the flow even while it is stopped, leaves no core dump of gigabytes when it crashes, and is
    the first to be killed when memory runs out.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for package in ("tasks", "storage", "study"):
        logging.getLogger(package).setLevel(logging.INFO)
        logging.getLogger(package).addHandler(_Teller())
    die_with_starter()
    core = os.environ.get(LANE_CORE)
    if core is not None:
        os.sched_setaffinity(0, {int(core)})
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_MORE_LIKELY_KILLED)


def dask_teardown(_worker: Any) -> None:
    """End the process at once when it should close, busy or not; Dask calls this by its name.

    Dask would wait half a minute for a training whose result is no longer needed: the lane was replaced, or
    has lost its scheduler.
    """
    os._exit(0)


def die_with_starter() -> None:
    """End this process with the one that started it, however that ends, if the platform can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def call(code: str, work: str, function: Callable[..., Result], *arguments: object) -> Result:
    """Report that the work has begun, then run its function; its log lines carry the work's name.

    Raises:
        LanesLost: this process has started from other code than the run, whose hash is `code`.
    """
    if hash_code() != code:
        raise LanesLost(
            "the code has changed since this run began, and a new lane would train with the changed code, so "
            "the run is stopped; put the code back (`git status` shows what differs) to continue"
        )
    _Teller.work = work
    report_progress()
    return function(*arguments)


def lane_name() -> str:
    """Return the name of this process's lane; "none" outside one, as in a test."""
    worker = _worker()
    return "none" if worker is None else name_lane(worker.name)


def name_lane(worker: object) -> str:
    """Return the lane's name without the suffix we add because Dask never reuses a worker name."""
    return str(worker).partition("#")[0]


def report_progress(epochs: int | None = None) -> None:
    """Report progress, and the epochs that have ended, if any: a lane that is silent for long is killed."""
    worker = _worker()
    if worker is not None:
        worker.log_event(PROGRESS, (_Teller.work, epochs))


class _Teller(logging.Handler):
    """Sends log lines to the flow, so that they appear in the log of the task that waits for this work."""

    work = ""
    """The attempt that this lane runs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send one line: work, logger, level and text."""
        worker = _worker()
        if worker is not None:
            worker.log_event(LOG, (self.work, record.name, record.levelno, record.getMessage()))


def _worker() -> Any:
    from distributed import get_worker

    try:
        return get_worker()
    except ValueError:
        return None


class LaneDied(RuntimeError):
    """The process that ran this died, or was lost with its host; other lanes continue."""


class LaneHung(RuntimeError):
    """The process that ran this made no progress; it was killed and a new one replaces it."""


class LanesClosed(RuntimeError):
    """The lanes were closed before this was finished."""


LogLine = tuple[str, str, int, str]
"""The attempt's name, the logger's name, the level and the text."""


@dataclass(frozen=True)
class Progress:
    """What a running attempt has reported; times are seconds of the monotonic clock."""

    at: float
    """Time of the last report."""
    epochs: int = 0
    """Epochs of the training that have ended, those of earlier attempts included."""
    first_at: float = 0.0
    """Time of the first report with a number of epochs."""
    first_epochs: int | None = None
    """That number."""

    def then(self, at: float, epochs: int | None) -> "Progress":
        """Return the progress after one more report."""
        if epochs is None:
            return replace(self, at=at)
        if self.first_epochs is None:
            return Progress(at, epochs, at, epochs)
        return replace(self, at=at, epochs=epochs)


@dataclass(eq=False)
class Attempt:
    """A function that a lane runs once."""

    lane: str
    name: str
    """Unique to this attempt: the name in the lane's reports, and the start of Dask's keys."""
    label: str
    """The work's name, for people."""
    function: Callable[..., Any]
    arguments: tuple[object, ...]
    silence_seconds: float
    """How long it may run without reporting progress before it counts as hung."""
    begun: float = 0.0
    """When its last call was handed to the lane, in seconds of the monotonic clock."""
    calls: int = 0
    """How often its function was handed to the lane."""
    progress: Progress | None = None
    """None before the function began."""
    log_lines: "SimpleQueue[LogLine]" = field(default_factory=SimpleQueue)
    """What it logged and is not passed on yet."""
    ended: Event = field(default_factory=Event)
    future: DaskFuture = None

    def hear(self, epochs: int | None = None) -> None:
        """Record that it makes progress."""
        now = time.monotonic()  # the flow's clock, which never jumps
        self.progress = (self.progress or Progress(now)).then(now, epochs)
