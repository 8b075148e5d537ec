"""Raise alarms about nights, and register the server's automations that trigger them."""

import logging
import os
import shlex
import subprocess
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

from prefect import flow, serve
from prefect.artifacts import create_markdown_artifact
from prefect.automations import Automation
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, StateType
from prefect.deployments.runner import RunnerDeployment
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.types.entrypoint import EntrypointType
from prefect.utilities.urls import url_for

from flows.shown import DRIFTED, RESOURCE
from study.wording import printable, shortened

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)

COMMAND = "STUDY_ALARM_COMMAND"
"""The user's command; it gets the message on standard input and runs without a shell."""
COMMAND_SECONDS = 60
MAX_LETTERS = 200
"""Longest name of a run; its state and its artifact have the whole message."""


def _name_run() -> str:
    return shortened(f"alarm: {printable(flow_run.get_parameters()['message'])}", MAX_LETTERS)


@flow(name="alarm", flow_run_name=_name_run)
def alarm(message: str, run: str = "") -> State[str]:
    """Raise an alarm.

    Args:
        message: What happened, in a line.
        run: Id of the flow run with the problem; empty if there is none.

    Returns:
        A state with the message; failed if the user's command failed.
    """
    text = f"{message}\n\n{url_for('flow-run', run)}" if run else message
    when = datetime.now(UTC)
    create_markdown_artifact(f"{text}\n\n{when:%Y-%m-%d %H:%M} UTC", key="alarm", description=message)
    logger.warning("%s", message)
    command = os.environ.get(COMMAND, "")
    problem = run_command(command, f"{text}\n") if command.strip() else None
    if problem is not None:
        return Failed(message=f"{message}; {COMMAND}: {problem}")
    return Completed(name="Alarm", message=message, data=message)


