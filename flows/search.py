"""The DAG's search for the optimum: one generation of trainings after another, on all lanes."""

import math
from dataclasses import dataclass
from typing import Any

from prefect.futures import PrefectFuture

from flows.request import Request
from flows.steps import submit
from flows.sweep import Sweep
from study.forecast import Forecast
from study.plan import Plan
from study.training_record import Source
from tasks.lanes import Lanes
from tasks.plan_study import foresee_jobs
from tasks.search import OptimumSearch, advance_search


@dataclass(frozen=True)
class Searched:
    """A search at its end, and the task runs of its last generation."""

    state: OptimumSearch
    trained: list[Any]


def search_optimum(
    request: Request,
    source: Source,
    lanes: Lanes,
    sweep: Sweep,
    forecast: Forecast,
    after: PrefectFuture[Any],
) -> Searched | None:
    """Search until the budget is spent and no candidate is promising; None if the study does not search.

    Too many failures end it: a search among what could not be trained finds nothing.

    Args:
        request: The run.
        source: What, beside hyperparameters and seed, decides the weights.
        lanes: What will train.
        sweep: Trains, and keeps how each training ended.
        forecast: What was foreseen, for the progress.
        after: The step before.

    Raises:
        ResultsUnwritable: what was trained cannot be kept.
    """
    study = request.study
    if study.optimum is None or study.optimum.search is None:
        return None
    state, trained = OptimumSearch(study, source, study.optimum.search), list[Any]()
    while sweep.failures.too_many is None:
        step = submit(advance_search, state, sweep.outcomes, wait_for=[after, *trained])
        plan = Plan((), tuple(step.result()), source)
        if not plan.trainings:
            break
        jobs = foresee_jobs(study, plan, request.results, lanes, request.fresh)
        exercises = dict.fromkeys((each.key for each in plan.trainings), (study.optimum.number,))
        to_come = forecast.search.seconds[
            : math.ceil(max(0.0, state.remaining) * len(forecast.search.seconds))
        ]
        trained = sweep.train(
            jobs, exercises, step, (*to_come, *forecast.later.seconds, *forecast.finals.seconds)
        )
    return Searched(state, trained)
