"""Lanes: supervised worker processes, each on one device, that run plain functions and report progress."""

import logging
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

from study.errors import Conclusive, InputError, LanesLost
from study.spec import EngineName
from tasks.engines import hash_code
from tasks.lanes.devices import Device
from tasks.lanes.process import (
    LOG,
    PROGRESS,
    Attempt,
    LaneDied,
    LaneHung,
    LanesClosed,
    LogLine,
    Progress,
    call,
)

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
        self._code = hash_code()
        self._running: dict[str, Attempt] = {}
        """By name."""
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
        proceed: Callable[[Result], tuple[object, ...] | None] = lambda _: None,
    ) -> Result:
        """Run a function on the next free lane and return its result; count the attempt under the label.

        It counts as hung after `silence_seconds` without a report of progress. If `proceed` returns further
        arguments for a result, the lane calls the function again, with these, as part of the same attempt.

        Raises:
            LaneDied: the lane's process died.
            LaneHung: it made no progress and was killed.
            LanesClosed: the lanes were closed.
            LanesLost: the lane's process has started from other code than this one.
            Exception: any error of the function.
        """
        name = f"{label} {uuid4().hex[:8]}"
        attempt = Attempt(self._take_lane(), name, label, function, arguments, silence_seconds)
        with self._lock:
            self.attempts[label] += 1
        self._running[name] = attempt
        try:
            result: Result = self._run_on(attempt)
            while (further := proceed(result)) is not None:
                attempt.arguments = further
                result = self._run_on(attempt)
            return result
        except Exception as error:
            if self.is_closed:
                raise LanesClosed(f"stopped before {label!r} was finished") from error
            with self._lock:
                self.failures[label].append(f"{type(error).__name__}: {error}")
            raise
        finally:
            del self._running[name]
            self._give_back(attempt.lane)

    def running(self) -> dict[str, Progress]:
        """Return the progress of what runs on the lanes now, by label."""
        attempts = list(self._running.values())
        return {each.label: each.progress for each in attempts if each.progress is not None}

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
    def _check(self, attempt: Attempt) -> None:
        """Check that a running attempt can still end. Raises `LaneDied`, `LaneHung`."""

    def _name(self, lane: str) -> str:
        return lane

    def _listen(self, client: Client) -> None:
        """Subscribe to the reports of running attempts."""
        client.subscribe_topic(PROGRESS, self._hear)
        client.subscribe_topic(LOG, self._hear_log)

    def _hear(self, event: tuple[float, tuple[str, int | None]]) -> None:
        name, epochs = event[1]
        attempt = self._running.get(name)
        if attempt is not None:
            attempt.hear(epochs)

    def _hear_log(self, event: tuple[float, LogLine]) -> None:
        attempt = self._running.get(event[1][0])
        if attempt is not None:
            attempt.log_lines.put(event[1])

    def _run_on(self, attempt: Attempt) -> Any:
        name = attempt.name
        try:
            client, attempt.begun, ended = self._open(), time.monotonic(), threading.Event()
            attempt.ended, attempt.calls = ended, attempt.calls + 1
            attempt.future = client.submit(
                call, self._code, name, attempt.function, *attempt.arguments, key=f"{name} {attempt.calls}",
                pure=False, **self._place(attempt.lane),
            )  # fmt: skip
            # Not `result(timeout=...)` in a loop: when the end and the timeout coincide, Dask raises an
            # unrelated error (UnboundLocalError, or TimeoutError for a finished result).
            attempt.future.add_done_callback(lambda _: ended.set())
            return self._wait(attempt)
        finally:
            self._pass_on(attempt)
            if attempt.future is not None:
                attempt.future.release()  # an attempt that still runs is no longer needed

    def _wait(self, attempt: Attempt) -> Any:
        """Wait until an attempt has ended or is lost; return its result."""
        try:
            while not self.is_closed and not attempt.ended.wait(_LOOK_SECONDS):
                self._pass_on(attempt)
                self._check(attempt)
            if self.is_closed:  # closing ends attempts too: a closed client returns no result
                raise LanesClosed("the lanes are closed")
            # The result is ready: this times out only if the lanes are closed at this very moment.
            return attempt.future.result(timeout=_FETCH_SECONDS)
        except KilledWorker as error:
            # In a process that ran out of memory, Dask's worker may have ended while the process lives.
            self._replace(attempt.lane)
            died = f"{self._name(attempt.lane)} died while it ran {attempt.label!r}; it has been replaced"
            logger.warning(died)
            raise LaneDied(died) from error
        except (Conclusive, InputError, LaneDied, LaneHung, LanesClosed, LanesLost):
            raise
        except Exception:
            # A fault of the process, such as its memory, must not affect the next piece of work.
            self._replace(attempt.lane)
            raise

    def _pass_on(self, attempt: Attempt) -> None:
        """Log an attempt's log lines in the thread that waits for it, which belongs to its task run."""
        while not attempt.log_lines.empty():
            _, logger_name, level, text = attempt.log_lines.get()
            logging.getLogger(logger_name).log(level, text)

    def _check_progress(self, attempt: Attempt, since: float, allowed: float) -> None:
        if time.monotonic() - since > allowed:
            self._replace(attempt.lane)
            raise LaneHung(
                f"{self._name(attempt.lane)} made no progress for {allowed:.0f} s while it ran "
                f"{attempt.label!r}; it was killed and has been replaced"
            )

    def _open_quietly(self) -> None:
        with suppress(Exception):  # the first piece of work meets and reports it again
            self._open()
