"""Make the work pool; register the deployments of prefect.yaml and the automations."""

import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import State, StateDetails, StateType, WorkPool
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from flows.serving.alarm import register as register_automations
from study.errors import InputError

logger = logging.getLogger(__name__)

PROJECT = Path(__file__).resolve().parents[2]
POOL = "study"


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

    Raises:
        InputError: Prefect refused; its message is in the log above.
    """
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
    _forbid_unknown_parameters()


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
    """Keep due runs of schedules: Prefect would remove them when it deploys again.

    A night that was due while nothing served would vanish silently. If it is kept, the worker starts it, and
    the run itself decides if it is too late (parameter latest_start).
    """
    with get_client(sync_client=True) as client:
        due = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
                next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=datetime.now(UTC)),
            ),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
        )
        for run in due:
            if run.auto_scheduled and run.next_scheduled_start_time is not None:
                # Prefect keeps scheduled runs whose state has this name; a worker starts them like others.
                details = StateDetails(scheduled_time=run.next_scheduled_start_time)
                kept: State[Any] = State(
                    type=StateType.SCHEDULED, name="AwaitingConcurrencySlot", state_details=details
                )
                client.set_flow_run_state(run.id, kept, force=True)


def _forbid_unknown_parameters() -> None:
    # Prefect's own schema allows unknown keys: with `lans: 4` the run would crash at its start.
    with get_client(sync_client=True) as client:
        ours = FlowFilter(name=FlowFilterName(any_=["study"]))
        for deployment in client.read_deployments(flow_filter=ours):
            schema = {**(deployment.parameter_openapi_schema or {}), "additionalProperties": False}
            client.update_deployment(deployment.id, DeploymentUpdate(parameter_openapi_schema=schema))


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
