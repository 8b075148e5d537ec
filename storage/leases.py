"""Leases: what machines that share the results folder go by, where the kernel's locks reach only their own.

Whoever holds a lock also keeps a small file beside it, `NAME.N.owner`, that says who it is, and renews its
time. Another machine that finds it renewed lately keeps away. One that finds it given up, or not renewed for
long, makes the file with the next number; who has the highest number holds the lease.

So there is one winner: a number is made once, by open(2) with O_EXCL, which NFS keeps since version 3, or by
an object store's conditional write; and no file that others may be judging is renamed or written over by
them. A holder that was taken over, as its machine had slept, sees the higher number when it next renews and
has to stop; until then there are two.

Ages are read off the file system's clock, as the difference of the times of two files in one folder: the
clocks of two machines are never compared.
"""

import getpass
import logging
import os
import secrets
import socket
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from storage import object_store
from storage.address import is_local
from storage.place import exists, find_paths, local_folder, modified_at, read_bytes, remove_path
from study.fact import Fact
from study.wording import duration

logger = logging.getLogger(__name__)

RENEWED_SECONDS = 20.0
"""Between two renewals."""

STALE_SECONDS = 120.0
"""A holder that has not renewed for so long is taken for gone; NFS may show times that are a minute old."""


class Owner(Fact):
    """Who holds a lease, as its file says; `since` is by the holder's clock, for people only."""

    host: str
    user: str
    pid: int
    kernel: str
    """Names the kernel by its boot: on the same one flock(2) tells who is alive."""
    since: datetime
    has_ended: bool = False


@dataclass(frozen=True)
class Holder:
    """Who holds a lease on another machine, and how long ago it was renewed by the file system's clock."""

    owner: Owner | None
    """None if its file is just being written, or damaged."""
    age_seconds: float

    @property
    def is_gone(self) -> bool:
        """Whether it has not been renewed for so long that it may be taken over."""
        return self.age_seconds > STALE_SECONDS

    def __str__(self) -> str:
        """Who and since when, for a message."""
        sign = f"its last sign of life was {duration(max(0.0, self.age_seconds))} ago"
        if self.owner is None:
            return f"a process that has not said on which machine; {sign}"
        return (
            f"process {self.owner.pid} of {self.owner.user} on {self.owner.host} since "
            f"{self.owner.since:%Y-%m-%d %H:%M:%S} UTC (by that machine's clock); {sign}"
        )


class Lease:
    """One name in a folder, held against other machines; among this one's processes flock(2) decides before.

    Args:
        folder: Where the files lie.
        name: What is held.
        on_lost: Called once, in a thread of the lease, if another machine has taken it over.
    """

    def __init__(self, folder: Path, name: str, on_lost: Callable[[], None]) -> None:
        self._folder, self._name, self._on_lost = folder, name, on_lost
        self._number, self._text = 0, ""
        self._ended = threading.Event()
        self.is_lost = False

    def take(self) -> Holder | None:
        """Take the lease and renew it from now on; if another machine holds it, return who.

        Raises:
            OSError: the folder cannot be written to.
        """
        while True:
            number, holder = _look(self._folder, self._name)
            if holder is not None and not holder.is_gone:
                return holder
            if self._make(number + 1):
                if holder is not None:
                    logger.warning("%s: taken over from %s", self._name, holder)
                threading.Thread(target=self._keep, name=f"lease of {self._name}", daemon=True).start()
                return None

    def give_up(self) -> None:
        """Let others take it at once, if it was taken."""
        self._ended.set()
        with suppress(OSError):  # the disk is full, say: it is free when it has not been renewed for long
            # Not removed: who has judged an earlier number, and slept, could make this one a second time.
            if self._number and exists(self._path()):
                _replace(self._path(), _describe(self._folder, has_ended=True))

    def _make(self, number: int) -> bool:
        """Make the file with a number; False if another was quicker."""
        path = _path(self._folder, self._name, number)
        self._text = _describe(self._folder)
        try:
            _make_new(path, self._text)
        except FileExistsError:
            return False
        numbers = _list_numbers(self._folder, self._name)
        if max(numbers, default=0) > number:  # what was judged is long past, and this number came and went
            remove_path(path)
            return False
        for earlier in numbers:
            if earlier < number:
                remove_path(_path(self._folder, self._name, earlier))
        self._number = number
        return True

    def _keep(self) -> None:
        while not self._ended.wait(RENEWED_SECONDS):
            with suppress(OSError):  # a file system that is away for a while: tried again
                if self._renew():
                    continue
                self.is_lost = True
                self._on_lost()
                return

    def _renew(self) -> bool:
        """Renew it; False if another machine has taken it over."""
        numbers = _list_numbers(self._folder, self._name)
        if max(numbers, default=0) > self._number:
            return False
        if self._number in numbers and is_local(self._folder):
            os.utime(self._path())  # without times: the file server's clock sets them
        elif not self._ended.is_set():  # an object store has no other way, or someone has tidied up
            _replace(self._path(), self._text)
        return True

    def _path(self) -> Path:
        return _path(self._folder, self._name, self._number)


