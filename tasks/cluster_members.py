"""Which lanes of a cluster are there, and which of them is free."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from study.errors import LanesLost
from tasks.devices import Device
from tasks.greeting import Greeting
from tasks.lane_work import LanesClosed

_TELL_SECONDS = 5.0
"""How long there may be no lane before that is told: those that are there take a moment to answer."""

_LOOK_SECONDS = 0.5
"""How often one who waits for a lane looks whether any will come."""


@dataclass(frozen=True)
class Member:
    """A lane of the cluster."""

    address: str
    """Dask's, of the process: another one has another."""
    name: str
    """For people; the next process of the lane has it again."""
    greeting: Greeting


class Members:
    """The lanes that are there now; free ones are handed out in turn, to those who wait in turn."""

    def __init__(self, wait_seconds: float) -> None:
        """Begin with no lane.

        Args:
            wait_seconds: How long to wait while there is none.
        """
        self.wait_seconds = wait_seconds
        self.most = 0
        """The most lanes there were at once."""
        self.seen: dict[str, Member] = {}
        """Every lane that ever was there, by name."""
        self._there: dict[str, Member] = {}
        self._free: deque[str] = deque()
        """Addresses; what has left since is still in it."""
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()
        self._empty_since: float | None = time.monotonic()
        self._told = self._closed = False
        self._names: dict[str, str] = {}

    def add(self, member: Member) -> None:
        """Take a lane in; it is free."""
        with self._changed:
            self._there[member.address] = self.seen[member.name] = member
            self.most = max(self.most, len(self._there))
            self._names[member.address] = member.name
            self._empty_since, self._told = None, False
            self._put_free(member.address)

    def remove(self, addresses: Iterable[str]) -> None:
        """Take lanes out, if they are there: nothing more is handed to them."""
        with self._changed:
            for address in addresses:
                self._there.pop(address, None)
            if not self._there and self._empty_since is None:
                self._empty_since = time.monotonic()
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self, tell: Callable[[], None]) -> str:
        """Wait for one's turn and for a free lane; return its address.

        Args:
            tell: Called once if there has been no lane at all for a while.

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
        """Say that a lane is free again; one that has left is not."""
        with self._changed:
            if address in self._there:
                self._put_free(address)

    def name(self, address: str) -> str:
        """A lane's name; its address if it was never there."""
        return self._names.get(address, address)

    def __contains__(self, address: str) -> bool:
        """Whether a lane is there."""
        return address in self._there

    def list(self) -> list[Member]:
        """The lanes that are there."""
        with self._changed:
            return list(self._there.values())

    @property
    def processor(self) -> str:
        """The processor of the first lane."""
        with self._changed:
            return next((each.greeting.processor for each in self.seen.values()), "")

    @property
    def versions(self) -> dict[str, str]:
        """What takes part in training on the first lane."""
        return next((each.greeting.versions for each in self.seen.values()), {})

    @property
    def devices(self) -> tuple[Device, ...]:
        """The device of each lane that is there."""
        return tuple(member.greeting.device for member in self.list())

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
