"""Which lanes of a cluster are there, which of them is free, and how fast each is."""

import heapq
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from study.errors import LanesLost
from tasks.devices import Device
from tasks.greeting import Greeting
from tasks.lane_work import LanesClosed

Kind = tuple[str, str, str]
"""Host, processor, and kind of the device: lanes alike."""

_REMEMBERED = 50
"""Measurements of a kind, of which the median counts."""

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
    """The lanes that are there now; the fastest free one is handed out first, to those who wait in turn."""

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
        self._free: list[tuple[float, str]] = []
        """A heap of paces, negative, and addresses; what has left since is still in it."""
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()
        self._empty_since: float | None = time.monotonic()
        self._told = self._closed = False
        self._reference: Kind | None = None
        self._seconds: defaultdict[Kind, deque[float]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
        self._names: dict[str, str] = {}

    def add(self, member: Member) -> None:
        """Take a lane in; it is free."""
        with self._changed:
            self._there[member.address] = self.seen[member.name] = member
            self.most = max(self.most, len(self._there))
            self._names[member.address] = member.name
            self._reference = self._reference or _kind(member)
            self._seconds[_kind(member)].append(member.greeting.seconds)
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
        """Wait for one's turn and for a free lane; return the address of the fastest.

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

    def take_spare(self, worth: Callable[[float], bool]) -> str | None:
        """Take the fastest free lane if nobody waits for one and its pace makes it worth it; else None."""
        with self._changed:
            if self._waiting or self._closed:
                return None
            address = self._pop_free()
            if address is not None and not worth(self._pace(self._there[address])):
                self._put_free(address)
                return None
            return address

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
        """The processor of the first lane, whose kind has pace 1."""
        return self._reference[1] if self._reference else ""

    @property
    def versions(self) -> dict[str, str]:
        """What takes part in training on the first lane."""
        return next((each.greeting.versions for each in self.seen.values()), {})

    @property
    def devices(self) -> tuple[Device, ...]:
        """The device of each lane that is there."""
        return tuple(member.greeting.device for member in self.list())

    @property
    def paces(self) -> tuple[float, ...]:
        """The pace of each lane that is there, fastest first."""
        with self._changed:
            return tuple(sorted(map(self._pace, self._there.values()), reverse=True))

    def pace_of(self, lane: str) -> float:
        """A lane's pace, by its address or name."""
        with self._changed:
            member = self._there.get(lane) or self.seen.get(lane)
            return 1.0 if member is None else self._pace(member)

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
        heapq.heappush(self._free, (-self._pace(self._there[address]), address))
        self._changed.notify_all()

    def _pop_free(self) -> str | None:
        while self._free:
            _, address = heapq.heappop(self._free)
            if address in self._there:
                return address
        return None

    def _pace(self, member: Member) -> float:
        """A lane's pace, by those of its kind: one measurement alone is noisy."""
        kind = _kind(member)
        if self._reference is None or kind not in self._seconds:
            return 1.0
        return median(self._seconds[self._reference]) / median(self._seconds[kind])


def _kind(member: Member) -> Kind:
    greeting = member.greeting
    return greeting.host, greeting.processor, greeting.device.kind
