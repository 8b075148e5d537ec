"""The processes behind this machine's lanes: a Dask scheduler, and a nanny for each worker process."""

import asyncio
import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import dask
from distributed import Nanny, Scheduler, Security

from tasks.lanes.devices import Device

logger = logging.getLogger(__name__)

START_SECONDS = 120.0
"""Longest time a lane's process may take to start; then it is killed and restarted."""

PAUSE_SECONDS = 1.0
"""Seconds between a nanny's end and the next one's start: instant failures must not repeat in a loop."""

CONFIG: dict[str, Any] = {
    "distributed.worker.daemon": True,
    # The engine is imported while a lane starts, not by its first training.
    "distributed.worker.preload": ["tasks.lanes.process", "tasks.training.one_training"],
    "distributed.admin.large-graph-warning-threshold": "1GiB",  # a model's weights travel to its export
    "distributed.worker.http.routes": [],  # nothing to read over plain HTTP
    "distributed.worker.profile.enabled": False,  # samples each lane's stack a hundred times a second
    "distributed.admin.tick.limit": "1h",  # a training holds the GIL for long stretches
}
"""Dask's settings in the process that starts lanes; the lanes' processes inherit them."""


def lane_options(name: str, device: Device, folder: str) -> dict[str, Any]:
    """Return a nanny's options for a lane; the folder is for its process's temporary files."""
    return {
        "name": name,
        "nthreads": 1,
        # TensorFlow leaves files in the temporary folder when its process is killed.
        "env": {**device.environment, "TMPDIR": folder},
        "memory_limit": 0,
        "local_directory": folder,
        "death_timeout": START_SECONDS,
        "dashboard": False,
        "silence_logs": logging.CRITICAL,
    }


async def keep_running(
    name: str,
    make: Callable[[], Nanny],
    on_start: Callable[[], None] = lambda: None,
    on_failure: Callable[[Exception], None] = lambda _: None,
) -> None:
    """Keep a lane's process running, until cancelled; report whether it has reached the scheduler."""
    while True:
        nanny = make()
        try:
            await nanny
            on_start()
            await nanny.finished()
        except Exception as error:
            logger.debug("%s did not start: %s", name, error)
            on_failure(error)
        finally:
            with suppress(Exception):  # the next one has to start, however this one ended
                await nanny.close(timeout=1)
        await asyncio.sleep(PAUSE_SECONDS)


async def keep_until(
    stop: asyncio.Event, keepers: Iterable[Coroutine[Any, Any, None]], nannies: Mapping[str, Nanny]
) -> None:
    """Keep lanes running until it is time to stop; then kill their processes."""
    tasks = [asyncio.create_task(each) for each in keepers]
    await stop.wait()
    for task in tasks:
        task.cancel()
    for nanny in nannies.values():
        kill(nanny)
    await asyncio.gather(*tasks, return_exceptions=True)


def kill(nanny: Nanny) -> None:
    """Kill a nanny's process, if it has one."""
    if nanny.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(nanny.pid, signal.SIGKILL)


_CLOSE_SECONDS = 20.0
_LOCAL = "127.0.0.1"
_CONFIG = {
    **CONFIG,
    # A death costs one attempt of one task: the caller sees it at once and retries it visibly.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.http.routes": [],
    # A training holds the GIL for long stretches; its process is not dead.
    "distributed.scheduler.worker-ttl": None,
}


class LaneCluster:
    """A scheduler and one supervised process for each lane, on this machine, until closed."""

    def __init__(self, devices: dict[str, Device]) -> None:
        """Start the scheduler, wait for it, and let the lanes start.

        Raises:
            OSError: nothing can listen on loopback.
        """
        dask.config.set(_CONFIG)
        # Dask logs lanes that come and go, and a closed connection as critical; neither is an error.
        logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)
        # TLS with a key that only this run's processes know: no other user of the machine reaches the lanes.
        self.security: Security = Security.temporary()
        self._devices = devices
        self._nannies: dict[str, Nanny] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="lanes-", ignore_cleanup_errors=True)
        self._address: Future[str] = Future()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="lane cluster", daemon=True)
        self._thread.start()
        self.address = self._address.result()

    def kill(self, lane: str) -> None:
        """Kill a lane's process at once, busy or not; a new one replaces it.

        Returns once the scheduler knows, so that the dead one gets no further work.
        """
        nanny = self._nannies.get(lane)
        if nanny is None:
            return
        # The scheduler's address: the nanny learns its process's address after work may have started.
        address, deadline = self._address_of(lane), time.monotonic() + _CLOSE_SECONDS
        kill(nanny)
        while address is not None and self._address_of(lane) == address and time.monotonic() < deadline:
            time.sleep(0.01)

    def process_ids(self) -> list[int]:
        """Return the process ids of the running lanes."""
        return [nanny.pid for nanny in self._nannies.values() if nanny.pid is not None]

    def close(self) -> None:
        """Kill every lane's process and stop the scheduler."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_CLOSE_SECONDS)
        self._folder.cleanup()

    def _address_of(self, lane: str) -> str | None:
        """Return the scheduler's address of a lane's process; None if it has none."""
        address: str | None = self._scheduler.aliases.get(lane)
        return address

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except Exception as error:
            if self._address.done():
                logger.exception("the lanes' scheduler ended")
            else:
                self._address.set_exception(error)

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        shared = {"protocol": "tls://", "host": _LOCAL, "security": self.security}
        # A folder of our own: any user may have made the default one in /tmp, and Python imports from it.
        async with Scheduler(
            **shared, dashboard=False, dashboard_address=f"{_LOCAL}:0", local_directory=self._folder.name
        ) as scheduler:
            keepers = [
                self._keep(scheduler.address, lane, device, shared) for lane, device in self._devices.items()
            ]
            self._scheduler = scheduler
            self._address.set_result(scheduler.address)
            await keep_until(self._stop, keepers, self._nannies)

    async def _keep(self, scheduler: str, lane: str, device: Device, shared: dict[str, object]) -> None:
        options = {**lane_options(lane, device, self._folder.name), **shared, "resources": {lane: 1}}

        def make() -> Nanny:
            self._nannies[lane] = nanny = Nanny(scheduler, **options)
            return nanny

        await keep_running(lane, make)


def name_lanes(devices: Sequence[Device]) -> dict[str, Device]:
    """Return the device of each lane, by the lane's name."""
    return {f"lane-{number}": device for number, device in enumerate(devices)}
