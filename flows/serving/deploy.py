"""Make the work pool; register the deployments of prefect.yaml and the automations."""

import json
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleUpdate, DeploymentUpdate, WorkPoolCreate
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
)
from prefect.client.schemas.objects import State, StateDetails, StateType, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled
from prefect.workers.process import ProcessWorker

from flows.serving.abandoned_runs import POOL
from flows.serving.alarm import MADE_UP, register as register_automations
from flows.serving.pool_runs import read_due_runs
from study.errors import InputError
from study.wording import listing

logger = logging.getLogger(__name__)

PROJECT = Path(__file__).resolve().parents[2]
ENGINE = shlex.join([sys.executable, "-m", "prefect.engine"])
"""Prefect's own command, spelt out: without one, Prefect prepares each run in a further process, and another
looks for hooks at each end that it forces, which took half of a cancellation."""


def deploy(environment: Mapping[str, str]) -> None:
    """Make the work pool and register deployments and automations on the server of Prefect's settings.

    Raises:
        InputError: the pool is of another type, or Prefect refused; its message is in the log above.
    """
    prepare_pool(POOL)
    keep_due_runs(POOL)
    register_deployments(environment)
    register_automations()


def register_deployments(environment: Mapping[str, str], file: str = "prefect.yaml") -> None:
    """Register every deployment of a file, and let the server refuse unknown parameters.

    Schedules and parameters that a person has changed on the server stay, with a warning.

    Raises:
        InputError: Prefect refused; its message is in the log above.
    """
    with get_client(sync_client=True) as client:
        before = {each.name: each for each in _read_deployments(client)}
    command = ["--no-prompt", "deploy", "--all", "--prefect-file", file]
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *command],
        env=environment,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        sys.stderr.buffer.write(done.stdout)  # not on success: there it is a screenful of advice
        raise InputError(
            f"`prefect {' '.join(command)}` failed with exit code {done.returncode}; its log is above"
        )
    with get_client(sync_client=True) as client:
        for deployment in _read_deployments(client):
            client.update_deployment(deployment.id, _completed(deployment, before.get(deployment.name)))


def prepare_pool(name: str) -> None:
    """Make the work pool that runs one study at a time; an existing one stays as it is.

    Raises:
        InputError: it exists, but its runs would not be processes.
    """
    with get_client(sync_client=True) as client:
        try:
            pool = client.read_work_pool(name)
        except ObjectNotFound:
            # The pool has the limit: a deployment's own limit does not apply across deployments.
            template = ProcessWorker.get_default_base_job_template()
            client.create_work_pool(
                WorkPoolCreate(name=name, type="process", base_job_template=template, concurrency_limit=1)
            )
            return
    _check_pool(pool)


def keep_due_runs(pool: str) -> None:
    """Keep the newest due run of each schedule, which Prefect would remove as it deploys; skip earlier ones.

    A night that was due while nothing served would vanish silently. If it is kept, the worker starts it, and
    the run itself decides if it is too late (parameter latest_start).
    """
    with get_client(sync_client=True) as client:
        due = read_due_runs(client, pool)
        newest: dict[str, datetime] = {}  # by what would run
        for run in reversed(due):
            time = run.next_scheduled_start_time
            if not run.auto_scheduled or time is None:
                continue
            work = f"{run.deployment_id} {json.dumps(run.parameters, sort_keys=True)}"
            later = newest.setdefault(work, time)
            client.set_flow_run_state(run.id, _kept(time) if later == time else _skipped(later), force=True)


def _kept(time: datetime) -> State[Any]:
    # Prefect keeps scheduled runs whose state has this name; a worker starts them like others.
    details = StateDetails(scheduled_time=time)
    return State(type=StateType.SCHEDULED, name="AwaitingConcurrencySlot", state_details=details)


def _skipped(later: datetime) -> State[Any]:
    why = "of the runs that were due while nothing served, only the newest runs"
    return Cancelled(name="Skipped", message=f"{MADE_UP} of {later:%Y-%m-%d %H:%M} UTC: {why}")


def _read_deployments(client: SyncPrefectClient) -> list[DeploymentResponse]:
    return client.read_deployments(flow_filter=FlowFilter(name=FlowFilterName(any_=["study"])))


def _completed(deployment: DeploymentResponse, before: DeploymentResponse | None) -> DeploymentUpdate:
    """Return what `prefect deploy` cannot say or has set back, of a deployment as it was before."""
    # Prefect's own schema allows unknown keys: with `lans: 4` the run would crash at its start.
    schema = {**(deployment.parameter_openapi_schema or {}), "additionalProperties": False}
    update: dict[str, Any] = {
        "parameter_openapi_schema": schema,
        "job_variables": {**(deployment.job_variables or {}), "command": ENGINE},
    }
    if before is not None:
        now, then = _by_hand(deployment), _by_hand(before)
        kept = {name: then[name] for name in now if now[name] != then[name]}
        if kept:
            logger.warning(
                "deployment %s keeps its %s of the server, other than in prefect.yaml: %s; to have those of "
                "prefect.yaml, delete the deployment in the UI and serve again",
                deployment.name,
                listing(list(kept)),
                json.dumps(kept),
            )
        update |= kept
    return DeploymentUpdate(**update)


def _by_hand(deployment: DeploymentResponse) -> dict[str, Any]:
    """Return what people change in the UI."""
    schedules = [
        each.model_dump(mode="json", include=set(DeploymentScheduleUpdate.model_fields), exclude_none=True)
        for each in deployment.schedules
    ]
    return {"schedules": schedules, "parameters": deployment.parameters}


def _check_pool(pool: WorkPool) -> None:
    if pool.type != "process":
        raise InputError(
            f"the server has a work pool {pool.name!r} of type {pool.type!r}, and the study needs one of "
            f"type 'process': give another --port, or remove it: `prefect work-pool delete {pool.name}`"
        )
    if pool.concurrency_limit != 1:
        limit = "no limit" if pool.concurrency_limit is None else f"a limit of {pool.concurrency_limit}"
        logger.warning(
            "work pool %s has %s: studies may train at the same time and disturb each other's times; "
            "`prefect work-pool set-concurrency-limit %s 1` changes that",
            pool.name,
            limit,
            pool.name,
        )
    if pool.is_paused:
        logger.warning(
            "work pool %s is paused and starts nothing; `prefect work-pool resume %s` changes that",
            pool.name,
            pool.name,
        )


if __name__ == "__main__":
    if sys.argv[1:]:
        register_deployments(os.environ, sys.argv[1])
    else:
        deploy(os.environ)
