"""Exercise 7: combine each sweep's best value, and keep the best candidate, both on validation."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from study.plan import Trial, candidate_trials
from study.setting import Setting
from study.spec import Study
from tasks.readings_of import completed_candidates, kept_candidate

COMBINATION = "combination"
"""Name of the candidate that combines each sweep's best value."""

Row = Mapping[Any, Any]

Reading = tuple[int, float, float]
"""Exercise, value and validation accuracy of one completed trial."""


@task(
    name="combine best values",
    task_run_name="combine best values",
    cache_policy=NO_CACHE,
    persist_result=False,
)
def combine_best(study: Study, trials: Sequence[Row]) -> tuple[Trial, ...]:
    """Trials of the candidate made of each sweep's best value; none if no sweep of the study is combined.

    Args:
        study: The study; its optimum exercise names the sweeps to combine.
        trials: Rows of the `trials` table.
    """
    readings = [
        (row["exercise"], row["value"], row["validation_accuracy"])
        for row in trials
        if row["status"] == "completed"
    ]
    combination = combination_of(study, readings)
    return () if combination is None else candidate_trials(study, COMBINATION, combination)


def combination_of(study: Study, readings: Sequence[Reading]) -> Setting | None:
    """The combination of each sweep's best value; None if there is nothing to combine."""
    best = {
        sweep.parameter: value
        for sweep in study.combined_sweeps
        if (value := best_value(readings, sweep.number)) is not None
    }
    return study.baseline.with_changes(best) if best else None


def best_value(readings: Sequence[Reading], exercise: int) -> float | None:
    """The value with the highest mean validation accuracy; the first of equals; None if there is none."""
    by_value = defaultdict(list)
    for number, value, accuracy in readings:
        if number == exercise:
            by_value[value].append(accuracy)
    means = {value: fmean(accuracies) for value, accuracies in by_value.items()}
    return max(means, key=lambda value: means[value]) if means else None


@task(
    name="choose the optimum", task_run_name="choose the optimum", cache_policy=NO_CACHE, persist_result=False
)
def choose_optimum(study: Study, trials: Sequence[Row]) -> Row | None:
    """The row of the trial to save: of the candidate with the best mean on validation, its best repeat.

    None if the study has no optimum exercise or none of its trials completed. Test accuracy plays no part
    (in the lab protocol validation is the test, as in the published readings).
    """
    winner = kept_candidate(study, trials)
    rows = [row for row in completed_candidates(study, trials) if row["setting"] == winner]
    return max(rows, key=lambda row: float(row["validation_accuracy"]), default=None)
