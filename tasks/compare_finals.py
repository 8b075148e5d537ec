"""Compare the candidates of the optimum with the kept one: the rows of the table `finals`."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from study.cost import multiply_adds, parameter_count
from study.setting import Hyperparameters
from study.spec import Study
from tasks.readings_of import kept_candidate, read_candidates
from tasks.setting_of import read_setting

if TYPE_CHECKING:
    from study.finals import Finals

Row = dict[str, Any]


@task(name="compare finals", task_run_name="compare finals", cache_policy=NO_CACHE, persist_result=False)
def compare_candidates(study: Study, run_id: str, trials: Sequence[Mapping[str, Any]]) -> list[Row]:
    """One row for each candidate of the optimum that has a reading; none without an optimum.

    Args:
        study: The study.
        run_id: The run.
        trials: Its rows of `trials`.
    """
    finals = finals_of(study, trials)
    if finals is None or study.optimum is None:
        return []
    sizes = {name: parameter_count(each) for name, each in _hyperparameters(study, trials).items()}
    place = {"run_id": run_id, "study": study.name, "exercise": study.optimum.number}
    return [
        {
            **place,
            "setting": each.name,
            "kept": each.is_kept,
            "trials": len(each.readings.test),
            "mean_accuracy": each.readings.mean,
            "gain": _number(each.gain),
            "low": _number(each.low),
            "high": _number(each.high),
            "adjusted_p_value": _number(each.adjusted_p_value),
            "as_good": each.is_as_good,
            "cheapest_as_good": each is finals.cheapest,
            "parameters": sizes[each.name],
            "multiply_adds": each.multiply_adds,
        }
        for each in finals.all
    ]


def finals_of(study: Study, trials: Sequence[Mapping[str, Any]]) -> "Finals | None":
    """The candidates that have a reading, compared; None if none was kept."""
    from study.finals import compare_finals  # late, with SciPy and statsmodels

    kept = kept_candidate(study, trials)
    if study.optimum is None or kept is None:
        return None
    readings = {
        name: each for name, each in read_candidates(study.optimum.number, trials).items() if each.test
    }
    costs = {name: multiply_adds(each) for name, each in _hyperparameters(study, trials).items()}
    return compare_finals(readings, kept, costs)


def _hyperparameters(study: Study, trials: Sequence[Mapping[str, Any]]) -> dict[str, Hyperparameters]:
    number = study.optimum.number if study.optimum else None
    own = [row for row in trials if row["exercise"] == number]
    return {str(row["setting"]): read_setting(row).hyperparameters for row in own}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
