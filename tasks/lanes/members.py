"""The lanes of a cluster: which are there, which are free, and the facts each reports first."""

import os
import platform
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from filelock import FileLock
from packaging.utils import canonicalize_name

from storage.dataset_files import default_cache_folder
from study.errors import InputError, LanesLost
from study.spec import EngineName, split_address
from study.wording import shortened
from tasks.data import load_dataset
from tasks.engines import (
    LOCK_NAME,
    EngineChoice,
    choose_engine,
    hash_code,
    library_versions,
    processor_name,
    read_commit,
)
from tasks.lanes.devices import Device, list_gpus
from tasks.lanes.process import LanesClosed

_CODE = Path(__file__).resolve().parents[2]

_MOST_NAMED = 3
"""Most differences that a refusal names."""


@dataclass(frozen=True)
class LaneFacts:
    """The facts about a lane."""

    host: str
    device: Device
    processor: str
    engine: EngineName
    """The engine that would train there, given the request."""
    versions: dict[str, str]
    """Versions that take part in training with it."""


def read_lane_facts(asked: EngineChoice) -> LaneFacts:
    """Prepare this process for trainings; verify the dataset here; return the lane's facts.

    Raises:
        InputError: the requested engine cannot be used here, or no source has the dataset.
    """
    cache_folder = default_cache_folder()
    cache_folder.mkdir(parents=True, exist_ok=True)
    with FileLock(cache_folder / "facts.lock"):  # the lanes of a host fetch it once
        load_dataset()
        device = find_device()
        engine = choose_engine(asked, device.kind)
    return LaneFacts(socket.gethostname(), device, processor_name(), engine, library_versions(engine))


def introduce(asked: EngineChoice) -> tuple[dict[str, str], LaneFacts | str]:
    """Return the versions here with the facts, or with why there are none: differing versions may be why."""
    try:
        return read_versions(), read_lane_facts(asked)
    except Exception as error:
        return read_versions(), shortened(f"{type(error).__name__}: {error}", 300)


def find_device(environment: Mapping[str, str] = os.environ) -> Device:
    """Return the device of this process: the first GPU that it may see, else a CPU core."""
    gpus = list_gpus(environment)
    return Device("GPU", gpus[0]) if gpus else Device("CPU")


def read_versions() -> dict[str, str]:
    """Return the versions of Python and every installed package, by name, and of this program's code."""
    packages: dict[str, str] = {}
    for each in metadata.distributions():  # in the order in which Python looks for them
        packages.setdefault(str(canonicalize_name(each.name)), each.version)
    code = f"{hash_code()[:12]} (commit {(read_commit().name or 'unknown')[:12]})"
    return {**packages, "python": platform.python_version(), "code": code}


