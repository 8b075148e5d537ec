"""What started a run (schedule, person or command line), its name, and whether it comes too late."""

from datetime import UTC, datetime

from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

from flows.prepare import RunParameters, read_duration, read_parameters
from study.errors import InputError
from study.spec import is_path
from study.wording import duration

_NAMES = {"schedule": "scheduled", "ui": "by hand", "command line": "command line"}
"""How the name of a flow run says what started it."""


def name_run() -> str:
    """The name of the flow run that begins."""
    return describe_run(*_current())


def describe_run(run: FlowRun, parameters: RunParameters | None) -> str:
    """A name that says study, date and trigger: "lab 2026-03-01 02:00 UTC, scheduled".

    Args:
        run: The flow run, as Prefect knows it.
        parameters: What it is to do; None where that is wrong.
    """
    when = run.expected_start_time or datetime.now(UTC)
    return f"{_name_study(parameters)} {when:%Y-%m-%d %H:%M} UTC, {_NAMES[trigger_of(run)]}"


def current_trigger() -> str:
    """What started the flow run: `schedule`, `ui` (by hand, Prefect's pages or API) or `command line`."""
    run, _ = _current()
    return trigger_of(run)


def trigger_of(run: FlowRun) -> str:
    """What started a flow run, as the column `trigger` of `runs` says it."""
    if run.auto_scheduled:
        return "schedule"
    return "command line" if run.deployment_id is None else "ui"


def why_skipped() -> str | None:
    """Why the flow run that begins is not to begin after all; None if it is.

    Raises:
        InputError: the latest start is not a time.
    """
    run, parameters = _current()
    return None if parameters is None else why_too_late(run, parameters, datetime.now(UTC))


def why_too_late(run: FlowRun, parameters: RunParameters, now: datetime) -> str | None:
    """Why a scheduled run comes too late; None if it does not.

    Only the schedule's own first attempt ever does: who retries a run wants it.

    Raises:
        InputError: the latest start is not a time.
    """
    if not parameters.latest_start:
        return None
    allowed = read_duration(parameters.latest_start, "--latest-start")
    due = run.expected_start_time
    if not run.auto_scheduled or run.run_count > 1 or due is None:
        return None
    late = (now - due).total_seconds()
    if late <= allowed:
        return None
    return (
        f"due at {due:%Y-%m-%d %H:%M} UTC, {duration(late)} late: skipped, as it may start "
        f"{duration(allowed)} late at most (parameter latest_start)"
    )


def _current() -> tuple[FlowRun, RunParameters | None]:
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    try:
        return context.flow_run, read_parameters((context.parameters or {}).get("run", {}))
    except InputError:
        return context.flow_run, None  # the flow's first line says what is wrong with them


def _name_study(parameters: RunParameters | None) -> str:
    if parameters is None:
        return "study"
    source = parameters.source
    return source.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0] if is_path(source) else source
