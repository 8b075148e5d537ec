"""A search as a study declares it: ranges, budget and rungs."""

from random import Random

import pytest
from pydantic import ValidationError

from study.spec.exercises import Search, expected_epochs, rungs_to
from study.spec.setting import Setting
from tests.searches import SPACE, searching_study

BASELINE = Setting()


def declare(**changes: object) -> Search:
    return Search.model_validate({"space": SPACE, "trainings": 20, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {}}, "give a range or a list of values for at least one parameter"),
        ({"space": {"filter": [8]}}, "'filter' is not a parameter; allowed: filters, "),
        ({"space": {"filters": {"low": 64, "high": 8}}}, "low=64 is not below high=8"),
        ({"space": {"filters": {"low": 0, "high": 8}}}, "filters=0"),
        ({"space": {"filters": []}}, "filters: the list is empty; give the values to try"),
        ({"space": {"filters": [8, 16, 8]}}, "filters: 8 is listed twice in 8, 16 and 8"),
        ({"space": {"dropout": {"low": 0, "high": 0.5, "log": True}}}, "low=0 with log"),
        ({"space": {"filters": {"low": 8, "high": 64, "step": 0.5}}}, "step=0.5; a whole number is needed"),
        ({"space": {"schedule": {"low": 1, "high": 2}}}, "schedule=1"),
        ({"space": {"patience": [1, 2]}}, "'patience' cannot be searched"),
        ({"trainings": None}, "give 'trainings' or 'minutes' as the budget, one of them"),
        ({"minutes": 3}, "give 'trainings' or 'minutes' as the budget, one of them"),
    ],
)
def test_a_search_that_cannot_be_is_refused_with_what_is_wrong(changes: dict, message: str):
    with pytest.raises(ValidationError) as caught:
        declare(**changes)
    assert message in str(caught.value)


def test_a_search_on_the_test_set_is_refused():
    study = searching_study()
    with pytest.raises(ValidationError, match="what it finds would be fitted to the test; use 'held-out'"):
        type(study).model_validate({**study.model_dump(), "protocol": "lab"})


def test_what_a_search_finds_is_repeated_ten_times_at_least():
    study = searching_study()
    exercises = [each.model_dump() for each in study.exercises]
    exercises[-1]["repeats"] = 9
    with pytest.raises(ValidationError, match="repeats=9 with 'search'; what it finds is trained again"):
        type(study).model_validate({**study.model_dump(), "exercises": exercises})


def test_fresh_seeds_are_no_seeds_of_sweeps_or_of_the_search():
    study = searching_study()
    fresh = {study.fresh_seed_of(repeat) for repeat in range(1, 1001)}
    assert not fresh & {study.seed_of(repeat) for repeat in range(1, 1001)}
    assert len(fresh) == 1000


def test_rungs_begin_at_a_sixth_grow_threefold_and_end_at_the_longest():
    assert rungs_to(18) == (3, 9, 18)
    assert rungs_to(20) == (3, 9, 20)
    assert rungs_to(30) == (5, 15, 30)
    assert rungs_to(5) == (1, 5)
    assert rungs_to(9) == (1, 3, 9)
    assert rungs_to(1) == (1,)


def test_where_one_in_three_passes_each_rung_a_candidate_trains_few_epochs():
    assert expected_epochs((2, 6, 18)) == pytest.approx(2 + 4 / 3 + 12 / 9)


def test_every_number_of_epochs_in_the_range_is_a_budget():
    assert declare().budgets(BASELINE) == tuple(range(1, 19))
    assert declare(space={"filters": [8], "epochs": [20, 5]}).budgets(BASELINE) == (5, 20)
    assert declare(space={"filters": [8]}).budgets(BASELINE) == (BASELINE.epochs,)


def test_a_search_contains_what_lies_in_its_ranges_and_nothing_else():
    search = declare(space={**SPACE, "dropout": {"low": 0, "high": 0.5, "step": 0.1}})
    assert search.contains(BASELINE.with_changes({"filters": 8, "dropout": 0.3}).hyperparameters, BASELINE)
    for change in ({"filters": 128}, {"dense_units": 32}, {"dropout": 0.25}, {"batch_size": 64}):
        assert not search.contains(BASELINE.with_changes(change).hyperparameters, BASELINE)


def test_what_is_drawn_lies_in_the_space():
    search, random = declare(), Random(1)
    for _ in range(200):
        drawn = search.draw(BASELINE, random)
        assert search.contains(drawn.hyperparameters, BASELINE)
        assert drawn.epochs == 18
