"""Keep touch with a cluster's scheduler, and read_lane_facts every lane that joins it."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import dask
from distributed import Client, Future as DaskFuture

from study.errors import InputError
from study.wording import shortened
from tasks.engines import EngineChoice
from tasks.lanes.local import interrupts_blocked
from tasks.lanes.local_cluster import CONFIG
from tasks.lanes.members import (
    LaneFacts,
    Member,
    Members,
    check_scheduler,
    introduce,
    read_versions,
    unreachable,
    why_refused,
)
from tasks.lanes.process import name_lane

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 15.0
"""Longest time a scheduler may take to answer."""

_LOOK_SECONDS = 1.0
"""Between two looks whether the scheduler is still reached."""

_LIST_SECONDS = 10.0
"""Between two lists of the lanes, where nothing was heard of one that joined or left."""

_ANSWER_SECONDS = 30.0
"""Longest time to fetch what a lane has answered, or the scheduler's list."""

_SAME_CODE = "the scheduler and the lane have to run the code and packages of this run"

LANE = "lane"
"""The resource that a Dask worker declares to be a lane."""


class _Client(Client):  # type: ignore[misc]  # Dask has no types
    """Dask's client, except that it does not connect again by itself where it has lost its scheduler.

    It would forget what it listened to, so that another one takes its place; and closed while it connects,
    Dask's leaves that connection open.
    """

    async def _reconnect(self) -> None:
        self.scheduler_comm = None  # with which it listens no further


