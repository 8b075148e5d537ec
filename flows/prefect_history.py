"""Remove this project's old flow runs from Prefect's database, by Prefect's own API.

A server may hold other projects' flow runs, so only those of the flow `study` are looked at. With a flow run
the server removes its task runs and states, and soon after its logs; its artifacts, which would stay, are
removed here before.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import get_current_settings

from flows.sharing import is_healthy
from flows.temporary_server import temporary_server
from study.errors import InputError
from study.wording import count, shortened

FLOW = "study"
"""The name of our flow."""

_NEWEST = "the newest completed of its deployment"

_PAGE = 200
"""As many as the API gives at once."""

_LOG_SECONDS = 60.0
"""Longest wait for the server to remove logs, which it does in its own time."""


def check_server() -> None:
    """Make sure that the server of PREFECT_API_URL answers, if that is set.

    Raises:
        InputError: it does not.
    """
    url = get_current_settings().api.url
    if url is not None and not is_healthy(url.removesuffix("/").removesuffix("/api")):
        raise InputError(
            f"--prefect: no server answers at PREFECT_API_URL={url}; start it, or unset that for the local "
            "database"
        )


def prune_history(before: datetime, dry_run: bool = False) -> str:
    """Remove our flow runs that ended before a time, with all that belongs to them; say what was done.

    Never removed are those that have not ended, and the newest completed one of each deployment (and of those
    without one). The server is that of PREFECT_API_URL, or else a temporary one on the local database.

    Raises:
        InputError: the server refuses, as it asks for a password.
    """
    url = get_current_settings().api.url
    with temporary_server():
        pass
    try:
        with get_client(sync_client=True) as client:
            old = list(_read_old(client, before))
            newest = {_newest_completed(client, each) for each in {run.deployment_id for run in old}}
            going = [run.id for run in old if run.id not in newest]
            done = f"would remove {_count(going)}" if dry_run else f"removed {_remove(client, going)}"
    except PrefectHTTPStatusError as error:
        raise InputError(f"--prefect: the server at {url} refused: {shortened(str(error), 200)}") from error
    where = "the local database of Prefect" if url is None else f"the database of Prefect's server at {url}"
    kept = len(old) - len(going)
    return f"{done}, from {where}" + (f"\nkept {count(kept, 'flow run')}: {_NEWEST}" if kept else "")


def _count(runs: Sequence[UUID]) -> str:
    return f"{count(len(runs), 'flow run')} with task runs and logs"


def _read_old(client: SyncPrefectClient, before: datetime) -> Iterator[FlowRun]:
    """Our flow runs that ended before a time."""
    offset = 0
    while page := client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[FLOW])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TERMINAL_STATES))),
            end_time=FlowRunFilterEndTime(before_=before),
        ),
        sort=FlowRunSort.ID_DESC,
        limit=_PAGE,
        offset=offset,
    ):
        yield from page
        offset += len(page)


def _newest_completed(client: SyncPrefectClient, deployment: UUID | None) -> UUID | None:
    which = (
        FlowRunFilterDeploymentId(any_=[deployment])
        if deployment
        else FlowRunFilterDeploymentId(is_null_=True)
    )
    newest = client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[FLOW])),
        flow_run_filter=FlowRunFilter(
            deployment_id=which,
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.COMPLETED])),
        ),
        sort=FlowRunSort.END_TIME_DESC,
        limit=1,
    )
    return newest[0].id if newest else None


def _remove(client: SyncPrefectClient, going: Sequence[UUID]) -> str:
    """Remove flow runs and what belongs to them; say what it was."""
    artifacts = 0
    for run in going:
        of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
        while page := client.read_artifacts(artifact_filter=of_run, limit=_PAGE):
            for artifact in page:
                with suppress(ObjectNotFound):  # another was quicker
                    client.delete_artifact(artifact.id)
            artifacts += len(page)
        with suppress(ObjectNotFound):
            client.delete_flow_run(run)
    late = "" if _wait_for_logs(client, going) else " (the server is still removing logs)"
    return f"{_count(going)} and {count(artifacts, 'artifact')}{late}"


def _wait_for_logs(client: SyncPrefectClient, gone: Sequence[UUID]) -> bool:
    """Whether the logs of removed flow runs are gone in time: a temporary server ends with this process."""
    deadline = time.monotonic() + _LOG_SECONDS
    for start in range(0, len(gone), _PAGE):
        ids = LogFilterFlowRunId(any_=list(gone[start : start + _PAGE]))
        while client.read_logs(LogFilter(flow_run_id=ids), limit=1):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
    return True
