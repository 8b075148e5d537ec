"""Tags by which runs and trainings are filtered by exercise in Prefect's UI."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from prefect import Task
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import TaskRun
from prefect.context import FlowRunContext

from study.spec import Study

logger = logging.getLogger(__name__)


def exercise_tags(numbers: Iterable[int]) -> set[str]:
    """A tag for each exercise, such as `exercise-2`."""
    return {f"exercise-{number}" for number in numbers}


def tag_flow_run(study: Study) -> None:
    """Add the study's name and its exercises to the flow run's tags; no server, no tags."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    run = context.flow_run
    tags = {*run.tags, study.name, *exercise_tags(each.number for each in study.exercises)}
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(run.id, tags=sorted(tags))
    except Exception as error:
        logger.warning("the run cannot be tagged in Prefect's UI: %s", error)


def tagged(step: "Task[..., Any]", numbers: Iterable[int]) -> "Task[..., Any]":
    """A step whose task run bears the tags of these exercises from its first state after Running on.

    Not as Prefect's own `tags`: for each tag it would ask the server for a concurrency limit before the task
    begins, and a server that is away would fail trainings that need no server.
    """
    tags = exercise_tags(numbers)

    def tag_with_exercises(_task: "Task[..., Any]", run: TaskRun, _state: Any) -> None:
        run.tags = sorted({*run.tags, *tags})

    hook: Callable[..., None] = tag_with_exercises
    return step.with_options(on_running=[hook])
