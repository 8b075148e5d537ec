"""Locks on the results folder: no key is trained by two runs at once, and no run is executed twice at once.

The kernel holds them (flock(2), by the library filelock) and lets go when the process dies, however it dies:
no lock is ever stale. The empty files stay.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from storage.place import Results, told_if_unwritable
from study.errors import InputError

_POLL_SECONDS = 0.2


@contextmanager
def training_lock(
    results: Results, key: str, on_wait: Callable[[], None], should_stop: Callable[[], bool]
) -> Iterator[None]:
    """Hold a training while the body looks for it, trains and keeps it; wait while another run holds it.

    Args:
        results: Where trainings are kept.
        key: The training.
        on_wait: Called once if another run holds it.
        should_stop: Asked while waiting.

    Raises:
        TimeoutError: `should_stop` said so before the lock was free.
    """
    lock = _lock(results, key)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        lock.acquire(poll_interval=_POLL_SECONDS, cancel_check=should_stop)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def run_lock(results: Results, run_id: str) -> Iterator[None]:
    """Hold a run while it is executed.

    Raises:
        InputError: another process executes it.
    """
    lock = _lock(results, run_id)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"run {run_id} is being executed by another process; wait for it, or stop it"
        ) from error
    try:
        yield
    finally:
        lock.release()


def is_running(results: Results, run_id: str) -> bool:
    """Whether a process executes a run."""
    if not _path(results, run_id).exists():
        return False
    try:
        with run_lock(results, run_id):
            return False
    except InputError:
        return True


def _lock(results: Results, name: str) -> FileLock:
    with told_if_unwritable(results.locks):
        results.locks.mkdir(parents=True, exist_ok=True)
    return FileLock(_path(results, name))


def _path(results: Results, name: str) -> Path:
    return results.locks / f"{name}.lock"
