"""Lock the results folder: two runs never train one key at once, and no run is executed twice at once.

On one machine the kernel decides (flock(2), by the library filelock): a lock is free as soon as its holder is
dead. Across machines a lease decides: the file `NAME.owner` names the holder, which renews it every 20
seconds; other machines take over a lease that was not renewed for two minutes. Making a lease is exclusive:
by open(2) with O_EXCL, which NFS supports since version 3, or by an object store's conditional write. A
holder that lost its lease, because its machine slept, notices when it next renews. Until then there are two
holders. This costs time, never results: trainings are named by their content, and writes are atomic.
"""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from storage import results as place
from storage.results import Results
from study.errors import InputError
from study.wording import duration

logger = logging.getLogger(__name__)

RENEWED_SECONDS, STALE_SECONDS = 20.0, 120.0
"""From one renewal of a lease to the next; until an unrenewed lease is free. NFS times may lag a minute."""

LOOK_SECONDS = 1.0
"""From one look at a held lock to the next; a process that only looks holds the lock for less."""


class _Lock:
    """A lock of a name, among the processes of this machine and among machines."""

    def __init__(self, results: Results, name: str, on_lost: Callable[[], None]) -> None:
        self.is_lost = False
        self._lease, self._text, self._on_lost = results.locks / f"{name}.owner", b"", on_lost
        self._ended = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name=f"lease of {name}", daemon=True)
        self._kernel_lock = FileLock(_kernel_path(results, name))

    def take(self, patience_seconds: float = 0.0) -> str | None:
        """Take the lock; if it was not free in time, return the name of its holder."""
        with place.explain_unwritable(self._lease.parent):
            try:
                self._kernel_lock.acquire(timeout=patience_seconds)
            except Timeout:
                return "another process"
            if (holder := self._take_lease()) is not None:
                time.sleep(patience_seconds)
            return holder

    def let_go(self) -> None:
        """Let others take the lock at once, if it was taken."""
        self._ended.set()
        if self._renewing.ident is not None:
            self._renewing.join()
            with suppress(OSError):  # else it becomes free when its renewals stop
                if self._is_ours():
                    place.remove_path(self._lease)
        self._kernel_lock.release(force=True)

    def _take_lease(self) -> str | None:
        while (holder := _find_holder(self._lease)) is None:
            self._text = _describe_owner(self._lease.parent)
            with suppress(FileExistsError):
                if place.exists(self._lease):  # a dead holder left it
                    place.write_atomically(self._lease, self._text)
                    time.sleep(LOOK_SECONDS)  # another machine may do the same: the last to write wins
                else:
                    place.write_new(self._lease, self._text)
                if self._is_ours():
                    self._renewing.start()
                    return None
        return holder

    def _renew(self) -> None:
        while not self.is_lost and not self._ended.wait(RENEWED_SECONDS):
            with suppress(OSError):  # the file system is away for a while: try again
                self.is_lost = not self._is_ours()
                if self.is_lost:
                    self._on_lost()
                else:
                    place.write_atomically(self._lease, self._text)

    def _is_ours(self) -> bool:
        """Say whether the lease is still ours; make it again if someone has removed it."""
        with suppress(FileNotFoundError):
            return place.read_bytes(self._lease) == self._text
        return True


@contextmanager
def waiting_lock(
    results: Results, name: str, on_wait: Callable[[], None], should_stop: Callable[[], bool]
) -> Iterator[None]:
    """Hold a training's key, or the history; call `on_wait` and wait while another run holds it.

    Raises:
        TimeoutError: `should_stop`, which is called while waiting, returned true before the lock was free.
    """
    lock = _Lock(results, name, lambda: logger.warning("%s: another machine works on it, too", name))
    try:
        if lock.take() is not None:
            on_wait()
            while lock.take(LOOK_SECONDS) is not None:
                if should_stop():
                    raise TimeoutError(f"{name} is held by another run")
        yield
    finally:
        lock.let_go()


@contextmanager
def run_lock(results: Results, run_id: str) -> Iterator[None]:
    """Hold a run while it is executed.

    Raises:
        InputError: another process executes it, here or on another machine; or another machine has taken it
            over because this one gave no sign of life: the body was stopped.
    """
    main = threading.main_thread().ident or 0  # we stop it as Ctrl-C does, which ends everything in order
    lock = _Lock(results, run_id, lambda: signal.pthread_kill(main, signal.SIGINT))
    try:
        _refuse(run_id, lock.take(LOOK_SECONDS))
        yield
    except KeyboardInterrupt as error:
        if lock.is_lost:
            raise InputError(f"run {run_id}: another machine has taken it over from this one") from error
        raise
    finally:
        lock.let_go()


def check_free(results: Results, run_id: str) -> None:
    """Raise an InputError if a run is being executed."""
    _refuse(run_id, why_held(results, run_id))


def why_held(results: Results, name: str) -> str | None:
    """Name the holder of a run or a training; None if it is free."""
    path = _kernel_path(results, name)
    with place.explain_unwritable(results.locks):
        try:
            if path.exists():
                FileLock(path).acquire(timeout=0).lock.release()
        except Timeout:
            return "another process"
        return _find_holder(results.locks / f"{name}.owner")


def remove_lock(results: Results, name: str) -> None:
    """Remove the file of a held lock: a process that waits for it notices, and makes another."""
    _kernel_path(results, name).unlink(missing_ok=True)


def _refuse(run_id: str, holder: str | None) -> None:
    if holder is not None:
        raise InputError(f"run {run_id} is being executed by {holder}; wait for it, or stop it")


def _find_holder(lease: Path) -> str | None:
    """Name the holder of a lease on another machine; None if no holder has renewed it lately."""
    where = who = ""
    try:
        with suppress(PermissionError):  # another user's, which we may not read
            where, _, who = place.read_bytes(lease).decode(errors="replace").partition("\n")
        renewed_at = place.modified_at(lease)
    except FileNotFoundError:
        return None
    age = place.read_clock(lease.parent) - renewed_at
    if where == _here(lease.parent) or age > STALE_SECONDS:
        return None  # a holder on this machine is dead: the caller already has the kernel's lock
    return (
        f"{who or 'a process that has not said on which machine'}, which gave its last sign of life "
        f"{duration(max(0.0, age))} ago; if that machine is gone, it is free {duration(STALE_SECONDS)} after"
    )


def _describe_owner(folder: Path) -> bytes:
    since = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} UTC (by that machine's clock)"
    return f"{_here(folder)}\nprocess {os.getpid()} on {socket.gethostname()} since {since}".encode()


def _here(folder: Path) -> str:
    """Name the reach of flock(2): a folder under this boot of the kernel."""
    boot, reached = Path("/proc/sys/kernel/random/boot_id"), place.local_folder(folder)
    reached.mkdir(parents=True, exist_ok=True)
    kernel, found = boot.read_text().strip() if boot.exists() else socket.gethostname(), reached.stat()
    return f"{kernel} {found.st_dev} {found.st_ino}"


def _kernel_path(results: Results, name: str) -> Path:
    return place.local_folder(results.locks) / f"{name}.lock"