def why_refused(there: Mapping[str, str], here: Mapping[str, str]) -> str | None:
    """Return why a lane with these versions gets no work; None if it gets some.

    Each locked package that is installed here must have the same version there, and so must the code.
    """
    names = [name for name in ("python", "code", *_locked_names()) if name in here]
    differing = [name for name in names if _comparable(there, name) != _comparable(here, name)]
    if not differing:
        return None
    told = [f"{name} {there.get(name, 'missing')} there, {here[name]} here" for name in differing]
    more = len(told) - _MOST_NAMED
    return "; ".join(told[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _comparable(versions: Mapping[str, str], name: str) -> str | None:
    """Return the version; of the code only the hash, as the lane may not know its commit."""
    version = versions.get(name)
    return version.partition(" ")[0] if version is not None and name == "code" else version


@cache
def _locked_names() -> tuple[str, ...]:
    """Return the names of the locked packages; none if no lock file lies next to the code."""
    try:
        lines = (_CODE / LOCK_NAME).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    names = [re.split(r"==|\[", line)[0] for line in lines if re.match(r"[A-Za-z0-9]", line)]
    return tuple(dict.fromkeys(str(canonicalize_name(name)) for name in names))


_TELL_SECONDS = 5.0
"""Seconds without a lane before that is logged: lanes take a moment to answer."""

_LOOK_SECONDS = 0.5
"""How often a caller that waits for a lane checks whether one can still come."""


@dataclass(frozen=True)
class Member:
    """A lane of the cluster."""

    address: str
    """Dask's address of the process; each process has its own."""
    name: str
    """For people; the lane's next process keeps it."""
    facts: LaneFacts


class Members:
    """The lanes that are there now; free ones go to waiting callers, both in order."""

    def __init__(self, wait_seconds: float) -> None:
        """Begin with no lane."""
        self.wait_seconds = wait_seconds
        self.most = 0
        """The most lanes there were at once."""
        self.seen: dict[str, Member] = {}
        """Every lane there ever was, by name, in the order in which they came."""
        self._there: dict[str, Member] = {}
        self._free: deque[str] = deque()
        """Addresses; lanes that have left since are still in it."""
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()
        self._empty_since: float | None = time.monotonic()
        self._told = self._closed = False
        self._names: dict[str, str] = {}

    def add(self, member: Member) -> None:
        """Add a lane; it is free."""
        with self._changed:
            self._there[member.address] = self.seen[member.name] = member
            self.most = max(self.most, len(self._there))
            self._names[member.address] = member.name
            self._empty_since, self._told = None, False
            self._put_free(member.address)

    def remove(self, addresses: Iterable[str]) -> None:
        """Remove lanes, if they are there: they get no more work."""
        with self._changed:
            for address in addresses:
                self._there.pop(address, None)
            if not self._there and self._empty_since is None:
                self._empty_since = time.monotonic()
            self._changed.notify_all()

    def close(self) -> None:
        """End all waiting."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self, tell: Callable[[], None]) -> str:
        """Wait in turn for a free lane; return its address. `tell` is called once if there is none for a
        while.

        Raises:
            LanesLost: there was none for too long.
            LanesClosed: they were closed.
        """
        mine = object()
        with self._changed:
            self._waiting.append(mine)
            try:
                while True:
                    self._check(tell)
                    address = self._pop_free() if self._waiting[0] is mine else None
                    if address is not None:
                        return address
                    self._changed.wait(_LOOK_SECONDS)
            finally:
                self._waiting.remove(mine)
                self._changed.notify_all()

    def give_back(self, address: str) -> None:
        """Mark a lane as free again, unless it has left."""
        with self._changed:
            if address in self._there:
                self._put_free(address)

    def name(self, address: str) -> str:
        """Return a lane's name; its address if it was never there."""
        return self._names.get(address, address)

    def __contains__(self, address: str) -> bool:
        """Say whether a lane is there."""
        return address in self._there

    def list(self) -> list[Member]:
        """Return the lanes that are there."""
        with self._changed:
            return list(self._there.values())

    def _check(self, tell: Callable[[], None]) -> None:
        if self._closed:
            raise LanesClosed("the lanes are closed")
        if self._empty_since is None:
            return
        seconds = time.monotonic() - self._empty_since
        if not self._told and seconds > min(_TELL_SECONDS, self.wait_seconds):
            self._told = True
            tell()
        if seconds > self.wait_seconds:
            raise LanesLost(f"no lane came within {self.wait_seconds:.0f} s")

    def _put_free(self, address: str) -> None:
        self._free.append(address)
        self._changed.notify_all()

    def _pop_free(self) -> str | None:
        while self._free:
            address = self._free.popleft()
            if address in self._there:
                return address
        return None


KNOCK_SECONDS = 5.0
"""Longest time a host may take to accept a connection."""


def check_scheduler(scheduler: str) -> None:
    """Connect to a scheduler's port, then disconnect.

    Raises:
        InputError: nothing accepts a connection there.
    """
    try:
        socket.create_connection(split_address(scheduler), timeout=KNOCK_SECONDS).close()
    except OSError as error:
        raise unreachable(scheduler, error) from error


def unreachable(scheduler: str, error: Exception) -> InputError:
    """Return the error for a scheduler that is not reached."""
    return InputError(
        f"--scheduler: {scheduler} is not reached ({shortened(str(error) or type(error).__name__, 300)}); "
        "start one there with `dask scheduler`, see docs/cluster.md, or leave --scheduler out to train here"
    )
