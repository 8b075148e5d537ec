"""The processes behind this machine's lanes: a Dask scheduler, and a nanny for each lane's worker process."""

import asyncio
import logging
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future

import dask
from distributed import Nanny, Scheduler, Security

from tasks.devices import Device
from tasks.lane_nanny import CONFIG, keep_running, keep_until, kill, lane_options

logger = logging.getLogger(__name__)

_CLOSE_SECONDS = 20.0
_LOCAL = "127.0.0.1"
_CONFIG = {
    **CONFIG,
    # A death is an attempt of one task: it surfaces at once and is retried by the caller, in the open.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.http.routes": [],
    # A training holds the GIL for long stretches; that is no reason to think its process dead.
    "distributed.scheduler.worker-ttl": None,
}


class LaneCluster:
    """A scheduler and one supervised process for each lane, on this machine, until closed."""

    def __init__(self, devices: dict[str, Device]) -> None:
        """Start the scheduler, wait for it, and let the lanes start.

        Args:
            devices: The device of each lane, by the lane's name.

        Raises:
            OSError: nothing can listen on loopback.
        """
        dask.config.set(_CONFIG)
        # Its comings and goings are not news, nor is it a critical error, as it says, who listens no more.
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
        """Kill a lane's process at once, whatever it is doing; another takes its place.

        It is waited for until the scheduler knows: the next piece of work must not be given to the dead one.
        """
        nanny = self._nannies.get(lane)
        if nanny is None:
            return
        # As the scheduler knows it: the nanny is told its process's address later than work is given to it.
        address, deadline = self._address_of(lane), time.monotonic() + _CLOSE_SECONDS
        kill(nanny)
        while address is not None and self._address_of(lane) == address and time.monotonic() < deadline:
            time.sleep(0.01)

    def process_ids(self) -> list[int]:
        """Process ids of the lanes that run."""
        return [nanny.pid for nanny in self._nannies.values() if nanny.pid is not None]

    def close(self) -> None:
        """Kill every lane's process and stop the scheduler."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_CLOSE_SECONDS)
        self._folder.cleanup()

    def _address_of(self, lane: str) -> str | None:
        """Where the scheduler reaches a lane's process; None while it knows of none."""
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
        # Its folder, too: the default is one in /tmp that any user may have made, and Python imports from it.
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
    """The device of each lane, by the lane's name."""
    return {f"lane-{number}": device for number, device in enumerate(devices)}
