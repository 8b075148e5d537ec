"""Lanes of other machines: the workers of a Dask cluster that somebody else runs.

They join, leave and die during a run. Each piece of work goes to exactly one free lane. If that lane leaves,
the caller gets an error, and later reports of a lane that was cut off are ignored. Other runs may use the
same lanes: then Dask queues the work.
"""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from distributed import Client

from study.errors import LanesLost
from study.spec import EngineName
from study.wording import duration
from tasks.data import Dataset
from tasks.engines import EngineChoice
from tasks.lanes.devices import Device
from tasks.lanes.lanes import Lanes
from tasks.lanes.members import LaneFacts, Members
from tasks.lanes.monitor import LANE, ClusterMonitor
from tasks.lanes.process import Attempt, LaneDied

logger = logging.getLogger(__name__)

_GATHER_SECONDS = 10.0
"""How long a new run waits for more lanes after the first has answered."""

_REPLACE_SECONDS = 60.0
"""Longest time to replace a lane's process; it happens in the background."""


class ClusterLanes(Lanes):
    """All lanes of a cluster."""

    def __init__(self, scheduler: str, asked: EngineChoice = "auto", wait_seconds: float = 600.0) -> None:
        """Store the settings; the first work, or question about the lanes, connects to the scheduler."""
        super().__init__()
        self.scheduler = scheduler
        self._members = Members(wait_seconds)
        self._watch = ClusterMonitor(scheduler, asked, self._members, self._listen)
        self._settled: tuple[str, EngineName, LaneFacts] | None = None
        self._settling = threading.Lock()
        self._is_waiting = False
        """Whether the log says that there is no lane, and not yet that one is back."""
        self._replacing = ThreadPoolExecutor(4, thread_name_prefix="replace lanes")

    @property
    def devices(self) -> tuple[Device, ...]:
        """Return the device of each lane that is there now."""
        return tuple(each.facts.device for each in self._members.list())

    @property
    def kind(self) -> str:
        """Return the kind of the devices, "CPU", "GPU" or "CPU+GPU", as they were at the first call.

        Raises:
            InputError: no scheduler answers.
            LanesLost: no lane came in time.
        """
        return self._settle()[0]

    @property
    def engine(self) -> EngineName:
        """Return the engine: the native one if all lanes can use it, else TensorFlow; raises as `kind`."""
        return self._settle()[1]

    @property
    def processor(self) -> str:
        """Return the processor of the lane that came first."""
        return self._settle()[2].processor

    @property
    def versions(self) -> dict[str, str]:
        """Return the versions that take part in training on the lane that came first."""
        return self._settle()[2].versions

    @property
    def most(self) -> int:
        """Return the most lanes there were at once."""
        return self._members.most

    def describe(self) -> list[dict[str, Any]]:
        """Return every lane there ever was: its device, name, host and processor."""
        return [
            {
                **asdict(each.facts.device),
                "lane": each.name,
                "host": each.facts.host,
                "processor": each.facts.processor,
            }
            for each in sorted(self._members.seen.values(), key=lambda each: each.name)
        ]

    def close(self) -> None:
        """Release the lanes: their work is stopped, and they stay for the next run."""
        super().close()
        self._members.close()
        client = self._watch.client
        busy = [each.lane for each in list(self._running.values()) if each.progress]
        if client is not None and busy:
            with suppress(Exception):
                client.restart_workers(busy, timeout=2, raise_for_error=False)
        self._watch.stop()
        self._replacing.shutdown(wait=False, cancel_futures=True)

    def _settle(self) -> tuple[str, EngineName, LaneFacts]:
        """Return kind and engine of the lanes, and the facts of the lane that came first."""
        with self._settling:
            if self._settled is None:
                self._watch.start()
                self._members.give_back(self._take_lane())
                deadline = time.monotonic() + _GATHER_SECONDS
                while self._watch.is_asking and time.monotonic() < deadline:
                    time.sleep(0.05)
                there = [each.facts for each in self._members.list()]
                kinds = frozenset(each.device.kind for each in there)
                native = {each.engine for each in there} == {"native"}
                engine: EngineName = "native" if native else "tensorflow"
                self._watch.settle("native" if native else "tensorflow", kinds)
                first = next(iter(self._members.seen.values())).facts
                self._settled = "+".join(sorted(kinds)), engine, first
            return self._settled

    def _open(self) -> Client:
        self._watch.start()
        client = self._watch.client
        if client is None:
            raise LaneDied(f"{self.scheduler} is not reached now")
        return client

    def _take_lane(self) -> str:
        self._watch.start()
        try:
            address = self._members.take(self._tell_waiting)
        except LanesLost as error:
            raise LanesLost(self._describe_waiting(f"{error}; the run is stopped")) from error
        if self._is_waiting:
            self._is_waiting = False
            logger.warning("%s is there; continuing", self._name(address))
        return address

    def _give_back(self, lane: str) -> None:
        self._members.give_back(lane)

    def _tell_waiting(self) -> None:
        self._is_waiting = True
        most = duration(self._members.wait_seconds)
        logger.warning("%s", self._describe_waiting(f"waiting for one, for at most {most}"))

    def _describe_waiting(self, what: str) -> str:
        reached = "no lane is there" if self._watch.client else "the scheduler is not reached"
        refused = sorted(set(self._watch.refused.values()))
        told = f" ({len(self._watch.refused)} refused: {refused[0]})" if refused else ""
        return f"{self.scheduler}: {reached}{told}; {what}; `study lane {self.scheduler}` starts lanes"

    def _place(self, lane: str) -> dict[str, Any]:
        return {"workers": [lane], "allow_other_workers": False, "resources": {LANE: 1}}

    def _run_on(self, attempt: Attempt) -> Any:
        # On that machine, the dataset lies in its own cache.
        attempt.arguments = tuple(
            each.anywhere() if isinstance(each, Dataset) else each for each in attempt.arguments
        )
        return super()._run_on(attempt)

    def _name(self, lane: str) -> str:
        return self._members.name(lane)

    def _check(self, attempt: Attempt) -> None:
        if attempt.lane not in self._members:
            raise LaneDied(
                f"{self._name(attempt.lane)} left, died or was cut off while it ran {attempt.label!r}"
            )
        # Another run's work may come first, also between two calls.
        if attempt.progress is not None and attempt.progress.at >= attempt.begun:
            self._check_progress(attempt, attempt.progress.at, attempt.silence_seconds)

    def _wait(self, attempt: Attempt) -> Any:
        try:
            return super()._wait(attempt)
        except Exception as error:
            if attempt.future.cancelled():  # closing the client cancels it; the error's type varies
                raise LaneDied(
                    f"contact with {self.scheduler} was lost while {attempt.label!r} ran"
                ) from error
            raise

    def _replace(self, lane: str) -> None:
        self._members.remove([lane])
        client = self._watch.client
        if client is not None:
            with suppress(RuntimeError):  # closed meanwhile
                self._replacing.submit(_restart, client, lane)


def _restart(client: Client, lane: str) -> None:
    with suppress(Exception):  # it may have no nanny, or be gone: no work goes to it in any case
        client.restart_workers([lane], timeout=_REPLACE_SECONDS, raise_for_error=False)