def run_command(command: str, message: str) -> str | None:
    """Run the user's command with a message on standard input; return its error, or None."""
    try:
        done = subprocess.run(
            shlex.split(command),
            input=message,
            text=True,
            encoding="utf-8",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"did not end within {COMMAND_SECONDS} s"
    except (OSError, ValueError) as error:  # the program does not exist, or a quote is not closed
        return f"cannot be run: {error}"
    if done.returncode != 0:
        return f"failed with exit code {done.returncode}: {shortened(done.stdout.strip(), 500)}"
    return None


def alarm_deployment() -> RunnerDeployment:
    """Return the deployment that automations run to raise alarms."""
    # By module: given a file, Prefect would copy the folder of the registration to the place of the run.
    return RunnerDeployment.from_flow(
        alarm,
        entrypoint_type=EntrypointType.MODULE_PATH,
        name="alarm",
        description="Says that a night drifted, failed or never started; automations run it.",
        tags=["alarm"],
    )


if __name__ == "__main__":
    # When Prefect stops on SIGTERM it never awaits one coroutine, and Python warns about it.
    warnings.filterwarnings("ignore", "coroutine 'Runner.astop' was never awaited", RuntimeWarning)
    from flows.serving.alarm import alarm_deployment as deployment_by_module  # not that of `__main__`

    serve(deployment_by_module(), pause_on_shutdown=False, print_starting_message=False)


NIGHTLY = "study/nightly"
NIGHT_WITHIN = timedelta(hours=25)
"""A night is missing if none has started within this time: a day, and an hour's delay."""
SILENT_WITHIN = timedelta(minutes=5)
"""A run without a heartbeat for this time is dead: ten intervals of heartbeats (prefect.yaml)."""
ONCE_WITHIN = timedelta(hours=1)
"""A run raises at most one alarm within this time: Prefect's worker reports a crash twice."""

_RUN = "{{ flow_run.name }}: {{ flow_run.state.name }}: {{ flow_run.state.message or 'no message' }}"
_RUN_ID = "{{ flow_run.id if flow_run else '' }}"


def alarms(nightly: UUID, alarm: UUID, within: timedelta = NIGHT_WITHIN) -> list[Automation]:
    """Return the automations that raise an alarm; `within` is the longest time between two nights, at least
    10 s.
    """
    night = {"prefect.resource.id": f"prefect.deployment.{nightly}", "prefect.resource.role": "deployment"}
    any_run = {"prefect.resource.id": "prefect.flow-run.*"}
    drifted = EventTrigger(expect={DRIFTED}, match={"prefect.resource.id": f"{RESOURCE}.*"})
    not_done = EventTrigger(
        # By the state's type: nights that stopped early or were skipped have names of their own.
        match=any_run | {"prefect.state-type": ["FAILED", "CRASHED", "CANCELLED"]},
        match_related=night,
        expect={"prefect.flow-run.*"},
        for_each={"prefect.resource.id"},
        within=ONCE_WITHIN,
    )
    with_failures = EventTrigger(
        match=any_run, match_related=night, expect={"prefect.flow-run.Completed with failures"}
    )
    missing = EventTrigger(
        posture=Posture.Proactive,
        match=any_run,
        match_related=night,
        # The time counts from the last start or, before the first, from the registration.
        after={"prefect.flow-run.Running"},
        expect={"prefect.flow-run.Running"},
        within=within,
    )
    hours = f"{within / timedelta(hours=1):.4g} hours"
    return [
        _alarm(
            alarm,
            "drifted",
            "An exercise of a fresh run differs from the earlier ones.",
            drifted,
            "{{ event.payload.message }}",
            _RUN_ID,
        ),
        _alarm(
            alarm,
            "did not do its work",
            "A run of nightly failed, crashed, stopped early, or was cancelled or skipped.",
            not_done,
            _RUN,
            _RUN_ID,
        ),
        _alarm(
            alarm,
            "has failed trials",
            "A run of nightly has ended, but some of its trials failed.",
            with_failures,
            _RUN,
            _RUN_ID,
        ),
        _alarm(
            alarm,
            "never started",
            f"No run of nightly has started for {hours}.",
            missing,
            f"no night has started for {hours}: is a worker running, is the schedule active, is the pool "
            "paused or busy?",
        ),
    ]


def silent_runs(within: timedelta = SILENT_WITHIN) -> Automation:
    """Return the automation that marks runs without heartbeats as crashed, from Prefect's guide.

    https://docs.prefect.io/v3/advanced/detect-zombie-flows
    """
    heartbeat = "prefect.flow-run.heartbeat"
    return Automation(
        name="study: a run fell silent",
        description="Marks a run without heartbeats as crashed, so that it does not keep the pool.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={"prefect.resource.name": "study", "prefect.resource.role": "flow"},
            for_each={"prefect.resource.id"},
            after={heartbeat},
            expect={"prefect.flow-run.*"},  # any name of its last state; ended runs stay as they are
            within=within,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message="no more heartbeats: its process or its machine is gone; "
                "Retry continues from the finished trainings",
            )
        ],
    )


def register() -> None:
    """Register the alarm's deployment and every automation once; leave unchanged ones alone."""
    with get_client(sync_client=True) as client:
        nightly = client.read_deployment_by_name(NIGHTLY).id
    alarm = cast(UUID, alarm_deployment().apply())  # a coroutine only if a coroutine calls it
    register_all([*alarms(nightly, alarm), silent_runs()])


def register_all(automations: Iterable[Automation]) -> None:
    """Register automations by their names, each once."""
    with get_client(sync_client=True) as client:
        for wanted in automations:
            there = client.read_automations_by_name(wanted.name)
            for each in there[1:]:
                client.delete_automation(each.id)
            if not there:
                wanted.create()
            # A replaced automation forgets the events it has seen, such as the start of the last night.
            elif _content(wanted) != _content(there[0]):
                wanted.id = there[0].id
                wanted.update()


def _content(automation: AutomationCore) -> AutomationCore:
    return AutomationCore(**automation.model_dump(exclude={"id"}))


def _alarm(
    alarm: UUID, what: str, when: str, trigger: EventTrigger, message: str, run: str = ""
) -> Automation:
    return Automation(
        name=f"study: a night {what}",
        description=f"{when} The run of alarm/alarm that it starts says which and why.",
        trigger=trigger,
        actions=[
            RunDeployment(
                deployment_id=alarm, parameters={"message": _template(message), "run": _template(run)}
            )
        ],
    )


def _template(text: str) -> object:
    return {"__prefect_kind": "jinja", "template": text} if "{{" in text else text
