"""Inside a lane's process: how it begins, and how it says that it gets on."""

import contextlib
import ctypes
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")

PROGRESS = "progress"
"""Topic of the events by which a lane says that it gets on."""

_PR_SET_PDEATHSIG = 1  # prctl(2), linux/prctl.h

_MORE_LIKELY_KILLED = "500"
"""Of 1000, see proc_pid_oom_score_adj(5): short of memory, the machine is to end a lane, not the flow."""


def dask_setup(_worker: Any) -> None:
    """Prepare the process before it takes work; Dask calls this by its name.

    It dies with the flow even while it is stopped, leaves no core dump of gigabytes behind when it crashes,
    and is the first to go where memory runs out.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_MORE_LIKELY_KILLED)


def call(function: Callable[..., Result], *arguments: object) -> Result:
    """Run a function, saying first that it has begun."""
    report_progress()
    return function(*arguments)


def lane_name() -> str:
    """The lane this process is; "none" outside one, as in a test."""
    worker = _worker()
    return "none" if worker is None else str(worker.name)


def report_progress() -> None:
    """Say that this lane gets on: what is silent for long is taken for hung, and killed."""
    worker = _worker()
    if worker is not None:
        worker.log_event(PROGRESS, worker.name)


def _worker() -> Any:
    from distributed import get_worker

    try:
        return get_worker()
    except ValueError:
        return None
