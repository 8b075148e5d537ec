"""The steps of the DAG: functions that the flow runs as Prefect tasks; their `.fn` is the plain function."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE

P = ParamSpec("P")
R = TypeVar("R")


def step(
    name: str, run_name: str | Callable[[dict[str, Any]], str] | None = None, **retries: Any
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Decorate a step; its task runs are called `run_name`, or `name`, without Prefect's random suffix.

    `retries` are Prefect's options by that name.
    """
    # Our own results are the cache: Prefect's would collapse repeats.
    return task(
        name=name,
        task_run_name=run_name or name,  # type: ignore[arg-type]  # asks for more than a function has
        cache_policy=NO_CACHE,
        persist_result=False,
        **retries,
    )
