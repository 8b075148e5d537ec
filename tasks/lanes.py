"""Lanes: supervised worker processes, each on one device, that run plain functions.

Dask's scheduler hands out the work and its nannies replace a process that dies; the caller is told by
`LaneDied` and decides whether to try again. Lanes start with the first piece of work, so a run that reads
everything from earlier runs starts none. Lane processes never talk to the Prefect API.
"""

import logging
import queue
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing import resource_tracker
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import dask
from distributed import Client, Nanny, Scheduler, Security, SpecCluster
from distributed.scheduler import KilledWorker

from tasks.devices import Device
from tasks.interrupts import interrupts_blocked

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_LOCAL = "127.0.0.1"
_CONFIG = {
    # A death is an attempt of one task: it surfaces at once and is retried by the caller, in the open.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.worker.daemon": True,
    "distributed.admin.large-graph-warning-threshold": "1GiB",  # a model's weights travel to its export
    "distributed.scheduler.http.routes": [],  # nothing to read over plain HTTP
    # A training holds the GIL for long stretches; that is no reason to think its process dead.
    "distributed.scheduler.worker-ttl": None,
    "distributed.admin.tick.limit": "1h",
}


class LaneDied(RuntimeError):
    """The process that ran this died; a new one has taken its place."""


class LanesClosed(RuntimeError):
    """The lanes were closed before this was finished."""


class Lanes:
    """A fixed number of lanes on this machine; use it as a context manager, so that none outlives the run."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self.devices = tuple(devices)
        self.attempts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._free: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        for number in range(len(self.devices)):
            self._free.put(f"lane-{number}")
        self._cluster: SpecCluster | None = None
        self._client: Client | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._closed = False

    @property
    def kind(self) -> str:
        """Kind of the devices, "CPU" or "GPU"."""
        return self.devices[0].kind

    def run(self, label: str, function: Callable[..., Result], *arguments: object) -> Result:
        """Run a function on the next free lane and return its result; count the attempt under the label.

        Raises:
            LaneDied: the lane's process died.
            LanesClosed: the lanes were closed.
            Exception: whatever the function raised.
        """
        lane = self._take_lane()
        try:
            with self._lock:
                self.attempts[label] += 1
            return self._run_on(lane, label, function, arguments)
        finally:
            self._free.put(lane)

    def process_ids(self) -> list[int]:
        """Process ids of the running lanes."""
        with self._lock:
            if self._client is None:
                return []
            return [int(worker["pid"]) for worker in self._client.run(_describe_process).values()]

    def close(self) -> None:
        """Stop every lane, whatever it is doing."""
        self._closed = True
        self._free.put(None)
        with self._lock:
            client, cluster, folder = self._client, self._cluster, self._folder
            self._client = self._cluster = self._folder = None
        if client is not None and cluster is not None and folder is not None:
            client.close(timeout=5)
            cluster.close(timeout=10)
            folder.cleanup()

    def __enter__(self) -> Self:
        """Return the lanes; they start with the first piece of work."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every lane."""
        self.close()

    def _take_lane(self) -> str:
        # One piece of work a lane: Dask would queue more on a worker, and blame them all for its death.
        lane = self._free.get()
        if lane is None:
            self._free.put(None)
            raise LanesClosed("the lanes are closed")
        return lane

    def _run_on(
        self, lane: str, label: str, function: Callable[..., Result], arguments: tuple[object, ...]
    ) -> Result:
        try:
            future = self._open().submit(
                function, *arguments, key=f"{label} {uuid4().hex[:8]}", resources={lane: 1}, pure=False
            )
            result: Result = future.result()
        except KilledWorker as error:
            raise LaneDied(f"{lane} died while it ran {label!r}; it has been replaced") from error
        except Exception as error:
            if self._closed:
                raise LanesClosed(f"stopped before {label!r} was finished") from error
            raise
        return result

    def _open(self) -> Client:
        with self._lock:
            if self._closed:
                raise LanesClosed("the lanes are closed")
            if self._client is None:
                self._start()
            return self._client

    def _start(self) -> None:
        logger.info("starting %d %s lanes", len(self.devices), self.kind)
        # Where multiprocessing starts its tracker on the way, it unblocks SIGINT: start it before.
        resource_tracker.ensure_running()
        with interrupts_blocked():  # the cluster's thread inherits it, and passes it on to every lane
            self._start_cluster()

    def _start_cluster(self) -> None:
        dask.config.set(_CONFIG)
        logging.getLogger("distributed").setLevel(logging.ERROR)  # its comings and goings are not news
        self._folder = tempfile.TemporaryDirectory(prefix="lanes-", ignore_cleanup_errors=True)
        # Temporary credentials: no other user of the machine can reach the scheduler or run anything.
        security = Security.temporary()
        shared = {"protocol": "tls://", "host": _LOCAL, "security": security}
        self._cluster = SpecCluster(
            scheduler={
                "cls": Scheduler,
                "options": {**shared, "dashboard": False, "dashboard_address": f"{_LOCAL}:0"},
            },
            workers={
                f"lane-{number}": {"cls": Nanny, "options": {**shared, **self._lane_options(number, device)}}
                for number, device in enumerate(self.devices)
            },
            security=security,
            silence_logs=logging.CRITICAL,
        )
        self._client = Client(self._cluster, security=security, set_as_default=False)
        # Dask holds a client's messages back for 10 ms to send several at once; ours come one by one, and the
        # wait was most of what handing out a training took (benchmarks/orchestration.py: 11 ms, then 7).
        self._client.scheduler_comm.interval = 0.002

    def _lane_options(self, number: int, device: Device) -> dict[str, Any]:
        assert self._folder is not None
        return {
            "nthreads": 1,
            "resources": {"lane": 1, f"lane-{number}": 1},
            "env": device.environment,
            "memory_limit": 0,
            "local_directory": self._folder.name,
            "dashboard": False,
            "silence_logs": logging.CRITICAL,
        }


def _describe_process() -> dict[str, int]:
    import os

    return {"pid": os.getpid()}
