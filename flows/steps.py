"""Submit a step of the DAG: one place that says how, with types."""

from collections.abc import Iterable
from typing import Any, TypeVar

from prefect import Task
from prefect.futures import PrefectFuture
from prefect.utilities.annotations import quote

Result = TypeVar("Result")


def submit(step: Task[..., Result], *inputs: Any, wait_for: Iterable[Any] = ()) -> PrefectFuture[Result]:
    """Start a step once its inputs, which may be futures of other steps, are there.

    Args:
        step: The task.
        inputs: Its arguments; a future stands for its result and draws an edge of the DAG.
        wait_for: Further steps to wait for, whose results are not needed.
    """
    # Quoted, plain inputs are taken as they are: Prefect would search them, and draw an edge for every
    # object in them that it has seen in some other step's result.
    plain = [each if isinstance(each, PrefectFuture) else quote(each) for each in inputs]
    return step.submit(*plain, wait_for=list(wait_for), return_state=False)


def result_or_none(future: PrefectFuture[Result] | None) -> Result | None:
    """What a step gave; None if it failed, or there is no such step."""
    # Not by the future's state, which is asked of the server and may lag.
    result: Any = None if future is None else future.result(raise_on_failure=False)
    return None if isinstance(result, Exception) else result
