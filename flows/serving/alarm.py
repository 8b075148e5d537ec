"""Raise alarms about nights, and register the server's automations that trigger them."""

import logging
import os
import shlex
import subprocess
import threading
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from prefect import flow, serve
from prefect.artifacts import create_markdown_artifact
from prefect.automations import Automation
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.deployments.runner import RunnerDeployment
from prefect.events.actions import RunDeployment
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
    from flows.serving.abandoned_runs import watch_runs
    from flows.serving.alarm import alarm_deployment as deployment_by_module  # not that of `__main__`

    threading.Thread(target=watch_runs, name="watch runs", daemon=True).start()
    serve(deployment_by_module(), pause_on_shutdown=False, print_starting_message=False)


NIGHTLY = "nightly"
"""Tag of the nights' runs. By it their alarms outlive the deployment, which a person may delete meanwhile."""
START_WITHIN = timedelta(hours=1)
"""A night is missing if it has not started this long after its time."""
ONCE_WITHIN = timedelta(hours=1)
"""A run raises at most one alarm within this time: Prefect's worker reports a crash twice."""
MADE_UP = "made up by the later run"
"""Begins the message of a run that was skipped for a later one, whose own end is reported."""

_RUN = "{{ flow_run.name }}: {{ flow_run.state.name }}: {{ flow_run.state.message or 'no message' }}"
_RUN_ID = "{{ flow_run.id if flow_run else '' }}"


def alarms(alarm: UUID, tag: str = NIGHTLY, within: timedelta = START_WITHIN) -> list[Automation]:
    """Return the automations that raise an alarm about runs with a tag; they are to start `within` a time of
    at least 10 s after they are due.
    """
    night = {"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"}
    any_run = {"prefect.resource.id": "prefect.flow-run.*"}
    drifted = EventTrigger(expect={DRIFTED}, match={"prefect.resource.id": f"{RESOURCE}.*"})
    not_done = EventTrigger(
        # By the state's type: nights that stopped early or were skipped have names of their own. Cancelled is
        # what a person has cancelled.
        match=any_run
        | {
            "prefect.state-type": ["FAILED", "CRASHED", "CANCELLED"],
            "prefect.state-name": "!Cancelled",
            "prefect.state-message": f"!{MADE_UP}*",
        },
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
        for_each={"prefect.resource.id"},
        # Prefect makes a run for each time of the schedule, and calls it late soon after that time.
        after={"prefect.flow-run.Late"},
        expect={f"prefect.flow-run.{each}" for each in ("Pending", "Running", "Cancelled", "Skipped")},
        within=within,
    )
    hours = f"{within / timedelta(hours=1):.4g} h"
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
            "A run of nightly failed, crashed, stopped early or was skipped.",
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
            "{{ flow_run.name }}: due at {{ flow_run.expected_start_time }}, and not started "
            f"{hours} later: is a worker running, is the pool paused or busy?",
            _RUN_ID,
        ),
    ]


def register() -> None:
    """Register the alarm's deployment and every automation once; leave unchanged and edited ones alone."""
    alarm = cast(UUID, alarm_deployment().apply())  # a coroutine only if a coroutine calls it
    register_all(alarms(alarm))


EDITED_AFTER = timedelta(seconds=1)
"""A person has edited an automation whose last change is this much later than its making."""


def register_all(automations: Iterable[Automation]) -> None:
    """Register automations by their names, each once."""
    with get_client(sync_client=True) as client:
        automations = list(automations)
        found = {each.name: client.read_automations_by_name(each.name) for each in automations}
        for wanted in automations:
            kept: AutomationCore | None = None
            for each in found[wanted.name]:
                is_ours = each.enabled and not _is_edited(client, each.id)
                if kept is None and (_content(each) == _content(wanted) or not is_ours):
                    kept = each
                else:
                    client.delete_automation(each.id)
            if kept is None:
                # Not updated but made anew: an update would look like a person's.
                wanted.create()
                if not found[wanted.name] and any(found.values()):
                    logger.warning(
                        "automation %r was deleted and is made again; to be rid of it, switch it off",
                        wanted.name,
                    )
            elif _content(kept) != _content(wanted):
                logger.warning(
                    "automation %r stays as it was changed in the UI (%s); delete it to have ours",
                    wanted.name,
                    "edited" if kept.enabled else "switched off",
                )


def _is_edited(client: SyncPrefectClient, automation: UUID) -> bool:
    """Say whether a person has edited it; if not, and it is not ours, an earlier version made it."""
    path: Any = "/automations/{id}"
    times = client.request("GET", path, path_params={"id": automation}).json()
    made, changed = (datetime.fromisoformat(times[name]) for name in ("created", "updated"))
    return changed - made >= EDITED_AFTER


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
