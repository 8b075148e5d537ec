"""Locks on the results folder: no key is trained by two runs at once, and no run is executed twice at once.

The kernel holds them (flock(2), by the library filelock) and lets go when the process dies, however it dies:
among the processes of one machine no lock is ever stale. Machines that share the folder go by leases besides.
The small files stay.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from storage.leases import STALE_SECONDS, Holder, Lease, find_holder, remove_leases
from storage.place import Results, local_folder, told_if_unwritable
from study.errors import InputError
from study.wording import duration

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_LOOK_SECONDS = 1.0
"""Between two looks at another machine's lease."""
_GLANCE_SECONDS = 0.5
"""For so long a lock may be held by one who only asks whether it is."""


@contextmanager
def waiting_lock(
    results: Results, name: str, on_wait: Callable[[], None], should_stop: Callable[[], bool]
) -> Iterator[None]:
    """Hold a training, or the history, while the body works on it; wait while another run holds it.

    Args:
        results: Where results lie.
        name: The training's key, or another name.
        on_wait: Called if another run holds it.
        should_stop: Asked while waiting.

    Raises:
        TimeoutError: `should_stop` said so before the lock was free.
    """
    lock = _lock(results, name)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        lock.acquire(poll_interval=_POLL_SECONDS, cancel_check=should_stop)
    lease = Lease(results.locks, name, lambda: _tell_lost(name))
    try:
        if _take(results, lease) is not None:
            on_wait()
            while _take(results, lease) is not None:
                if should_stop():
                    raise Timeout(lock.lock_file)
                time.sleep(_LOOK_SECONDS)
        yield
    finally:
        lease.give_up()
        lock.release()


@contextmanager
def run_lock(results: Results, run_id: str) -> Iterator[None]:
    """Hold a run while it is executed.

    Raises:
        InputError: another process executes it, here or on another machine; or another machine has taken it
            over from this one, which had given no sign of life: the body was stopped.
    """
    lock = _lock(results, run_id)
    try:
        lock.acquire(timeout=_GLANCE_SECONDS)
    except Timeout as error:
        raise InputError(_refusal(run_id, None)) from error
    lease = Lease(results.locks, run_id, _stop_this_run)
    try:
        holder = _take(results, lease)
        if holder is not None:
            raise InputError(_refusal(run_id, holder))
        yield
    except KeyboardInterrupt as error:
        if lease.is_lost:
            raise InputError(
                f"run {run_id}: this machine gave no sign of life for {duration(STALE_SECONDS)}, and another "
                f"has taken the run over: {find_holder(results.locks, run_id) or 'it has ended there'}"
            ) from error
        raise
    finally:
        lease.give_up()
        lock.release()


def is_running(results: Results, run_id: str) -> bool:
    """Whether a process executes a run, here or on another machine."""
    return why_held(results, run_id) is not None


def check_free(results: Results, run_id: str) -> None:
    """Refuse a run that is being executed.

    Raises:
        InputError: it is, here or on another machine.
    """
    if _is_locked(results, run_id):
        raise InputError(_refusal(run_id, None))
    holder = _find_holder(results, run_id)
    if holder is not None:
        raise InputError(_refusal(run_id, holder))


def why_held(results: Results, name: str) -> str | None:
    """Who holds a run or a training; None if it is free."""
    if _is_locked(results, name):
        return "another process"
    holder = _find_holder(results, name)
    return None if holder is None else str(holder)


@contextmanager
def last_lock(results: Results, name: str) -> Iterator[None]:
    """Hold a run or a training while it is removed; its small files then go, too.

    Raises:
        InputError: it is held.
    """
    with run_lock(results, name):
        yield
        remove_leases(results.locks, name)
        # Last: who waits for the lock notices that its file is gone, and makes another.
        (_folder(results) / f"{name}.lock").unlink(missing_ok=True)


def _is_locked(results: Results, name: str) -> bool:
    """Whether another process of this machine holds a lock."""
    if not (_folder(results) / f"{name}.lock").exists():
        return False
    lock = _lock(results, name)
    try:
        with told_if_unwritable(results.locks):
            lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _find_holder(results: Results, name: str) -> Holder | None:
    with told_if_unwritable(results.locks):  # asking the file system for its time writes a file
        return find_holder(results.locks, name)


def _refusal(run_id: str, elsewhere: Holder | None) -> str:
    if elsewhere is None:
        return f"run {run_id} is being executed by another process; wait for it, or stop it"
    return (
        f"run {run_id} is being executed by {elsewhere}; wait for it, or stop it there; if that machine is "
        f"gone, the run is free {duration(STALE_SECONDS)} after its last sign of life"
    )


def _stop_this_run() -> None:
    logger.error("another machine has taken this run over; stopping here")
    # As Ctrl-C, which ends everything in order; to the thread, as it may be waiting.
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def _tell_lost(name: str) -> None:
    logger.warning("%s: another machine works on it, too; both keep the same", name)


def _take(results: Results, lease: Lease) -> Holder | None:
    with told_if_unwritable(results.locks):
        return lease.take()


def _lock(results: Results, name: str) -> FileLock:
    folder = _folder(results)
    with told_if_unwritable(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{name}.lock")


def _folder(results: Results) -> Path:
    return local_folder(results.locks)
