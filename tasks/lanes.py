"""Lanes: supervised worker processes, each on one device, that run plain functions.

Dask's scheduler hands out the work; a process that dies, hangs or raises is replaced. The caller is told, by
`LaneDied` or `LaneHung`, and decides whether to try again. Lanes start with the first piece of work, so a run
that reads everything from earlier runs starts none. Lane processes never talk to the Prefect API.
"""

import logging
import queue
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import resource_tracker
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

from distributed import Client
from distributed import Future as DaskFuture
from distributed.scheduler import KilledWorker

from study.errors import Conclusive, InputError
from tasks.devices import Device
from tasks.interrupts import interrupts_blocked
from tasks.lane_cluster import START_SECONDS, LaneCluster, name_lanes
from tasks.lane_process import LOG, PROGRESS, call

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

LogLine = tuple[str, str, int, str]
"""What ran, the logger's name, the level and the text."""

SILENCE_SECONDS = 600.0
"""How long a function may run without reporting progress, unless its caller says."""

_FETCH_SECONDS = 30.0
"""Longest time to fetch a result that is there."""

_LOOK_SECONDS = 1.0
"""How often a waiting caller looks whether its lane still gets on."""


class LaneDied(RuntimeError):
    """The process that ran this died; a new one takes its place."""


class LaneHung(RuntimeError):
    """The process that ran this made no progress; it was killed and a new one takes its place."""


class LanesClosed(RuntimeError):
    """The lanes were closed before this was finished."""