def find_holder(folder: Path, name: str) -> Holder | None:
    """Who holds a name on another machine; None if nobody does who has given a sign of life lately.

    Raises:
        OSError: the folder cannot be read or written to.
    """
    _, holder = _look(folder, name)
    return None if holder is None or holder.is_gone else holder


def remove_leases(folder: Path, name: str) -> None:
    """Remove the files of a name that is never held again."""
    for number in _list_numbers(folder, name):
        remove_path(_path(folder, name, number))


def _look(folder: Path, name: str) -> tuple[int, Holder | None]:
    """The highest number of a name, 0 if there is none, and its holder, if that is on another machine."""
    for number in sorted(_list_numbers(folder, name), reverse=True):
        path = _path(folder, name, number)
        with suppress(FileNotFoundError):
            owner = _read(path)
            # Under this kernel it is dead: who looks here has the lock that flock(2) would refuse else.
            if owner is not None and (owner.has_ended or owner.kernel == _meeting_place(folder)):
                return number, None
            return number, Holder(owner, _now(folder) - modified_at(path))
    return 0, None


@cache
def kernel_name() -> str:
    """What tells this machine's running kernel from every other."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{socket.gethostname()}-{uuid.getnode():x}"  # no Linux


def _meeting_place(folder: Path) -> str:
    """What tells those apart who are kept from each other by flock(2) from all others.

    On a disk that is the kernel. For an object store the lock lies in a folder of this machine's, and two
    containers under one kernel may each have their own: it has a name of its own, too.
    """
    if is_local(folder):
        return kernel_name()
    named = local_folder(folder) / "name"
    with suppress(FileExistsError):
        named.parent.mkdir(parents=True, exist_ok=True)
        written = named.with_name(f".{named.name}.{secrets.token_hex(8)}.part")
        written.write_text(secrets.token_hex(8))
        try:
            os.link(written, named)  # whole, and only if there is none
        finally:
            written.unlink()
    return f"{kernel_name()} {named.read_text()}"


def _describe(folder: Path, has_ended: bool = False) -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container in which the user has no name
        user = f"user {os.getuid()}"
    return Owner(
        host=socket.gethostname(),
        user=user,
        pid=os.getpid(),
        kernel=_meeting_place(folder),
        since=datetime.now(UTC),
        has_ended=has_ended,
    ).model_dump_json()


def _read(path: Path) -> Owner | None:
    try:
        return Owner.model_validate_json(read_bytes(path))
    except (PermissionError, ValidationError):  # another user's, kept from us; or damaged
        return None


def _now(folder: Path) -> float:
    """The file system's time: that of a file just written."""
    path = folder / f".clock.{secrets.token_hex(8)}.part"
    try:
        _make_new(path, "")
        return modified_at(path)
    finally:
        remove_path(path)


def _make_new(path: Path, text: str) -> None:
    if not is_local(path):
        object_store.put_new(path, text.encode())
        return
    with path.open("x") as file:
        file.write(text)


def _replace(path: Path, text: str) -> None:
    """As `write_atomically`, but what a power cut leaves of it does not matter."""
    if not is_local(path):
        object_store.put(path, text.encode())
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    temporary.write_text(text)
    temporary.replace(path)


def _list_numbers(folder: Path, name: str) -> list[int]:
    start, end = f"{name}.", ".owner"
    names = [path.name for path in find_paths(folder, f"{start}*{end}")]
    numbers = [each.removeprefix(start).removesuffix(end) for each in names]
    return [int(number) for number in numbers if number.isdecimal() and len(number) < 10]


def _path(folder: Path, name: str, number: int) -> Path:
    return folder / f"{name}.{number}.owner"
