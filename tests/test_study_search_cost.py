"""What a search cost, and what a grid of the same space would."""

import pytest

from study.cost import Amount, CostModel
from study.search import Search
from study.search_cost import Tried, measure_search
from study.setting import Setting

AMOUNT = Amount(50_000, 20_000)
SEARCH = Search.model_validate(
    {
        "space": {"filters": [8, 32], "dense_units": {"low": 16, "high": 128}, "epochs": [5, 10]},
        "trainings": 9,
    }
)


def tried(origin: str, state: str, epochs: int, factor: float = 1.0, filters: int = 8) -> Tried:
    hyperparameters = Setting(filters=filters).hyperparameters
    seconds = factor * epochs * CostModel(engine="native").epoch_seconds(hyperparameters, AMOUNT)
    return Tried(origin, state, hyperparameters, epochs, seconds)


TRIED = [
    tried("sweep", "completed", 10),
    tried("suggested", "stopped", 1),
    tried("suggested", "diverged", 1),
    tried("suggested", "completed", 10),
]


def test_what_the_sweeps_trained_is_free():
    cost = measure_search(SEARCH, Setting(), TRIED, AMOUNT, "native")
    assert (cost.trainings, cost.free, cost.stopped, cost.epochs) == (3, 1, 2, 12)
    assert cost.seconds == pytest.approx(sum(each.seconds for each in TRIED[1:]))


def test_the_grid_trains_every_combination_as_long_as_the_space_allows():
    cost = measure_search(SEARCH, Setting(), TRIED, AMOUNT, "native")
    assert (cost.grid_trainings, cost.grid_epochs) == (2 * 5, 100)


def test_a_machine_that_was_twice_as_slow_as_the_model_is_so_for_the_grid_too():
    slow = [tried(each.origin, each.state, each.epochs, 2.0) for each in TRIED]
    once = measure_search(SEARCH, Setting(), TRIED, AMOUNT, "native").grid_seconds
    twice = measure_search(SEARCH, Setting(), slow, AMOUNT, "native").grid_seconds
    assert twice == pytest.approx(2 * once)


def test_a_search_of_which_nothing_trained_is_compared_by_the_model_alone():
    cost = measure_search(SEARCH, Setting(), [], AMOUNT, "native")
    assert (cost.trainings, cost.seconds) == (0, 0)
    assert cost.grid_seconds > 0
