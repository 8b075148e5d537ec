"""Compare the settings of each sweep, pair by pair: the rows of the table `comparisons`."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from study.spec import Study
from tasks.readings_of import read_sweep

if TYPE_CHECKING:
    from study.statistics.pairwise import PairTest

Row = dict[str, Any]


@task(name="compare settings", task_run_name="compare settings", cache_policy=NO_CACHE, persist_result=False)
def compare_settings(study: Study, run_id: str, trials: Sequence[Mapping[str, Any]]) -> list[Row]:
    """One row for each pair of settings of a sweep that have two readings or more.

    Args:
        study: The study.
        run_id: The run.
        trials: Its rows of `trials`.
    """
    from study.statistics.pairwise import compare_pairs  # late, with SciPy and statsmodels

    rows = []
    for exercise in study.sweeps:
        readings = {value: each.test for value, each in read_sweep(exercise.number, trials).items()}
        for each in compare_pairs(readings, exercise.reads_prefixes(study.baseline)).tests:
            place = {"exercise": exercise.number, "parameter": exercise.parameter}
            rows.append({"run_id": run_id, "study": study.name, **place, **_columns(each)})
    return rows


def _columns(pair: "PairTest") -> Row:
    return {
        "first_value": pair.first,
        "second_value": pair.second,
        "test": pair.test,
        "first_trials": pair.first_count,
        "second_trials": pair.second_count,
        "difference": pair.difference,
        "low": _number(pair.low),
        "high": _number(pair.high),
        "p_value": pair.p_value,
        "adjusted_p_value": pair.adjusted_p_value,
        "differs": pair.differs,
        "paired_p_value": _number(pair.other_p_value),
        "effect_size": _number(pair.effect),
        "effect_low": _number(pair.effect_low),
        "effect_high": _number(pair.effect_high),
        "smallest_p_value": pair.smallest_p_value,
        "detectable_difference": _number(pair.detectable),
        "repeats_needed": pair.needed,
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
