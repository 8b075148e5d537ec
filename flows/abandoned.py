"""Flow runs that no process executes any more: tell the server, where they would stay Running for ever.

A run that stays Running takes the pool's only slot, and no later night would start. Prefect's worker tells
the server when a run's process dies, but nobody does when the worker died too, or the whole machine.
"""

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID

import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, State, StateType, WorkerStatus
from prefect.client.schemas.responses import SetStateStatus
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Cancelled, Crashed

logger = logging.getLogger(__name__)

MISSING_SECONDS = 30.0
"""A process is given this long to appear after its run was taken, or to be reported after it ended."""

RUN_ID = "PREFECT__FLOW_RUN_ID"
"""Prefect's variable in the environment of a flow run's process, and of whatever that starts."""

SERVED_BY = "STUDY_SERVED_BY"
"""Variable in the environment of everything that one `study serve` starts: its process id."""

STOP_SECONDS = 10.0
"""What a run's processes get to end in order."""

WORKER = f"study on {socket.gethostname()}"
"""Name of the worker that `study serve` starts: which machine it is on."""

_TAKEN = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


class AbandonedRuns:
    """Looks for runs of a pool that have no process, and tells the server."""

    def __init__(self, pool: str) -> None:
        self._pool = pool
        self._missing: dict[UUID, float] = {}

    def look(self) -> None:
        """Nothing that could be seen at once."""

    def check(self) -> None:
        """Mark the runs whose process has been missing for a while; that the server is away is no fault."""
        try:
            self.mark(MISSING_SECONDS)
        except Exception as error:
            logger.debug("abandoned runs cannot be looked for: %s", error)

    def mark(self, after_seconds: float) -> None:
        """Mark the runs whose process has been missing for so long.

        Where a worker of another machine is online too, a run may be executed there: then nothing is marked,
        and the automation on heartbeats (`flows.automations`) finds those that are dead.
        """
        now = time.monotonic()
        with get_client(sync_client=True) as client:
            taken = _taken_runs(client, self._pool)
            alive = set(processes_by_run())
            missing = [run for run in taken if run.id not in alive]
            self._missing = {run.id: self._missing.get(run.id, now) for run in missing}
            late = [run for run in missing if now - self._missing[run.id] >= after_seconds]
            if late and not _is_elsewhere(client, self._pool):
                for run in late:
                    _mark(client, run)

    def end(self) -> None:
        """End what a worker of this process has left, and say so on the server while it is there."""
        own = str(os.getpid())
        left = [
            process
            for process, environment in _environments()
            if environment.get(SERVED_BY) == own and RUN_ID in environment
        ]
        for process in left:
            with suppress(psutil.Error):
                process.terminate()
        for process in psutil.wait_procs(left, STOP_SECONDS)[1]:
            with suppress(psutil.Error):
                process.kill()
        with suppress(Exception), temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            self.mark(after_seconds=0)


def processes_by_run() -> dict[UUID, list[psutil.Process]]:
    """Processes of this user that execute a flow run, by its id."""
    found: dict[UUID, list[psutil.Process]] = {}
    for process, environment in _environments():
        with suppress(ValueError):
            found.setdefault(UUID(environment.get(RUN_ID, "")), []).append(process)
    return found


def _environments() -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    user = os.getuid()
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended, or may not be looked at
            if process.uids().real == user and process.status() != psutil.STATUS_ZOMBIE:
                yield process, process.environ()


def _taken_runs(client: SyncPrefectClient, pool: str) -> list[FlowRun]:
    states = FlowRunFilterState(type=FlowRunFilterStateType(any_=_TAKEN))
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=states),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
    )


def _is_elsewhere(client: SyncPrefectClient, pool: str) -> bool:
    workers = client.read_workers_for_work_pool(pool)
    return any(each.status == WorkerStatus.ONLINE and each.name != WORKER for each in workers)


def _mark(client: SyncPrefectClient, run: FlowRun) -> None:
    state: State[object]
    if run.state_type == StateType.CANCELLING:
        state = Cancelled(message="cancelled; its process is gone")
    else:
        state = Crashed(
            message=f"its process on {socket.gethostname()} is gone: it, the worker or the machine was "
            "stopped in the midst of it; Retry goes on with what was finished"
        )
    result = client.set_flow_run_state(run.id, state)  # not by force: one that ended meanwhile stays so
    if result.status == SetStateStatus.ACCEPT:
        logger.warning("run %r is marked as %s: its process is gone", run.name, state.name)
