"""Mark flow runs whose process is gone as crashed, or they stay Running and keep the pool's only slot.

While a worker lives it reports the runs whose process dies. Nothing reports them when `study serve` is killed
or the machine stops: `study serve` marks them as it starts, and the process of the alarm wherever they ran.
"""

import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from uuid import UUID

import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State, StateType, WorkerStatus
from prefect.client.schemas.responses import SetStateStatus
from prefect.events.filters import (
    EventFilter,
    EventNameFilter,
    EventOccurredFilter,
    EventResourceFilter,
)
from prefect.states import Cancelled, Crashed

from flows.serving.pool_runs import read_taken_runs

logger = logging.getLogger(__name__)

RUN_ID = "PREFECT__FLOW_RUN_ID"
"""Prefect's variable in the environment of a flow run's process and of all its children."""

SERVED_BY = "STUDY_SERVED_BY"
"""Variable with the process id of a `study serve`, in the environment of everything that it starts."""

STOP_SECONDS = 10.0
"""Between SIGTERM and SIGKILL."""

POOL = "study"

LOOK_SECONDS = 15.0
SILENT_LOOKS = 20
"""A run is dead after this many looks in a row, five minutes of them, without process or heartbeat. Looks are
counted, not time: a machine that slept for hours has not looked."""
HEARD_WITHIN = timedelta(minutes=2)
"""Four intervals of heartbeats (prefect.yaml)."""

WORKER = f"study on {socket.gethostname()}"
"""Name of the worker that `study serve` starts; it names the machine."""


def mark_abandoned_runs(pool: str) -> None:
    """Mark the runs of a pool that have no process on this machine.

    If a worker of another machine is online, a run may have its process there. Then this marks none, and
    `watch_runs` finds the dead ones.
    """
    with get_client(sync_client=True) as client:
        abandoned = _without_process(read_taken_runs(client, pool))
        if abandoned and not _has_other_worker(client, pool):
            for run in abandoned:
                _mark(client, run)


def watch_runs() -> NoReturn:
    """Look at the pool's runs again and again, and mark those as crashed that are dead, wherever they ran."""
    silent: dict[UUID, int] = {}
    while True:
        time.sleep(LOOK_SECONDS)
        with suppress(Exception):  # without an answer there was no look
            silent = look_at_runs(POOL, silent)


def look_at_runs(pool: str, silent: Mapping[UUID, int]) -> dict[UUID, int]:
    """Return the number of looks in a row, by run, without process or heartbeat, and mark the dead runs."""
    with get_client(sync_client=True) as client:
        quiet = _without_process(read_taken_runs(client, pool))
        looks = {run.id: silent.get(run.id, 0) + 1 for run in quiet if not _is_heard(client, run)}
        for run in quiet:
            if looks.get(run.id, 0) >= SILENT_LOOKS:
                _mark(client, run)
    return looks


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


def _without_process(runs: list[FlowRun]) -> list[FlowRun]:
    alive = {environment.get(RUN_ID) for _, environment in _list_processes()}
    return [run for run in runs if str(run.id) not in alive]


def _is_heard(client: SyncPrefectClient, run: FlowRun) -> bool:
    heartbeats = EventFilter(
        event=EventNameFilter(name=["prefect.flow-run.heartbeat"]),
        resource=EventResourceFilter(id=[f"prefect.flow-run.{run.id}"]),
        occurred=EventOccurredFilter(since=datetime.now(UTC) - HEARD_WITHIN),
    )
    return bool(client.read_events(heartbeats, limit=1).events)


def _has_other_worker(client: SyncPrefectClient, pool: str) -> bool:
    workers = client.read_workers_for_work_pool(pool)
    return any(each.status == WorkerStatus.ONLINE and each.name != WORKER for each in workers)


def _mark(client: SyncPrefectClient, run: FlowRun) -> None:
    state: State[object]
    if run.state_type == StateType.CANCELLING:
        state = Cancelled(message="cancelled; its process is gone")
    else:
        state = Crashed(
            message="its process is gone: the process, the worker or the machine stopped during the run; "
            "Retry continues from the finished trainings"
        )
    # Not by force: a run that has ended meanwhile keeps its state.
    result = client.set_flow_run_state(run.id, state)
    if result.status == SetStateStatus.ACCEPT:
        logger.warning("run %r is marked as %s: its process is gone", run.name, state.name)
