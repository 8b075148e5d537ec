"""The alarm: a small flow whose run says what happened, and that runs a command of the user's.

It is a deployment of its own, `alarm/alarm`, served by `python -m flows.alarm` and not by the work pool: an
alarm is not to wait behind the run that it is about, nor for a worker that is gone. `study serve` starts it.
"""

import logging
import os
import shlex
import subprocess
import warnings
from datetime import UTC, datetime

from prefect import flow, serve
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.deployments.runner import RunnerDeployment
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.types.entrypoint import EntrypointType
from prefect.utilities.urls import url_for

from study.wording import printable, shortened

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)

COMMAND = "STUDY_ALARM_COMMAND"
"""The user's command, which gets the message on standard input; run without a shell."""
COMMAND_SECONDS = 60
MOST_LETTERS = 200
"""Of a run's name; the whole message stands in its state and its artifact."""


def _name_run() -> str:
    return shortened(f"alarm: {printable(flow_run.get_parameters()['message'])}", MOST_LETTERS)


@flow(name="alarm", flow_run_name=_name_run)
def alarm(message: str, run: str = "") -> State[str]:
    """Raise an alarm.

    Args:
        message: What happened, in a line.
        run: Id of the flow run that it is about; empty if none.

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
    """Run the user's command with a message on standard input; what was wrong with it, or None."""
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
    except (OSError, ValueError) as error:  # there is no such program, or a quote is not closed
        return f"cannot be run: {error}"
    if done.returncode != 0:
        return f"failed with exit code {done.returncode}: {shortened(done.stdout.strip(), 500)}"
    return None


def alarm_deployment() -> RunnerDeployment:
    """The deployment by which automations raise alarms."""
    # By module, as with a file Prefect copies the folder that it was registered from to where it runs.
    return RunnerDeployment.from_flow(
        alarm,
        entrypoint_type=EntrypointType.MODULE_PATH,
        name="alarm",
        description="Says that a night drifted, failed or never started; automations run it.",
        tags=["alarm"],
    )


if __name__ == "__main__":
    # Prefect's way of stopping on SIGTERM leaves a coroutine behind, and Python says so.
    warnings.filterwarnings("ignore", "coroutine 'Runner.astop' was never awaited", RuntimeWarning)
    from flows.alarm import alarm_deployment as deployment_by_module  # here it is of `__main__`

    serve(deployment_by_module(), pause_on_shutdown=False, print_starting_message=False)
