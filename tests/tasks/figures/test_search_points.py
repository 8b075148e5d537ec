"""What the search's figures show."""

from statistics import fmean, stdev

import pytest

from tasks.figures.search import (
    Dot,
    are_good,
    find_front,
    list_coordinates,
    list_dots,
    list_finals,
    rank_importances,
)
from tests.searches import searched_tables, searching_study
from tests.small_run import changed

STUDY = searching_study(trainings=40)
TABLES = searched_tables()


def test_the_front_has_what_none_beats_at_the_same_cost_or_less():
    dots = [Dot(10, 5.0, 80), Dot(20, 4.0, 79), Dot(30, 3.0, 90), Dot(30, 3.0, 85), Dot(40, 1.0, 88)]
    assert [each.accuracy for each in find_front(dots, "parameters")] == [80, 90]
    assert [each.accuracy for each in find_front(dots, "seconds")] == [88, 90]


def test_a_candidate_without_a_reading_is_no_dot():
    first, *others = TABLES.search
    assert len(list_dots([changed(first, validation_accuracy=None), *others])) == len(others)


def test_the_finals_are_means_of_fresh_seeds_with_intervals():
    dots = list_finals(TABLES.trials, TABLES.finals)
    assert [each.name for each in dots][:2] == ["baseline", "published"]
    assert {"finalist 1", "finalist 2"} <= {each.name for each in dots}
    readings = [each.validation_accuracy for each in TABLES.trials if each.setting == "finalist 1"]
    finalist = next(each for each in dots if each.name == "finalist 1")
    assert finalist.accuracy == pytest.approx(100 * fmean(readings))
    assert finalist.half == pytest.approx(2.2622 * 100 * stdev(readings) / 10**0.5, rel=1e-3)


def test_a_quarter_of_the_candidates_is_good():
    assert are_good([0.8, 0.9, 0.7, 0.6, 0.5, 0.1, 0.85]).tolist() == [False, True, *4 * [False], True]


def test_every_searched_parameter_has_an_axis_with_a_place_for_each_candidate():
    axes = list_coordinates(STUDY, TABLES.search)
    assert [(each.name, each.is_log) for each in axes] == [
        ("filters", True), ("dense_units", False), ("learning_rate", True), ("epochs", False)
    ]  # fmt: skip
    assert all(len(each.values) == len(TABLES.search) for each in axes)


def test_words_have_places_on_an_axis():
    study = searching_study(sweeps=False, space={"schedule": ["constant", "cosine"], "epochs": [6]})
    search = [changed(TABLES.search[0], schedule=each, epochs=6) for each in ("cosine", "constant")]
    words = list_coordinates(study, search)[0]
    assert (words.values, words.words) == ((1.0, 0.0), ("constant", "cosine"))


def test_importances_add_up_and_name_what_decides():
    search = [changed(each, validation_accuracy=each.learning_rate) for each in TABLES.search]
    importances = rank_importances(STUDY, search)
    assert sum(importances.values()) == pytest.approx(1)
    assert next(iter(importances)) == "learning_rate"
    assert set(importances) == {"filters", "dense_units", "learning_rate"}
    assert importances == rank_importances(STUDY, search), "the same every time"


def test_few_candidates_or_equal_ones_have_no_importances():
    assert rank_importances(STUDY, TABLES.search[:9]) == {}
    equal = [changed(each, validation_accuracy=0.9) for each in TABLES.search]
    assert rank_importances(STUDY, equal) == {}