class Lanes:
    """A fixed number of lanes on this machine; use it as a context manager, so that none outlives the run."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self.devices = tuple(devices)
        self.attempts: Counter[str] = Counter()
        self.failures: defaultdict[str, list[str]] = defaultdict(list)
        """Why attempts failed, by label."""
        self._lock = threading.Lock()
        self._free: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._heard: dict[str, float] = {}
        self._said: dict[str, queue.SimpleQueue[LogLine]] = {}
        for lane in name_lanes(devices):
            self._free.put(lane)
        self._cluster: LaneCluster | None = None
        self._client: Client | None = None
        self._closed = False

    @property
    def kind(self) -> str:
        """Kind of the devices, "CPU" or "GPU"."""
        return self.devices[0].kind

    def run(
        self,
        label: str,
        function: Callable[..., Result],
        *arguments: object,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> Result:
        """Run a function on the next free lane and return its result; count the attempt under the label.

        Args:
            label: What is run, for people.
            function: What to run.
            arguments: What to give it.
            silence_seconds: How long it may run without reporting progress before it counts as hung.

        Raises:
            LaneDied: the lane's process died.
            LaneHung: it made no progress and was killed.
            LanesClosed: the lanes were closed.
            Exception: whatever the function raised.
        """
        lane = self._take_lane()
        try:
            with self._lock:
                self.attempts[label] += 1
            return self._run_on(lane, label, function, arguments, silence_seconds)
        except LanesClosed:
            raise
        except Exception as error:
            with self._lock:
                self.failures[label].append(f"{type(error).__name__}: {error}")
            raise
        finally:
            self._free.put(lane)

    def start_ahead(self) -> None:
        """Begin to start the lanes, for who knows that they will be needed; nobody waits for it."""
        threading.Thread(target=self._start_quietly, name="start lanes", daemon=True).start()

    @property
    def is_closed(self) -> bool:
        """Whether the lanes were closed."""
        return self._closed

    def process_ids(self) -> list[int]:
        """Process ids of the running lanes."""
        with self._lock:
            return [] if self._cluster is None else self._cluster.process_ids()

    def close(self) -> None:
        """Stop every lane, whatever it is doing."""
        self._closed = True
        self._free.put(None)
        with self._lock:
            client, cluster = self._client, self._cluster
            self._client = self._cluster = None
        if client is not None and cluster is not None:
            client.close(timeout=5)
            cluster.close()

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
        self,
        lane: str,
        label: str,
        function: Callable[..., Result],
        arguments: tuple[object, ...],
        silence_seconds: float,
    ) -> Result:
        work = f"{label} {uuid4().hex[:8]}"
        self._said[work] = queue.SimpleQueue()
        try:
            client = self._open()
            self._heard.pop(lane, None)
            future = client.submit(
                call, work, function, *arguments, key=work, resources={lane: 1}, pure=False
            )
            result: Result = self._wait(future, lane, label, work, silence_seconds)
        except KilledWorker as error:
            # Of a process that ran out of memory Dask's worker may have ended and the process not.
            self._replace(lane)
            raise LaneDied(f"{lane} died while it ran {label!r}; it has been replaced") from error
        except (Conclusive, InputError, LaneHung):
            raise
        except Exception as error:
            if self._closed:
                raise LanesClosed(f"stopped before {label!r} was finished") from error
            # What is wrong with the process, such as its memory, is not to meet the next piece of work.
            self._replace(lane)
            raise
        finally:
            self._pass_on(work)
            del self._said[work]
        return result

    def _wait(self, future: DaskFuture, lane: str, label: str, work: str, silence_seconds: float) -> Any:
        since, ended = time.monotonic(), threading.Event()
        # Not `result(timeout=...)` again and again: where end and timeout meet, Dask's raises an error
        # of its own (UnboundLocalError, or TimeoutError for a result that is there).
        future.add_done_callback(lambda _: ended.set())
        while not ended.wait(_LOOK_SECONDS):
            self._pass_on(work)
            if self._closed:
                raise LanesClosed(f"stopped before {label!r} was finished")
            heard = self._heard.get(lane)  # nothing before its process has started
            allowed = START_SECONDS if heard is None else silence_seconds
            if time.monotonic() - (heard or since) > allowed:
                self._replace(lane)
                raise LaneHung(
                    f"{lane} made no progress for {allowed:.0f} s while it ran {label!r}; "
                    "it was killed and has been replaced"
                )
        if self._closed:  # which ends what is waited for, too: of a closed client nothing is to be had
            raise LanesClosed(f"stopped before {label!r} was finished")
        # It is there, so that the time ends only if the lanes are closed at this very moment.
        return future.result(timeout=_FETCH_SECONDS)

    def _replace(self, lane: str) -> None:
        with self._lock:
            cluster = self._cluster
        if cluster is not None:
            cluster.kill(lane)

    def _hear(self, event: tuple[float, str]) -> None:
        # The flow's own clock, which does not step.
        self._heard[event[1]] = time.monotonic()

    def _hear_log(self, event: tuple[float, LogLine]) -> None:
        said = self._said.get(event[1][0])
        if said is not None:
            said.put(event[1])

    def _pass_on(self, work: str) -> None:
        """Log what the lane has said, in the thread that waits for it: there it belongs to its task run."""
        with suppress(queue.Empty):
            while True:
                _, name, level, text = self._said[work].get_nowait()
                logging.getLogger(name).log(level, text)

    def _open(self) -> Client:
        with self._lock:
            if self._closed:
                raise LanesClosed("the lanes are closed")
            if self._client is None:
                self._start()
            assert self._client is not None
            return self._client

    def _start_quietly(self) -> None:
        with suppress(Exception):  # it is met again, and told, by the first piece of work
            self._open()

    def _start(self) -> None:
        logger.info("starting %d %s lanes", len(self.devices), self.kind)
        # Where multiprocessing starts its tracker on the way, it unblocks SIGINT: start it before.
        resource_tracker.ensure_running()
        with interrupts_blocked():  # the cluster's thread inherits it, and passes it on to every lane
            self._cluster = cluster = LaneCluster(name_lanes(self.devices))
            self._client = Client(cluster.address, security=cluster.security, set_as_default=False)
        self._client.subscribe_topic(PROGRESS, self._hear)
        self._client.subscribe_topic(LOG, self._hear_log)
