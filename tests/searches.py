"""A study that searches, its search driven with trainings that are simulated, and the tables of that."""

from collections.abc import Mapping
from functools import cache

from storage.tables.published import RunTables
from study.records.record import TrainingRecord
from study.spec.setting import Setting
from study.spec.study import Study
from tasks.optimum.search import OptimumSearch, choose_finalists, list_candidates
from tests import simulated
from tests.rows import (
    RUN_ID,
    make_epochs,
    make_finals,
    make_record,
    make_run,
    make_source,
    make_summary,
    make_trainings,
    make_trials,
)

SPACE = {
    "filters": {"low": 8, "high": 64, "log": True},
    "dense_units": [16, 64, 128],
    "learning_rate": {"low": 0.001, "high": 0.1, "log": True},
    "epochs": {"low": 1, "high": 18},
}

CONDITIONAL = {
    "momentum": {"low": 0.5, "high": 0.9, "when": {"optimizer": "sgd"}},
    "optimizer": ["sgd", "adam"],
    "weight_decay": {"values": [0.01, 0.1], "when": {"optimizer": "adam"}},
    "learning_rate": {"low": 0.001, "high": 0.1, "log": True},
    "epochs": [6],
}
"""A space in which the optimizer decides what else is searched."""


def searching_study(sweeps: bool = True, **search: object) -> Study:
    """A held-out study whose Exercise 7 searches; with a sweep over filters, whose settings are known."""
    declared = {"space": SPACE, "trainings": 20, "finalists": 2, **search}
    words = {"title": "t", "question": "q"}
    swept = {"number": 2, "kind": "sweep", "parameter": "filters", "values": [8, 16, 128], "repeats": 2}
    optimum = {
        "number": 7, "kind": "optimum", "repeats": 10, "search": declared,
        "candidates": {"baseline": {}, "published": {"filters": 64, "learning_rate": 0.001}},
    }  # fmt: skip
    exercises = [{**each, **words} for each in ([swept, optimum] if sweeps else [optimum])]
    return Study.model_validate(
        {"name": "searching", "title": "t", "protocol": "held-out", "exercises": exercises}
    )


def begin_search(study: Study) -> OptimumSearch:
    """The study's search, that knows nothing yet."""
    assert study.optimum is not None
    assert study.optimum.search is not None
    return OptimumSearch(study, make_source(study), study.optimum.search)


def run_search(
    search: OptimumSearch, most: int = 1000, broken: Mapping[int, int | None] | None = None
) -> dict[str, TrainingRecord]:
    """Advance a search by simulated trainings, for so many generations at most.

    `broken` says of a candidate, by number, after how many epochs its loss is no number; None: it fails.
    """
    kept: dict[str, TrainingRecord] = {}
    for _ in range(most):
        trainings = search.next_generation()
        if not trainings:
            break
        ends = {search.training_of(search.candidates[number - 1]).key: end
                for number, end in (broken or {}).items() if number <= len(search.candidates)}  # fmt: skip
        records = {}
        for training in trainings:
            epochs = simulated.train(training.hyperparameters, training.seed)[: training.most_epochs]
            end = ends.get(training.key, len(epochs))
            records[training.key] = make_record(training, epochs[:end]) if end else None
        kept |= {key: record for key, record in records.items() if record is not None}
        search.learn_from(records)
    return kept


def state_of(search: OptimumSearch) -> list[tuple[Setting, str, int, tuple[float, ...]]]:
    """What a search has come to: each candidate, how it ended, and what it read."""
    return [(each.setting, each.state, each.generation, tuple(each.readings)) for each in search.candidates]


@cache
def searched_tables() -> RunTables:
    """The tables of a run of `searching_study(trainings=40)`, whose search came to its end."""
    study = searching_study(trainings=40)
    search = begin_search(study)
    run_search(search)
    trials = make_trials(study, found=choose_finalists.fn(search))
    return RunTables(
        make_run(study, trials),
        trials,
        make_trainings(study),
        make_epochs(study),
        make_summary(trials),
        search=list_candidates(RUN_ID, search),
        finals=make_finals(study, trials),
    )
