"""Lanes: supervised worker processes, each on one device, that run plain functions and report progress."""

import logging
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

from distributed import Client
from distributed.scheduler import KilledWorker

from study.errors import Conclusive, InputError
from study.spec import EngineName
from tasks.lanes.devices import Device
from tasks.lanes.process import LOG, PROGRESS, Attempt, LaneDied, LaneHung, LanesClosed, Work, call

LogLine = tuple[str, str, int, str]
"""The attempt's name, the logger's name, the level and the text."""


class Reports:
    """Reports of the attempts that are waited for, by their names."""

    def __init__(self) -> None:
        self._heard: dict[str, float] = {}
        self._said: dict[str, queue.SimpleQueue[LogLine]] = {}

    def listen(self, client: Client) -> None:
        """Take what a client hears."""
        client.subscribe_topic(PROGRESS, self._hear)
        client.subscribe_topic(LOG, self._hear_log)

    def expect(self, name: str) -> None:
        """Take what is reported of an attempt from now on."""
        self._said[name] = queue.SimpleQueue()

    def last(self, name: str) -> float | None:
        """When an attempt reported that it gets on: seconds of the monotonic clock; None before it began."""
        return self._heard.get(name)

    def pass_on(self, name: str) -> None:
        """Log what was said in an attempt, in the thread that waits for it, which is of its task run."""
        with suppress(queue.Empty):
            while True:
                _, logger_name, level, text = self._said[name].get_nowait()
                logging.getLogger(logger_name).log(level, text)

    def forget(self, name: str) -> None:
        """Take nothing further of an attempt."""
        self._said.pop(name, None)
        self._heard.pop(name, None)

    def _hear(self, event: tuple[float, str]) -> None:
        if event[1] in self._said:
            # The flow's own clock, which does not step.
            self._heard[event[1]] = time.monotonic()

    def _hear_log(self, event: tuple[float, LogLine]) -> None:
        said = self._said.get(event[1][0])
        if said is not None:
            said.put(event[1])


logger = logging.getLogger(__name__)

Result = TypeVar("Result")

SILENCE_SECONDS = 600.0
"""How long a function may run without reporting progress, unless its caller says."""

_FETCH_SECONDS = 30.0
"""Longest time to fetch a result that is there."""

_LOOK_SECONDS = 1.0
"""How often a waiting caller looks whether its lane still gets on."""


