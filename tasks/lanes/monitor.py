"""Watch a cluster's scheduler, and read the facts of every lane that joins it."""

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
"""Seconds between two checks that the scheduler is reached."""

_LIST_SECONDS = 10.0
"""Seconds between two lists of the lanes while no lane reports that it joined or left."""

_ANSWER_SECONDS = 30.0
"""Longest time to fetch a lane's answer or the scheduler's list."""

_SAME_CODE = "the scheduler and the lane have to run the code and packages of this run"

LANE = "lane"
"""The resource that a Dask worker declares to be a lane."""


class _Client(Client):  # type: ignore[misc]  # Dask has no types
    """Dask's client, but it never reconnects by itself after it has lost its scheduler.

    Dask would drop our listeners when it reconnects, so we open a new client instead; and if it is closed
    while it reconnects, Dask leaves that connection open.
    """

    async def _reconnect(self) -> None:
        self.scheduler_comm = None  # without it, the client does not listen


class ClusterMonitor:
    """Watches a cluster from its own thread: its members are always the lanes that can take work."""

    def __init__(
        self, scheduler: str, asked: EngineChoice, members: Members, on_client: Callable[[Client], None]
    ) -> None:
        """Store the settings; a new client has none of the earlier one's listeners."""
        self.asked = asked
        self.refused: dict[str, str] = {}
        """Why present lanes are not used, by address."""
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
        """Addresses of lanes that have answered; None when lanes have joined or left."""
        self._thread = threading.Thread(target=self._run, name="watch cluster", daemon=True)

    def start(self) -> None:
        """Begin to watch; wait for the first attempt to reach the scheduler.

        Raises:
            InputError: nothing answers there.
        """
        with self._starting:
            if not self._thread.is_alive() and not self._tried.is_set():
                dask.config.set(CONFIG)
                logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)  # this module logs it instead
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
        """Return the client that reaches the scheduler now; None if none does."""
        return self._client

    @property
    def is_asking(self) -> bool:
        """Say whether a lane has yet to answer with its facts."""
        return bool(self._asking)

    def settle(self, asked: EngineChoice, kinds: frozenset[str]) -> None:
        """Use only lanes of these kinds, with this engine, from now on; ask others again."""
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
        """Make sure a client reaches the scheduler; say whether it is a new one."""
        if self._client is not None and self._client.status == "running":
            return False
        self._lose()
        check_scheduler(self._scheduler)  # Dask would retry for long if no scheduler listens
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
            if not self._stopped.is_set():
                logger.warning("%s: contact with the scheduler was lost; trying again", self._scheduler)
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
        """Ask new lanes for their facts, and remove lanes that have left."""
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
        """Add a lane, or refuse it."""
        try:
            versions, facts = future.result(timeout=_ANSWER_SECONDS)
            reason = why_refused(versions, self._here)
            if reason is not None:
                reason += "; install the same requirements.lock and the same commit there"
            elif isinstance(facts, str):
                reason = facts
            else:
                reason = self._why_unfit(facts)
        except Exception as error:  # its code cannot even answer
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
