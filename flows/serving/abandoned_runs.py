"""Mark flow runs whose process is gone as crashed, or they stay Running and keep the pool's only slot.

While a worker lives it reports the runs whose process dies. Nothing reports them when `study serve` is killed
or the machine stops. The automation on heartbeats (`flows.serving.alarm`) finds such runs after five minutes,
but not a run that died before its first heartbeat: it would keep the slot for ever.
"""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import suppress

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
from prefect.states import Cancelled, Crashed

logger = logging.getLogger(__name__)

RUN_ID = "PREFECT__FLOW_RUN_ID"
"""Prefect's variable in the environment of a flow run's process and of all its children."""

SERVED_BY = "STUDY_SERVED_BY"
"""Variable with the process id of a `study serve`, in the environment of everything that it starts."""

STOP_SECONDS = 10.0
"""Between SIGTERM and SIGKILL."""

WORKER = f"study on {socket.gethostname()}"
"""Name of the worker that `study serve` starts; it names the machine."""


def mark_abandoned_runs(pool: str) -> None:
    """Mark the runs of a pool that have no process on this machine.

    If a worker of another machine is online, a run may have its process there. Then this marks none, and the
    automation on heartbeats finds the dead ones.
    """
    with get_client(sync_client=True) as client:
        taken = _read_taken_runs(client, pool)
        alive = {environment.get(RUN_ID) for _, environment in _list_processes()}
        abandoned = [run for run in taken if str(run.id) not in alive]
        if abandoned and not _has_other_worker(client, pool):
            for run in abandoned:
                _mark(client, run)


def end_left_runs() -> None:
    """End the processes of flow runs that a killed worker of this `study serve` has left."""
    own = str(os.getpid())
    left = [
        process
        for process, environment in _list_processes()
        if environment.get(SERVED_BY) == own and RUN_ID in environment
    ]
    for process in left:
        with suppress(psutil.Error):
            process.terminate()
    for process in psutil.wait_procs(left, STOP_SECONDS)[1]:
        with suppress(psutil.Error):
            process.kill()


def _list_processes() -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """Yield the processes of this user with their environments."""
    user = os.getuid()
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended, or we may not read it
            if process.uids().real == user and process.status() != psutil.STATUS_ZOMBIE:
                yield process, process.environ()


def _read_taken_runs(client: SyncPrefectClient, pool: str) -> list[FlowRun]:
    taken = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
    states = FlowRunFilterState(type=FlowRunFilterStateType(any_=taken))
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=states),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
    )


def _has_other_worker(client: SyncPrefectClient, pool: str) -> bool:
    workers = client.read_workers_for_work_pool(pool)
    return any(each.status == WorkerStatus.ONLINE and each.name != WORKER for each in workers)


def _mark(client: SyncPrefectClient, run: FlowRun) -> None:
    state: State[object]
    if run.state_type == StateType.CANCELLING:
        state = Cancelled(message="cancelled; its process is gone")
    else:
        state = Crashed(
            message=f"its process on {socket.gethostname()} is gone: the process, the worker or the machine "
            "stopped during the run; Retry continues from the finished trainings"
        )
    # Not by force: a run that has ended meanwhile keeps its state.
    result = client.set_flow_run_state(run.id, state)
    if result.status == SetStateStatus.ACCEPT:
        logger.warning("run %r is marked as %s: its process is gone", run.name, state.name)
