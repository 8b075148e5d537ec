"""Keep a lane's process running: a Dask nanny starts it, and the next nanny follows when one has ended.

A nanny starts its process anew when it dies, but gives up if it dies while it starts, or if its scheduler is
lost (tried: killed at random moments, a `SpecCluster` loses its lanes one after the other).
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any

from distributed import Nanny

from tasks.devices import Device

logger = logging.getLogger(__name__)

START_SECONDS = 120.0
"""Longest time a lane's process may take to start; then it is killed and started anew."""

PAUSE_SECONDS = 1.0
"""Between a nanny's end and the next one's start: what fails at once is not to fail a thousand times."""

CONFIG: dict[str, Any] = {
    "distributed.worker.daemon": True,
    # What trains is imported while a lane starts, not by its first training.
    "distributed.worker.preload": ["tasks.lane_process", "tasks.run_training"],
    "distributed.admin.large-graph-warning-threshold": "1GiB",  # a model's weights travel to its export
    "distributed.worker.http.routes": [],  # nothing to read over plain HTTP
    "distributed.worker.profile.enabled": False,  # samples each lane's stack a hundred times a second
    "distributed.admin.tick.limit": "1h",  # a training holds the GIL for long stretches
}
"""Dask's settings of who starts lanes, which its processes take over."""


def lane_options(name: str, device: Device, folder: str) -> dict[str, Any]:
    """How a nanny is made for a lane.

    Args:
        name: The lane's.
        device: What it may see.
        folder: For temporary files of its process.
    """
    return {
        "name": name,
        "nthreads": 1,
        # TensorFlow leaves files in the folder for temporary ones when its process is killed.
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
    """Keep a lane's process running, until cancelled.

    Args:
        name: The lane's.
        make: Makes its next nanny.
        on_start: Called when its process has reached the scheduler.
        on_failure: Called when it could not.
    """
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
            with suppress(Exception):  # whatever its end is like, the next one has to start
                await nanny.close(timeout=1)
        await asyncio.sleep(PAUSE_SECONDS)


async def keep_until(
    stop: asyncio.Event, keepers: Iterable[Coroutine[Any, Any, None]], nannies: Mapping[str, Nanny]
) -> None:
    """Keep lanes running until it is time to stop; then kill their processes.

    Args:
        stop: When it is time.
        keepers: What keeps each lane running, see `keep_running`.
        nannies: The nannies by then, by lane.
    """
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
