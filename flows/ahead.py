"""What is done before it is needed, while the run waits for something else: imports, and starting lanes."""

import gc
import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.request import Request
    from tasks.lanes import Lanes

LATE = (
    "study.replication",
    "study.statistics.bootstrap",
    "study.statistics.convergence",
    "tasks.figures",
    "tasks.curve_figures",
    "tasks.cost_figure",
    "tasks.report_content",
    "flows.summary_table",
)
"""What is needed only once results are there: SciPy's tests, statsmodels, matplotlib and rich."""

ready_lanes: "ContextVar[Lanes | None]" = ContextVar("ready_lanes", default=None)
"""Lanes that the command line has made for the flow, as a flow's parameters must be plain data."""


def import_ahead() -> None:
    """Begin to import in a thread what comes after the trainings; who needs it meanwhile waits for it."""
    threading.Thread(target=_import, name="import ahead", daemon=True).start()


@contextmanager
def without_collecting() -> Iterator[None]:
    """Keep Python from looking for garbage among modules while they are imported: a sixth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def has_to_train(request: "Request") -> bool:
    """Whether a run has a training that is not kept; what is kept may be damaged, which is seen later."""
    from storage.trainings import list_keys
    from study.plan import compile_plan, list_trials
    from tasks.dataset import refer_to_dataset
    from tasks.train import describe_source

    if request.fresh or request.engine is None:  # lanes elsewhere run already
        return True
    study = request.study
    dataset = refer_to_dataset().first(study.data.train_images, study.data.test_images)
    plan = compile_plan(
        study, list_trials(study), describe_source(study, dataset, request.devices[0].kind, request.engine)
    )
    return not {training.key for training in plan.trainings} <= set(list_keys(request.results))


def _import() -> None:
    for name in LATE:
        importlib.import_module(name)
