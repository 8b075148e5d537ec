"""A run ends when a person deletes its flow run."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Abort, ObjectNotFound, TerminationSignal

from flows.prepare import Request

logger = logging.getLogger(__name__)

LOOK_SECONDS = 15.0
"""Between two questions whether the flow run is still there."""


@contextmanager
def ended_if_deleted(flow_run: FlowRun, request: Request) -> Iterator[None]:
    """End the body if a person deletes its flow run, which a server runs: it would be in no list any more.

    Raises:
        Abort: it was deleted; Prefect then ends this process without a state.
    """
    deleted, over = threading.Event(), threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            try:
                with get_client(sync_client=True) as client:
                    client.read_flow_run(flow_run.id)
            except ObjectNotFound:
                deleted.set()
                os.kill(os.getpid(), signal.SIGTERM)  # which Prefect raises in the flow
                return
            except Exception as error:  # the run needs no server
                logger.debug("Prefect's server does not answer: %s", error)

    if flow_run.deployment_id is not None:
        threading.Thread(target=look, name="look for deletion", daemon=True).start()
    try:
        yield
    except TerminationSignal:
        if not deleted.is_set():
            raise
        logger.error(
            "run %s ended: its flow run %r was deleted; every finished training is kept, and "
            "`study resume %s --results %s` continues from there",
            request.run_id,
            flow_run.name,
            request.run_id,
            request.results.folder,
        )
        raise Abort from None
    finally:
        over.set()
