"""Lanes for a scheduler elsewhere, on this machine: one a device, pinned, kept running until stopped."""

import asyncio
import logging
import os
import secrets
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Sequence

import dask
from distributed import Nanny
from distributed.utils import get_ip

from study.spec import split_address
from tasks.environment import end_by_signals
from tasks.lanes.devices import Device
from tasks.lanes.local import interrupts_blocked
from tasks.lanes.local_cluster import CONFIG, keep_running, keep_until, lane_options
from tasks.lanes.members import unreachable
from tasks.lanes.monitor import LANE
from tasks.lanes.process import LANE_CORE

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_CLOSE_SECONDS = 20.0

_REPEAT_SECONDS = 30.0
"""Seconds between two warnings that the scheduler is not reached."""


class LaneHost:
    """This machine's lanes for a scheduler elsewhere."""

    def __init__(self, scheduler: str, devices: Sequence[Device]) -> None:
        """Store what to run; `serve` runs it.

        Raises:
            InputError: the scheduler's host is not known here.
        """
        self._host = _own_address(scheduler)
        self._scheduler, self._devices = scheduler, tuple(devices)
        self._nannies: dict[str, Nanny] = {}
        self._reached: set[str] = set()
        self._told = -_REPEAT_SECONDS
        self._stop = asyncio.Event()

    def serve(self) -> None:
        """Run the lanes until SIGINT or SIGTERM; reconnect whenever the scheduler is lost."""
        dask.config.set(CONFIG)
        logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)  # this module logs it instead
        asked = threading.Event()
        signal.signal(signal.SIGINT, lambda *_: asked.set())
        end_by_signals(lambda *_: asked.set())
        loop = asyncio.new_event_loop()
        with tempfile.TemporaryDirectory(prefix="lanes-", ignore_cleanup_errors=True) as folder:
            with interrupts_blocked():  # the lanes, which inherit it, are stopped from here
                thread = threading.Thread(
                    target=lambda: loop.run_until_complete(self._serve(folder)), name="lanes", daemon=True
                )
                thread.start()
            while not asked.wait(_LOOK_SECONDS) and thread.is_alive():
                pass
            loop.call_soon_threadsafe(self._stop.set)
            thread.join(_CLOSE_SECONDS)

    async def _serve(self, folder: str) -> None:
        keepers = [self._keep(number, device, folder) for number, device in enumerate(self._devices)]
        await keep_until(self._stop, keepers, self._nannies)

    async def _keep(self, number: int, device: Device, folder: str) -> None:
        name = f"{socket.gethostname()}/lane-{number}"
        options = lane_options(name, device, folder)
        options |= {"resources": {LANE: 1}, "host": self._host}
        options["env"] |= _pinning(number, device)

        def make() -> Nanny:
            self._nannies[name] = nanny = Nanny(
                self._scheduler, **{**options, "name": f"{name}#{secrets.token_hex(3)}"}
            )
            return nanny

        await keep_running(
            name, make, lambda: self._tell_reached(name), lambda error: self._tell_lost(name, error)
        )

    def _tell_reached(self, name: str) -> None:
        self._reached.add(name)
        logger.info("%s: ready for %s", name, self._scheduler)

    def _tell_lost(self, name: str, error: Exception) -> None:
        self._reached.discard(name)
        if not self._reached and time.monotonic() - self._told >= _REPEAT_SECONDS:
            self._told = time.monotonic()
            cause = error.__cause__ or error  # Dask's own text says only that a nanny failed to start
            logger.warning("%s is not reached (%s); trying again", self._scheduler, cause)


def _pinning(number: int, device: Device) -> dict[str, str]:
    """Return the environment that pins a CPU lane to a core; surplus lanes share cores."""
    if device.kind != "CPU" or not hasattr(os, "sched_getaffinity"):
        return {}
    cores = sorted(os.sched_getaffinity(0))
    return {LANE_CORE: str(cores[number % len(cores)])}


def _own_address(scheduler: str) -> str:
    """Return this machine's address as seen by the scheduler's machine.

    Raises:
        InputError: its host has no address, or there is no way to it.
    """
    host, port = split_address(scheduler)
    try:
        return str(get_ip(socket.getaddrinfo(host, port)[0][4][0], port))
    except OSError as error:
        raise unreachable(scheduler, error) from error
