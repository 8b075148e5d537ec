"""The flow runs of a work pool: those that have begun, and those that are due."""

from datetime import UTC, datetime

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort


def read_taken_runs(client: SyncPrefectClient, pool: str) -> list[FlowRun]:
    """Read the runs that a worker of the pool has taken and that have not ended."""
    taken = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
    return client.read_flow_runs(flow_run_filter=FlowRunFilter(state=_in(taken)), work_pool_filter=_of(pool))


def read_due_runs(client: SyncPrefectClient, pool: str) -> list[FlowRun]:
    """Read the runs of the pool whose time has come and that no worker has taken, the earliest first."""
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            state=_in([StateType.SCHEDULED]),
            next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=datetime.now(UTC)),
        ),
        work_pool_filter=_of(pool),
        sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC,
    )


def _in(types: list[StateType]) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=types))


def _of(pool: str) -> WorkPoolFilter:
    return WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))
