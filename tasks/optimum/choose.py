"""Exercise 7: combine each sweep's best value, and compare the candidates with the kept one."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from storage.tables import FinalRow, TrialRow
from study.plan import Trial, combination_trials, multiply_adds, parameter_count
from study.spec import Study
from tasks.step import step
from tasks.tables import columns_of, completed_candidates, kept_candidate, read_candidates, read_setting

if TYPE_CHECKING:
    from study.conclusions import Finals


@step("combine best values")
def combine_best(study: Study, trials: Sequence[TrialRow]) -> tuple[Trial, ...]:
    """List the trials that combine each sweep's best value, variants included; none if none is combined.

    The best has the highest mean validation accuracy; of equals the first.
    """
    read = defaultdict[int, dict[float, list[float]]](dict)
    for trial in trials:
        if trial.value is not None and trial.validation_accuracy is not None:
            read[trial.exercise].setdefault(trial.value, []).append(trial.validation_accuracy)
    best = {
        name: value
        for sweep in study.combined_sweeps
        if (levels := read[sweep.number])
        for name, value in sweep.levels[max(levels, key=lambda level: fmean(levels[level]))].items()
    }
    return combination_trials(study, study.baseline.with_changes(best)) if best else ()


@step("choose the optimum")
def choose_optimum(study: Study, trials: Sequence[TrialRow]) -> TrialRow | None:
    """Return the row of the trial to save: the best repeat of the candidate with the best validation mean.

    None if the study has no optimum exercise or none of its trials completed. Test accuracy plays no part
    (in the lab protocol validation is the test, as in the published readings).
    """
    winner = kept_candidate(study, trials)
    repeats = [trial for trial in completed_candidates(study, trials) if trial.setting == winner]
    return max(repeats, key=lambda trial: trial.validation_accuracy or 0.0, default=None)


@step("compare finals")
def compare_candidates(study: Study, run_id: str, trials: Sequence[TrialRow]) -> list[FinalRow]:
    """Return a row for each candidate of the optimum that has a reading; none without an optimum."""
    finals = finals_of(study, trials)
    if finals is None or study.optimum is None:
        return []
    sizes = {name: each.parameters for name, each in _list_sizes(study, trials).items()}
    return [
        FinalRow(
            run_id=run_id,
            study=study.name,
            exercise=study.optimum.number,
            setting=each.name,
            kept=each.is_kept,
            trials=len(each.readings.test),
            mean_accuracy=each.readings.mean,
            as_good=each.is_as_good,
            cheapest_as_good=each is finals.cheapest,
            parameters=sizes[each.name],
            **columns_of(each, FinalRow),
        )
        for each in finals.all
    ]


def finals_of(study: Study, trials: Sequence[TrialRow]) -> "Finals | None":
    """Compare the candidates that have a reading; None if none was kept."""
    from study.conclusions import rank_finalists  # late, with SciPy and statsmodels

    kept = kept_candidate(study, trials)
    if study.optimum is None or kept is None:
        return None
    images = study.data.images
    readings = {
        name: each
        for name, each in read_candidates(study.optimum.number, trials, images.classes).items()
        if each.test
    }
    costs = {name: each.multiply_adds for name, each in _list_sizes(study, trials).items()}
    return rank_finalists(readings, kept, costs)


@dataclass(frozen=True)
class _Size:
    parameters: int
    multiply_adds: int


def _list_sizes(study: Study, trials: Sequence[TrialRow]) -> dict[str, _Size]:
    """Return the size of each candidate's network: of one's own as recorded, of the lab's as known."""
    number, found = study.optimum.number if study.optimum else None, dict[str, _Size]()
    for trial in trials:
        if trial.exercise != number:
            continue
        if trial.parameters is not None and trial.multiply_adds is not None:
            found[trial.setting] = _Size(trial.parameters, trial.multiply_adds)
        else:
            lab = read_setting(trial).hyperparameters, study.data.images
            found.setdefault(trial.setting, _Size(parameter_count(*lab), multiply_adds(*lab)))
    return found
