"""Lanes: supervised worker processes, each on one device, that run plain functions and report progress."""

import logging
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Progress:
    """What a running attempt has reported; times are seconds of the monotonic clock."""

    at: float
    """Time of the last report."""
    epochs: int = 0
    """Epochs of the training that have ended, those of earlier attempts included."""
    first_at: float = 0.0
    """Time of the first report with a number of epochs."""
    first_epochs: int | None = None
    """That number."""

    def then(self, at: float, epochs: int | None) -> "Progress":
        """Return the progress after one more report."""
        if epochs is None:
            return replace(self, at=at)
        if self.first_epochs is None:
            return Progress(at, epochs, at, epochs)
        return replace(self, at=at, epochs=epochs)


class Reports:
    """The reports of running attempts, by attempt name."""

    def __init__(self) -> None:
        self._heard: dict[str, Progress] = {}
        self._said: dict[str, queue.SimpleQueue[LogLine]] = {}

    def listen(self, client: Client) -> None:
        """Subscribe to a client's events."""
        client.subscribe_topic(PROGRESS, self._hear)
        client.subscribe_topic(LOG, self._hear_log)

    def expect(self, name: str) -> None:
        """Record the reports of an attempt from now on."""
        self._said[name] = queue.SimpleQueue()

    def last(self, name: str) -> float | None:
        """Return when an attempt last reported progress, in monotonic seconds; None before it began."""
        progress = self._heard.get(name)
        return None if progress is None else progress.at

    def running(self) -> dict[str, Progress]:
        """Return the progress of the attempts that have begun, by attempt name."""
        return dict(self._heard)

    def pass_on(self, name: str) -> None:
        """Log an attempt's log lines in the thread that waits for it, which belongs to its task run."""
        with suppress(queue.Empty):
            while True:
                _, logger_name, level, text = self._said[name].get_nowait()
                logging.getLogger(logger_name).log(level, text)

    def forget(self, name: str) -> None:
        """Ignore further reports of an attempt."""
        self._said.pop(name, None)
        self._heard.pop(name, None)

    def hear(self, name: str, epochs: int | None = None) -> None:
        """Record that an attempt makes progress."""
        if name in self._said:
            now = time.monotonic()  # the flow's clock, which never jumps
            self._heard[name] = self._heard.get(name, Progress(now)).then(now, epochs)

    def _hear(self, event: tuple[float, tuple[str, int | None]]) -> None:
        self.hear(*event[1])

    def _hear_log(self, event: tuple[float, LogLine]) -> None:
        said = self._said.get(event[1][0])
        if said is not None:
            said.put(event[1])


logger = logging.getLogger(__name__)

Result = TypeVar("Result")

SILENCE_SECONDS = 600.0
"""How long a function may run without reporting progress, by default."""

_FETCH_SECONDS = 30.0
"""Longest time to fetch a finished result."""

_LOOK_SECONDS = 1.0
"""How often a waiting caller checks that its lane makes progress."""