class Lanes(ABC):
    """Lanes to run functions on; used as a context manager, nothing of theirs outlives the run."""

    def __init__(self) -> None:
        self.attempts: Counter[str] = Counter()
        self.failures: defaultdict[str, list[str]] = defaultdict(list)
        """Why attempts failed, by label."""
        self._lock = threading.Lock()
        self._reports = Reports()
        self._closed = False

    @property
    @abstractmethod
    def devices(self) -> tuple[Device, ...]:
        """The device of each lane that there is now."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """Kind of the devices: "CPU", "GPU", or "CPU+GPU" where lanes of both kinds share the work."""

    @property
    @abstractmethod
    def engine(self) -> EngineName:
        """What trains on them, of what was asked."""

    @property
    @abstractmethod
    def most(self) -> int:
        """The most lanes there were at once."""

    @abstractmethod
    def describe(self) -> list[dict[str, Any]]:
        """What each lane is, for the record: its device, and whatever else tells them apart."""

    @property
    @abstractmethod
    def processor(self) -> str:
        """The lanes' processor; where they differ, that of the lane that came first."""

    @property
    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Versions of what takes part in training; where lanes differ, on the one that came first."""

    @property
    @abstractmethod
    def useful(self) -> int:
        """How many lanes there are now that work at full speed at once."""

    @property
    @abstractmethod
    def share_cores(self) -> bool:
        """Whether a training may use the cores of lanes that have nothing to do."""

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
            result: Result = self._run_on(lane, Work(label, function, arguments, silence_seconds))
            return result
        except LanesClosed:
            raise
        except Exception as error:
            with self._lock:
                self.failures[label].append(f"{type(error).__name__}: {error}")
            raise

    def start_ahead(self) -> None:
        """Begin to start the lanes, for who knows that they will be needed; nobody waits for it."""
        threading.Thread(target=self._open_quietly, name="start lanes", daemon=True).start()

    @property
    def is_closed(self) -> bool:
        """Whether the lanes were closed."""
        return self._closed

    def close(self) -> None:
        """Wait for nothing any longer, whatever is being done."""
        self._closed = True

    def __enter__(self) -> Self:
        """Return the lanes; nothing starts before the first piece of work."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        self.close()

    @abstractmethod
    def _take_lane(self) -> str:
        """Wait for a lane that does nothing, and take it. Raises `LanesClosed`."""

    @abstractmethod
    def _give_back(self, lane: str) -> None:
        """Say that a lane that was taken does nothing any longer."""

    @abstractmethod
    def _place(self, lane: str) -> dict[str, Any]:
        """How Dask is told that work is for this lane."""

    @abstractmethod
    def _replace(self, lane: str) -> None:
        """Kill a lane's process, so that another takes its place."""

    @abstractmethod
    def _open(self) -> Client:
        """Reach the lanes, starting them where that is ours to do. Raises `LanesClosed`."""

    @abstractmethod
    def _why_lost(self, attempt: Attempt, work: Work) -> Exception | None:
        """Why an attempt is not waited for any longer; None if it is."""

    def _run_on(self, lane: str, work: Work) -> Any:
        attempt = self._begin(lane, work)
        try:
            self._wait(attempt, work)
            return self._result_of(attempt, work)
        finally:
            self._forget(attempt)

    def _begin(self, lane: str, work: Work) -> Attempt:
        name = f"{work.label} {uuid4().hex[:8]}"
        self._reports.expect(name)
        try:
            client = self._open()
            future = client.submit(
                call, name, work.function, *work.arguments, key=name, pure=False, **self._place(lane)
            )
        except Exception as error:
            self._reports.forget(name)
            self._give_back(lane)
            if self._closed:
                raise LanesClosed(f"stopped before {work.label!r} was finished") from error
            raise
        attempt = Attempt(lane, name, time.monotonic(), future)
        # Not `result(timeout=...)` again and again: where end and timeout meet, Dask's raises an error
        # of its own (UnboundLocalError, or TimeoutError for a result that is there).
        future.add_done_callback(lambda _: attempt.ended.set())
        return attempt

    def _wait(self, attempt: Attempt, work: Work) -> None:
        """Wait until an attempt has ended or is lost."""
        while attempt.lost is None and not attempt.ended.wait(_LOOK_SECONDS):
            self._reports.pass_on(attempt.name)
            if self._closed:
                raise LanesClosed(f"stopped before {work.label!r} was finished")
            attempt.lost = self._why_lost(attempt, work)

    def _why_hung(self, attempt: Attempt, work: Work, since: float, allowed: float) -> LaneHung | None:
        if time.monotonic() - since <= allowed:
            return None
        self._replace(attempt.lane)
        return LaneHung(
            f"{self._name(attempt.lane)} made no progress for {allowed:.0f} s while it ran {work.label!r}; "
            "it was killed and has been replaced"
        )

    def _name(self, lane: str) -> str:
        return lane

    def _result_of(self, attempt: Attempt, work: Work) -> Any:
        try:
            if attempt.lost is not None:
                raise attempt.lost
            if self._closed:  # which ends what is waited for, too: of a closed client nothing is to be had
                raise LanesClosed(f"stopped before {work.label!r} was finished")
            # It is there, so that the time ends only if the lanes are closed at this very moment.
            return attempt.future.result(timeout=_FETCH_SECONDS)
        except KilledWorker as error:
            # Of a process that ran out of memory Dask's worker may have ended and the process not.
            self._replace(attempt.lane)
            raise LaneDied(
                f"{self._name(attempt.lane)} died while it ran {work.label!r}; it has been replaced"
            ) from error
        except (Conclusive, InputError, LaneDied, LaneHung):
            raise
        except Exception as error:
            if self._closed:
                raise LanesClosed(f"stopped before {work.label!r} was finished") from error
            # What is wrong with the process, such as its memory, is not to meet the next piece of work.
            self._replace(attempt.lane)
            raise

    def _forget(self, attempt: Attempt) -> None:
        self._reports.pass_on(attempt.name)
        self._reports.forget(attempt.name)
        attempt.future.release()  # what has not ended by now is wanted by nobody
        self._give_back(attempt.lane)

    def _open_quietly(self) -> None:
        with suppress(Exception):  # it is met again, and told, by the first piece of work
            self._open()
