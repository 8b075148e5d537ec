"""Prefect's worker as a program, without its search for hooks.

When a run is cancelled or crashes, Prefect's worker loads its flow, to look for functions to call. Ours has
none, and loading imports everything: seconds before the state, or a traceback if a person has meanwhile
deleted the deployment.
"""

import runpy
from typing import Any

from prefect import Flow
from prefect.workers import process


async def _without_hooks(*_: Any) -> Flow[[], None]:
    return Flow(lambda: None, name="study")


if __name__ == "__main__":
    process.load_flow_from_flow_run = _without_hooks  # type: ignore[attr-defined, assignment]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)
