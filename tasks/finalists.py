"""Who of a search's candidates is trained again with fresh seeds, and the rows of the table `search`."""

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from study.cost import multiply_adds, parameter_count
from study.plan import Trial, candidate_trials
from study.setting import Setting
from tasks.search import Candidate, OptimumSearch

FINALIST, FRUGAL = "finalist {}", "frugal finalist"
"""Names of the candidates in the tables: by rank on validation, and the cheap one."""

FRUGAL_MARGIN = 0.005
"""Fraction of accuracy that the frugal finalist's reading may lie below the best: about twice the standard
error of one accuracy on 10,000 validation images, within which one reading cannot tell two models apart."""

Row = dict[str, Any]


@task(name="choose finalists", task_run_name="choose finalists", cache_policy=NO_CACHE, persist_result=False)
def choose_finalists(search: OptimumSearch) -> tuple[Trial, ...]:
    """The trials of the finalists, one for each fresh seed.

    Args:
        search: The search, at its end.
    """
    return tuple(
        trial
        for name, (_, setting) in name_finalists(search).items()
        for trial in candidate_trials(search.study, name, setting)
    )


def name_finalists(search: OptimumSearch) -> dict[str, tuple[Candidate, Setting]]:
    """The best candidates on validation and, if it is cheaper than these, the cheapest that comes near.

    Each has the number of epochs at which it was best. Cheap is counted in multiply-adds of one image, which,
    unlike seconds, are the same on every machine.
    """
    ranked = _ranked(search)
    chosen = ranked[: search.search.finalists]
    if not chosen:
        return {}
    named = {FINALIST.format(place): each[1:] for place, each in enumerate(chosen, start=1)}
    near = [each for each in ranked if each[0] >= ranked[0][0] - FRUGAL_MARGIN]
    frugal = min(near, key=lambda each: _cost(each[2]))
    if _cost(frugal[2]) < min(_cost(each[2]) for each in chosen):
        named[FRUGAL] = frugal[1:]
    return named


def list_candidates(run_id: str, search: OptimumSearch) -> list[Row]:
    """The rows of the table `search`, in the order in which the candidates were begun."""
    finalists = {candidate.number: name for name, (candidate, _) in name_finalists(search).items()}
    return [_row(run_id, search, each, finalists.get(each.number)) for each in search.candidates]


def _ranked(search: OptimumSearch) -> list[tuple[float, Candidate, Setting]]:
    """Validation accuracy, candidate and setting of each that has one, best first; equal settings once."""
    found: dict[Setting, tuple[float, Candidate, Setting]] = {}
    for candidate in search.candidates:
        best = candidate.best(search.budgets)
        if best is not None and candidate.state in ("completed", "stopped"):
            setting = candidate.setting.with_changes({"epochs": best[1]})
            found.setdefault(setting, (best[0], candidate, setting))
    return sorted(found.values(), key=lambda each: (-each[0], each[1].number))


def _cost(setting: Setting) -> int:
    return multiply_adds(setting.hyperparameters)


def _row(run_id: str, search: OptimumSearch, candidate: Candidate, finalist: str | None) -> Row:
    hyperparameters = candidate.setting.hyperparameters
    best = candidate.best(search.budgets)
    training = search.training_of(candidate)
    return {
        "run_id": run_id,
        "study": search.study.name,
        "exercise": search.study.optimum.number if search.study.optimum else None,
        "candidate": candidate.number,
        "origin": candidate.origin,
        "generation": candidate.generation,
        **hyperparameters.model_dump(),
        "key": training.key,
        "seed": training.seed,
        "state": candidate.state,
        "epochs_trained": len(candidate.readings),
        "epochs": best[1] if best else None,
        "validation_accuracy": best[0] if best else None,
        "finalist": finalist,
        "parameters": parameter_count(hyperparameters),
        "multiply_adds": multiply_adds(hyperparameters),
        "training_seconds": candidate.seconds,
    }
