"""Send Prefect events about a night; the automations of `flows.serving` react to them. Tag and stop steps."""

import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prefect import Task
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import TaskRun
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.states import Cancelled

from storage.tables import RunTables
from study.conclusions import describe_night, read_changes
from study.spec import Study
from study.status import NightVerdict
from study.wording import shortened
from tasks.lanes import LanesClosed

logger = logging.getLogger(__name__)

ENDED, DRIFTED = "study.night.ended", "study.night.drifted"
"""The events' names: a night was compared with earlier ones; it differs from them."""
RESOURCE = "study"
"""The events' resource ids are `study.NAME`, such as `study.lab`."""
MAX_LETTERS = 2000


def tell_night(tables: RunTables) -> None:
    """Send the comparison of a published run with earlier ones; nothing if it was not compared."""
    verdicts, run = list_verdicts(tables), tables.run
    if verdicts:
        found = [change for row in tables.nights for change in read_changes(row.changes or "[]")]
        changes = list({str(change): change for change in found}.values())
        emit_night(run.study, run.run_id, verdicts, describe_night(run.study, verdicts, changes))


def list_verdicts(tables: RunTables) -> dict[int, NightVerdict]:
    """Return the verdict on each exercise of a run, by number; empty if it was not compared."""
    return {row.exercise: row.verdict for row in tables.nights}


def emit_night(study: str, run_id: str, verdicts: Mapping[int, str], message: str) -> None:
    """Send the event that a night ended, and the event that it drifted if any exercise did.

    Prefect adds the flow run and its deployment. Prefect's own thread sends the events, as those of every
    task run; if it fails, the run continues.
    """
    drifted = sorted(number for number, verdict in verdicts.items() if verdict == NightVerdict.DRIFTED)
    payload = {
        "study": study,
        "run_id": run_id,
        "verdicts": {str(number): verdict for number, verdict in sorted(verdicts.items())},
        "drifted": ", ".join(map(str, drifted)),
        "message": shortened(message, MAX_LETTERS),
    }
    resource = {
        "prefect.resource.id": f"{RESOURCE}.{study}",
        "prefect.resource.name": study,
        "study.run_id": run_id,
    }
    try:
        for name in (ENDED, DRIFTED) if drifted else (ENDED,):
            emit_event(name, resource=resource, payload=payload)
    except Exception as error:  # a lost event must not fail the run
        logger.warning("cannot send the night's events to Prefect: %s", error)


WAITS_FOR = "waits for"
"""How the tag begins that serving gives to a run while another holds the work pool."""


def without_waiting(tags: Iterable[str]) -> list[str]:
    """Return the tags but the one that names the run that holds the pool."""
    return [each for each in tags if not each.startswith(WAITS_FOR)]


def exercise_tags(numbers: Iterable[int]) -> set[str]:
    """Return a tag for each exercise, such as `exercise-2`."""
    return {f"exercise-{number}" for number in numbers}


def tag_flow_run(study: Study | None = None) -> None:
    """Set the flow run's tags: what it was given, the study's name and its exercises; without a study, only
    remove what it waited for. Warn if the server does not answer.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    run = context.flow_run
    tags = set(without_waiting(run.tags))
    if study is not None:
        tags |= {study.name, *exercise_tags(each.number for each in study.exercises)}
    if tags == set(run.tags):
        return
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(run.id, tags=sorted(tags))
    except Exception as error:
        logger.warning("the run cannot be tagged in Prefect's UI: %s", error)


def tagged(step: "Task[..., Any]", numbers: Iterable[int]) -> "Task[..., Any]":
    """Return a step whose task run has the tags of these exercises, from its first state after Running.

    It does not use Prefect's own `tags`: Prefect would ask the server for a concurrency limit of each tag
    before the task begins, and a missing server would fail trainings that need no server.

    If the lanes are closed, because a person cancels the run or something else ends it, its state is
    Cancelled: it has not failed.
    """
    tags = exercise_tags(numbers)

    def tag_with_exercises(_task: "Task[..., Any]", run: TaskRun, _state: Any) -> None:
        run.tags = sorted({*run.tags, *tags})

    hook: Callable[..., None] = tag_with_exercises
    found = step.with_options(on_running=[hook])
    plain = found.fn

    @functools.wraps(plain)
    def stoppable(*inputs: Any, **named: Any) -> Any:
        try:
            return plain(*inputs, **named)
        except LanesClosed as error:
            return Cancelled(message=str(error))

    found.fn = stoppable
    return found


def _is_no_error(record: logging.LogRecord) -> bool:
    # Prefect logs every state but Completed as an error, in red.
    if record.getMessage().startswith("Finished in state Cancelled("):
        record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
    return True


logging.getLogger("prefect.task_runs").addFilter(_is_no_error)
