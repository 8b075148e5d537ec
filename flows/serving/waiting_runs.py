"""Tag the runs that wait for the work pool with the name of the run that holds it.

A tag, as it stands beside the run's name on every page. Not a state: the worker may start the run meanwhile.
"""

import logging
import threading
import time
from contextvars import copy_context

from prefect.client.orchestration import get_client

from flows.serving.pool_runs import read_due_runs, read_taken_runs
from flows.shown import WAITS_FOR, without_waiting

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""Time between two looks; a run that waits for less is not tagged."""


def keep_naming_holder(pool: str) -> None:
    """Tag the waiting runs of a pool in a thread, until this process ends."""

    def name_holder_repeatedly() -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            try:
                name_holder(pool)
            except Exception as error:  # the server is busy or ends
                logger.debug("cannot tag the waiting runs: %s", error)

    # Prefect's settings, such as the server's address, are in the context.
    inside = copy_context().run
    threading.Thread(target=inside, args=[name_holder_repeatedly], name="waiting runs", daemon=True).start()


def name_holder(pool: str) -> None:
    """Tag the due runs of a pool with the name of the run that holds it; of several, the first."""
    with get_client(sync_client=True) as client:
        holders = read_taken_runs(client, pool)
        if not holders:
            return
        for run in read_due_runs(client, pool):
            tags = {*without_waiting(run.tags), f"{WAITS_FOR} {holders[0].name}"}
            if tags != set(run.tags):
                client.update_flow_run(run.id, tags=sorted(tags))
