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


def momentum(when: dict, **others: object) -> dict:
    """A search of the momentum on a condition, and of others without."""
    low_high = {"low": 0, "high": 0.9, "when": when}
    space = {"optimizer": ["sgd", "adam"], "momentum": low_high, "dropout": {"low": 0, "high": 0.5}}
    return {"space": space | others}


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
        (momentum({"optimiser": "sgd"}), "momentum: when: 'optimiser' is not in the space: optimizer, "),
        (momentum({"optimizer": "rmsprop"}), "momentum: when: optimizer is never 'rmsprop' in the space"),
        (momentum({"dropout": 0.7}), "momentum: when: dropout is never 0.7 in the space"),
        (momentum({"dropout": "much"}), "momentum: when: dropout is never 'much' in the space"),
        (momentum({"momentum": 0.5}), "when: momentum depend on each other; take one 'when' away"),
        (momentum({"epochs": 5}, epochs=[5]), "momentum: when: 'epochs' are read from one training; leave"),
        (
            momentum({"filters": 8}, filters={"values": [8], "when": {"momentum": 0}}),
            "when: momentum and filters depend on each other; take one 'when' away",
        ),
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


def test_a_parameter_is_searched_only_where_its_condition_holds_and_else_keeps_the_baselines_value():
    decay = {"values": [0.1, 0.2], "when": {"momentum": [0, 0.9]}}
    search = declare(space={
        "weight_decay": decay, "momentum": {"values": [0, 0.9], "when": {"optimizer": ["sgd"]}},
        "optimizer": ["sgd", "adam"],
    })  # fmt: skip
    baseline, random = BASELINE.with_changes({"momentum": 0.5}), Random(1)
    drawn = [search.draw(baseline, random) for _ in range(50)]
    assert {(each.optimizer, each.momentum, each.weight_decay) for each in drawn} == {
        ("adam", 0.5, 0), *(("sgd", momentum, decay) for momentum in (0, 0.9) for decay in (0.1, 0.2))
    }  # fmt: skip
    assert all(search.contains(each.hyperparameters, baseline) for each in drawn)
    for change in ({"optimizer": "adam", "momentum": 0.9}, {"weight_decay": 0.1}, {"momentum": 0}):
        assert not search.contains(baseline.with_changes(change).hyperparameters, baseline)


def test_a_search_without_conditions_is_recorded_as_before_there_were_any():
    assert "when" not in declare().model_dump_json()
    search = declare(**momentum({"optimizer": "sgd"}))
    assert Search.model_validate_json(search.model_dump_json()) == search
