"""Inside a lane's process: how it begins, what it runs, and how it reports progress."""

import contextlib
import ctypes
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

from distributed import Future as DaskFuture

Result = TypeVar("Result")

PROGRESS = "progress"
"""Topic of the events by which a lane says that it gets on."""

LOG = "log"
"""Topic of the events by which a lane tells what it logs."""

LANE_CORE = "STUDY_LANE_CORE"
"""Environment variable with the number of the CPU core that a lane keeps to, where it is pinned."""

_PR_SET_PDEATHSIG = 1  # prctl(2), linux/prctl.h

_MORE_LIKELY_KILLED = "500"
"""Of 1000, see proc_pid_oom_score_adj(5): short of memory, the machine is to end a lane, not the flow."""


def dask_setup(_worker: Any) -> None:
    """Prepare the process before it takes work; Dask calls this by its name.

    It dies with the flow even while it is stopped, leaves no core dump of gigabytes behind when it crashes,
    and is the first to go where memory runs out.
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
    """End the process at once when it is to close, whatever it is doing; Dask calls this by its name.

    Dask would wait half a minute for the training, of which nobody wants the result: the lane was replaced,
    or has lost its scheduler.
    """
    os._exit(0)


def die_with_starter() -> None:
    """Let this process end with the one that started it, however that ends, where the platform can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def call(work: str, function: Callable[..., Result], *arguments: object) -> Result:
    """Run a function, saying first that it has begun; what it logs is told as this work's."""
    _Teller.work = work
    report_progress()
    return function(*arguments)


def lane_name() -> str:
    """The lane this process is; "none" outside one, as in a test."""
    worker = _worker()
    return "none" if worker is None else name_lane(worker.name)


def name_lane(worker: object) -> str:
    """A lane's name, of its worker's, which is longer: Dask takes none twice, even of one not yet missed."""
    return str(worker).partition("#")[0]


def report_progress() -> None:
    """Say that this lane gets on with its work: what is silent for long is taken for hung, and killed."""
    worker = _worker()
    if worker is not None:
        worker.log_event(PROGRESS, _Teller.work)


class _Teller(logging.Handler):
    """Tells the flow what is logged here, so that it stands in the log of the task that waits for it."""

    work = ""
    """What this lane runs."""

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
