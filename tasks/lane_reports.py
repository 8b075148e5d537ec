"""What lanes report while they work: that they get on, and what they log."""

import logging
import queue
import time
from contextlib import suppress

from distributed import Client

from tasks.lane_process import LOG, PROGRESS

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