class ClusterMonitor:
    """Watches a cluster from a thread of its own: its members are always those that can be given work."""

    def __init__(
        self, scheduler: str, asked: EngineChoice, members: Members, on_client: Callable[[Client], None]
    ) -> None:
        """Begin; `start` begins to watch.

        Args:
            scheduler: Its address.
            asked: The engine that was asked for.
            members: Where lanes are taken in and out.
            on_client: Called with each new client, which hears nothing of what an earlier one listened to.
        """
        self.asked = asked
        self.refused: dict[str, str] = {}
        """Why lanes that are there are not used, by address."""
        self._scheduler, self._members, self._on_client = scheduler, members, on_client
        self._kinds: frozenset[str] | None = None
        self._here = read_versions()
        self._client: Client | None = None
        self._first: Exception | None = None
        self._starting = threading.Lock()
        self._tried, self._stopped = threading.Event(), threading.Event()
        self._asking: dict[str, tuple[str, DaskFuture]] = {}
        self._greeted: set[str] = set()
        self._events: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        """Addresses of lanes that have answered; None where lanes have joined or left."""
        self._thread = threading.Thread(target=self._run, name="watch cluster", daemon=True)

    def start(self) -> None:
        """Begin to watch; wait for the first try to reach the scheduler.

        Raises:
            InputError: nothing answers there.
        """
        with self._starting:
            if not self._thread.is_alive() and not self._tried.is_set():
                dask.config.set(CONFIG)
                logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)  # what it says is said here
                with interrupts_blocked():
                    self._thread.start()
        self._tried.wait()
        if isinstance(self._first, InputError):
            raise self._first
        if self._first is not None:
            raise unreachable(self._scheduler, self._first) from self._first

    def stop(self) -> None:
        """End the watch."""
        self._stopped.set()
        self._events.put(None)
        if self._thread.is_alive():
            self._thread.join(CONNECT_SECONDS)

    @property
    def client(self) -> Client | None:
        """The client that reaches the scheduler now; None if none does."""
        return self._client

    @property
    def is_asking(self) -> bool:
        """Whether a lane has been greeted and has not answered yet."""
        return bool(self._asking)

    def settle(self, asked: EngineChoice, kinds: frozenset[str]) -> None:
        """Use from now on lanes of these kinds only, with this engine; others are asked again."""
        self._kinds, self.asked = kinds, asked
        for member in self._members.list():
            if member.facts.engine != asked:
                self._members.remove([member.address])
                self._greeted.discard(member.address)
        self._events.put(None)

    def _run(self) -> None:
        listed = 0.0
        while not self._stopped.is_set():
            try:
                is_new = self._keep_client()
                if self._take_events() or is_new or time.monotonic() - listed > _LIST_SECONDS:
                    self._compare(self._list())
                    listed = time.monotonic()
                    self._tried.set()
            except Exception as error:
                self._lose()
                if not self._tried.is_set():
                    self._first = error
                    self._tried.set()
                    return
                logger.debug("%s: %s", self._scheduler, error)
                self._stopped.wait(_LOOK_SECONDS)
        self._lose()

    def _take_events(self) -> bool:
        """Wait a moment for news, take all answers, and say whether lanes have joined or left."""
        changed = False
        with suppress(queue.Empty):
            address = self._events.get(timeout=_LOOK_SECONDS)
            while True:
                if address is None:
                    changed = True
                elif address in self._asking:
                    name, future = self._asking.pop(address)
                    self._greeted.add(address)
                    self._judge(address, name, future)
                address = self._events.get_nowait()
        return changed

    def _keep_client(self) -> bool:
        """See that there is a client that reaches the scheduler; say whether it is a new one."""
        if self._client is not None and self._client.status == "running":
            return False
        self._lose()
        check_scheduler(self._scheduler)  # Dask would try for long where nothing listens
        client = _Client(self._scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        client.subscribe_topic("all", self._hear)
        self._on_client(client)
        self._client = client
        return True

    def _lose(self) -> None:
        client, self._client = self._client, None
        self._asking.clear()
        self._greeted.clear()
        self.refused.clear()
        self._members.remove([each.address for each in self._members.list()])
        if client is not None:
            with suppress(Exception):
                client.close(timeout=2)

    def _hear(self, event: tuple[float, Any]) -> None:
        if isinstance(event[1], dict) and event[1].get("action") in ("add-worker", "remove-worker"):
            if event[1]["action"] == "remove-worker":
                self._members.remove([event[1]["worker"]])
            self._events.put(None)

    def _list(self) -> dict[str, dict[str, Any]]:
        assert self._client is not None
        identity = self._client.sync(
            self._client.scheduler.identity, n_workers=-1, callback_timeout=_ANSWER_SECONDS
        )
        workers: dict[str, dict[str, Any]] = identity["workers"]
        return {address: facts for address, facts in workers.items() if facts["resources"].get(LANE)}

    def _compare(self, listed: dict[str, dict[str, Any]]) -> None:
        """Greet who is new, and take out who has left."""
        left = {each.address for each in self._members.list()} | self._greeted | set(self._asking)
        for address in left - set(listed):
            self._members.remove([address])
            self._greeted.discard(address)
            self._asking.pop(address, None)
            self.refused.pop(address, None)
        assert self._client is not None
        for address, facts in listed.items():
            if address in self._greeted or address in self._asking:
                continue
            future = self._client.submit(
                introduce, self.asked, key=f"read_lane_facts {uuid4().hex}", workers=[address],
                allow_other_workers=False, pure=False,
            )  # fmt: skip
            self._asking[address] = (name_lane(facts["name"]), future)
            future.add_done_callback(lambda _, address=address: self._events.put(address))

    def _judge(self, address: str, name: str, future: DaskFuture) -> None:
        """Take a lane in, or refuse it."""
        try:
            versions, facts = future.result(timeout=_ANSWER_SECONDS)
            reason = why_refused(versions, self._here)
            if reason is not None:
                reason += "; install the same requirements.lock and the same commit there"
            elif isinstance(facts, str):
                reason = facts
            else:
                reason = self._why_unfit(facts)
        except Exception as error:  # what it runs cannot even answer
            reason, facts = f"{shortened(f'{type(error).__name__}: {error}', 300)}; {_SAME_CODE}", ""
        if reason is None and isinstance(facts, LaneFacts):
            self._members.add(Member(address, name, facts))
            return
        if reason not in self.refused.values():
            logger.warning("lane %s at %s is not used: %s", name, address, reason)
        self.refused[address] = str(reason)

    def _why_unfit(self, facts: LaneFacts) -> str | None:
        if self._kinds is None:
            return None
        if facts.device.kind not in self._kinds:
            kinds = " and ".join(sorted(self._kinds))
            return f"it is on a {facts.device.kind}; the run began on {kinds} only"
        return None if facts.engine == self.asked else f"the run trains with the {self.asked} engine"