class Lanes(ABC):
    """Lanes to run functions on; as a context manager, they end with the run."""

    share_cores = False
    """Whether a training may use the cores of idle lanes."""

    def __init__(self) -> None:
        self.attempts: Counter[str] = Counter()
        self.failures: defaultdict[str, list[str]] = defaultdict(list)
        """Why attempts failed, by label."""
        self._lock = threading.Lock()
        self._reports = Reports()
        self.is_closed = False

    @property
    @abstractmethod
    def devices(self) -> tuple[Device, ...]:
        """Return the device of each lane there is now."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """Return the kind of the devices: "CPU", "GPU", or "CPU+GPU" for lanes of both kinds."""

    @property
    @abstractmethod
    def engine(self) -> EngineName:
        """Return the engine that trains on them, given the request."""

    @property
    @abstractmethod
    def most(self) -> int:
        """Return the most lanes there were at once."""

    @abstractmethod
    def describe(self) -> list[dict[str, Any]]:
        """Describe each lane for the record: its device, and all other facts that differ between lanes."""

    @property
    @abstractmethod
    def processor(self) -> str:
        """Return the lanes' processor; where they differ, that of the lane that came first."""

    @property
    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return the versions that take part in training; where lanes differ, those of the first lane."""

    @property
    def useful(self) -> int:
        """Count the lanes that work at full speed at once now."""
        return len(self.devices)

    def run(
        self,
        label: str,
        function: Callable[..., Result],
        *arguments: object,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> Result:
        """Run a function on the next free lane and return its result; count the attempt under the label.

        It counts as hung after `silence_seconds` without a report of progress.

        Raises:
            LaneDied: the lane's process died.
            LaneHung: it made no progress and was killed.
            LanesClosed: the lanes were closed.
            Exception: any error of the function.
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

    def running(self) -> dict[str, Progress]:
        """Return the progress of what runs on the lanes now, by label."""
        return {name.rpartition(" ")[0]: each for name, each in self._reports.running().items()}

    def start_ahead(self) -> None:
        """Start the lanes in the background, for a caller who knows that they will be needed."""
        threading.Thread(target=self._open_quietly, name="start lanes", daemon=True).start()

    def close(self) -> None:
        """Stop waiting, whatever runs now."""
        self.is_closed = True

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
        """Wait for an idle lane, and take it. Raises `LanesClosed`."""

    @abstractmethod
    def _give_back(self, lane: str) -> None:
        """Give back a taken lane: it is idle again."""

    @abstractmethod
    def _place(self, lane: str) -> dict[str, Any]:
        """Return the arguments that make Dask run work on this lane."""

    @abstractmethod
    def _replace(self, lane: str) -> None:
        """Kill a lane's process; a new one replaces it."""

    @abstractmethod
    def _open(self) -> Client:
        """Connect to the lanes; start them first if they are ours. Raises `LanesClosed`."""

    @abstractmethod
    def _why_lost(self, attempt: Attempt, work: Work) -> Exception | None:
        """Return why to stop waiting for an attempt; None to keep waiting."""

    def _run_on(self, lane: str, work: Work) -> Any:
        attempt = self._begin(lane, work)
        try:
            self._wait(attempt, work)
            return self._result_of(attempt, work)
        finally:
            self._forget(attempt)

    def _begin(self, lane: str, work: Work) -> Attempt:
        name = self._name_attempt(work)
        try:
            client = self._open()
            future = client.submit(
                call, name, work.function, *work.arguments, key=name, pure=False, **self._place(lane)
            )
        except Exception as error:
            self._reports.forget(name)
            self._give_back(lane)
            if self.is_closed:
                raise LanesClosed(f"stopped before {work.label!r} was finished") from error
            raise
        attempt = Attempt(lane, name, time.monotonic(), future)
        # Not `result(timeout=...)` in a loop: when the end and the timeout coincide, Dask raises an
        # unrelated error (UnboundLocalError, or TimeoutError for a finished result).
        future.add_done_callback(lambda _: attempt.ended.set())
        return attempt

    def _name_attempt(self, work: Work) -> str:
        name = f"{work.label} {uuid4().hex[:8]}"
        self._reports.expect(name)
        return name

    def _wait(self, attempt: Attempt, work: Work) -> None:
        """Wait until an attempt has ended or is lost."""
        while attempt.lost is None and not attempt.ended.wait(_LOOK_SECONDS):
            self._reports.pass_on(attempt.name)
            if self.is_closed:
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
            if self.is_closed:  # closing ends attempts too: a closed client returns no result
                raise LanesClosed(f"stopped before {work.label!r} was finished")
            # The result is ready: this times out only if the lanes are closed at this very moment.
            return attempt.future.result(timeout=_FETCH_SECONDS)
        except KilledWorker as error:
            # In a process that ran out of memory, Dask's worker may have ended while the process lives.
            self._replace(attempt.lane)
            raise LaneDied(
                f"{self._name(attempt.lane)} died while it ran {work.label!r}; it has been replaced"
            ) from error
        except (Conclusive, InputError, LaneDied, LaneHung):
            raise
        except Exception as error:
            if self.is_closed:
                raise LanesClosed(f"stopped before {work.label!r} was finished") from error
            # A fault of the process, such as its memory, must not affect the next piece of work.
            self._replace(attempt.lane)
            raise

    def _forget(self, attempt: Attempt) -> None:
        self._reports.pass_on(attempt.name)
        self._reports.forget(attempt.name)
        attempt.future.release()  # an attempt that still runs is no longer needed
        self._give_back(attempt.lane)

    def _open_quietly(self) -> None:
        with suppress(Exception):  # the first piece of work meets and reports it again
            self._open()
