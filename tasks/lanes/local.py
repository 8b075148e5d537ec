"""The lanes of this machine, one a device: their processes, and the scheduler, live as long as the run."""

import logging
import queue
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import resource_tracker
from typing import Any

from distributed import Client

from study.spec import EngineName
from tasks.engines import EngineChoice, choose_engine, library_versions, processor_name
from tasks.environment import LAST_SIGNALS
from tasks.lanes.devices import Device, useful_lanes
from tasks.lanes.lanes import Lanes
from tasks.lanes.local_cluster import START_SECONDS, LaneCluster, name_lanes
from tasks.lanes.memory import KillWatch
from tasks.lanes.process import Attempt, LanesClosed

_SHARED = {signal.SIGINT, *LAST_SIGNALS} - {signal.SIGTERM}  # which ends a lane, and reaches it alone


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Block SIGINT and its like for this thread, and for every thread and process it starts meanwhile.

    Ctrl-C reaches every process of the terminal at once, Slurm's warnings every one of a job. Processes that
    die of it cannot be stopped in order: a dead server does not record how the run ended, and a worker prints
    a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SHARED)
    try:
        resource_tracker.ensure_running()  # which unblocks SIGINT as it starts: block it again
        signal.pthread_sigmask(signal.SIG_BLOCK, _SHARED)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


logger = logging.getLogger(__name__)


class LocalLanes(Lanes):
    """A fixed number of lanes on this machine."""

    share_cores = True

    def __init__(self, devices: Sequence[Device], asked: EngineChoice = "auto") -> None:
        super().__init__()
        self._devices, self._asked = tuple(devices), asked
        self._free: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        for lane in name_lanes(devices):
            self._free.put(lane)
        self._cluster: LaneCluster | None = None
        self._client: Client | None = None
        self._kills = KillWatch()

    @property
    def devices(self) -> tuple[Device, ...]:
        """Return the device of each lane."""
        return self._devices

    @property
    def kind(self) -> str:
        """Return the kind of the devices, "CPU" or "GPU"."""
        return self._devices[0].kind

    @property
    def engine(self) -> EngineName:
        """Return the engine that trains on them, given the request."""
        return choose_engine(self._asked, self.kind)

    @property
    def most(self) -> int:
        """Return the number of devices."""
        return len(self._devices)

    def describe(self) -> list[dict[str, Any]]:
        """Return the device of each."""
        return [asdict(each) for each in self._devices]

    @property
    def processor(self) -> str:
        """Return this machine's processor."""
        return processor_name()

    @property
    def versions(self) -> dict[str, str]:
        """Return the versions that take part in training here."""
        return library_versions(self.engine)

    @property
    def useful(self) -> int:
        """Count all of them, except CPU lanes beyond the cores, which only share them."""
        return useful_lanes(self._devices)

    def process_ids(self) -> list[int]:
        """Return the process ids of the running lanes."""
        with self._lock:
            return [] if self._cluster is None else self._cluster.process_ids()

    def close(self) -> None:
        """Stop every lane, busy or not."""
        self._free.put(None)
        super().close()
        with self._lock:
            client, cluster = self._client, self._cluster
            self._client = self._cluster = None
        if client is not None and cluster is not None:
            client.close(timeout=5)
            cluster.close()

    def _take_lane(self) -> str:
        # One piece of work a lane: Dask would queue more on a worker, and blame them all for its death.
        lane = self._free.get()
        if lane is None:
            self._free.put(None)
            raise LanesClosed("the lanes are closed")
        return lane

    def _give_back(self, lane: str) -> None:
        self._free.put(lane)

    def _place(self, lane: str) -> dict[str, Any]:
        return {"resources": {lane: 1}}

    def _check(self, attempt: Attempt) -> None:
        self._kills.look()
        if attempt.progress is None:  # its process may have to start first
            self._check_progress(attempt, attempt.begun, START_SECONDS)
        else:
            self._check_progress(attempt, attempt.progress.at, attempt.silence_seconds)

    def _replace(self, lane: str) -> None:
        with self._lock:
            cluster = self._cluster
        if cluster is not None:
            cluster.kill(lane)

    def _open(self) -> Client:
        with self._lock:
            if self.is_closed:
                raise LanesClosed("the lanes are closed")
            if self._client is None:
                logger.info("starting %d %s lanes", len(self._devices), self.kind)
                with interrupts_blocked():  # the cluster's thread inherits it, and passes it on to every lane
                    self._cluster = cluster = LaneCluster(name_lanes(self._devices))
                    self._client = Client(cluster.address, security=cluster.security, set_as_default=False)
                self._listen(self._client)
            return self._client


class InProcessLane(LocalLanes):
    """One CPU lane without a process of its own: a debugger stops in its work, and no process has to start.

    Work runs one piece at a time, in the caller's thread; if it dies or hangs, so does the caller.
    """

    def __init__(self, asked: EngineChoice = "auto") -> None:
        super().__init__([Device("CPU")], asked)

    def start_ahead(self) -> None:
        """Start nothing."""

    def _run_on(self, attempt: Attempt) -> Any:
        attempt.hear()
        return attempt.function(*attempt.arguments)
