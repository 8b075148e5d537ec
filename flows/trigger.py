"""Find what started a run (schedule, person or command line), name it, and skip it if it is too late."""

from datetime import UTC, datetime

from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

from flows.prepare import RunParameters, read_duration, read_parameters
from study.errors import InputError
from study.spec import is_path
from study.wording import duration

_NAMES = {"schedule": "scheduled", "ui": "by hand", "command line": "command line"}
"""Words for the trigger in the name of a flow run."""


def name_run() -> str:
    """Return the name of the flow run that begins."""
    return describe_run(*_current())


def describe_run(run: FlowRun, parameters: RunParameters | None) -> str:
    """Return a name with study, date and trigger: "lab 2026-03-01 02:00 UTC, scheduled"."""
    when = run.expected_start_time or datetime.now(UTC)
    return f"{_name_study(parameters)} {when:%Y-%m-%d %H:%M} UTC, {_NAMES[trigger_of(run)]}"


def current_trigger() -> str:
    """Return the flow run's trigger: `schedule`, `ui` (by hand, Prefect's pages or API) or `command line`."""
    run, _ = _current()
    return trigger_of(run)


def trigger_of(run: FlowRun) -> str:
    """Return a flow run's trigger, in the words of the column `trigger` of `runs`."""
    if run.auto_scheduled:
        return "schedule"
    return "command line" if run.deployment_id is None else "ui"


def why_skipped() -> str | None:
    """Say why to skip the flow run that begins; None to run it.

    Raises:
        InputError: the latest start is not a time.
    """
    run, parameters = _current()
    return None if parameters is None else why_too_late(run, parameters, datetime.now(UTC))


def why_too_late(run: FlowRun, parameters: RunParameters, now: datetime) -> str | None:
    """Say why a scheduled run is too late; None if it is not.

    Only the schedule's own first attempt can be too late: a person who retries a run wants it.

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
        return context.flow_run, None  # the flow itself reports what is wrong with them


def _name_study(parameters: RunParameters | None) -> str:
    if parameters is None:
        return "study"
    source = parameters.source
    return source.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0] if is_path(source) else source
