"""What the search's figures show."""

import pandas as pd
import pytest

from tasks.figures.search import (
    Dot,
    find_front,
    is_good,
    list_coordinates,
    list_dots,
    list_finals,
    rank_importances,
)
from tests.searches import searched_frames, searching_study

STUDY = searching_study(trainings=40)
FRAMES = searched_frames()


def test_the_front_has_what_none_beats_at_the_same_cost_or_less():
    dots = [Dot(10, 5.0, 80), Dot(20, 4.0, 79), Dot(30, 3.0, 90), Dot(30, 3.0, 85), Dot(40, 1.0, 88)]
    assert [each.accuracy for each in find_front(dots, "parameters")] == [80, 90]
    assert [each.accuracy for each in find_front(dots, "seconds")] == [88, 90]


def test_a_candidate_without_a_reading_is_no_dot():
    search = FRAMES.search.copy()
    search.loc[0, "validation_accuracy"] = float("nan")
    assert len(list_dots(search)) == len(FRAMES.search) - 1


def test_the_finals_are_means_of_fresh_seeds_with_intervals():
    dots = list_finals(FRAMES.trials[FRAMES.trials["exercise"] == 7], FRAMES.finals)
    assert [each.name for each in dots][:2] == ["baseline", "published"]
    assert {"finalist 1", "finalist 2"} <= {each.name for each in dots}
    rows = FRAMES.trials[FRAMES.trials["setting"] == "finalist 1"]
    finalist = next(each for each in dots if each.name == "finalist 1")
    assert finalist.accuracy == pytest.approx(100 * rows["validation_accuracy"].mean())
    assert finalist.half == pytest.approx(
        2.2622 * 100 * rows["validation_accuracy"].std() / 10**0.5, rel=1e-3
    )


def test_a_quarter_of_the_candidates_is_good():
    assert sum(is_good(FRAMES.search)) == pytest.approx(len(FRAMES.search) / 4, abs=1)


def test_every_searched_parameter_has_an_axis_with_a_place_for_each_candidate():
    axes = list_coordinates(STUDY, FRAMES.search)
    assert [(each.name, each.is_log) for each in axes] == [
        ("filters", True), ("dense_units", False), ("learning_rate", True), ("epochs", False)
    ]  # fmt: skip
    assert all(len(each.values) == len(FRAMES.search) for each in axes)


def test_words_have_places_on_an_axis():
    study = searching_study(sweeps=False, space={"schedule": ["constant", "cosine"], "epochs": [6]})
    search = pd.DataFrame({"schedule": ["cosine", "constant"], "epochs": [6, 6]})
    words = list_coordinates(study, search)[0]
    assert (words.values, words.words) == ((1.0, 0.0), ("constant", "cosine"))


def test_importances_add_up_and_name_what_decides():
    search = FRAMES.search.assign(validation_accuracy=FRAMES.search["learning_rate"])
    importances = rank_importances(STUDY, search)
    assert sum(importances.values()) == pytest.approx(1)
    assert next(iter(importances)) == "learning_rate"
    assert set(importances) == {"filters", "dense_units", "learning_rate"}
    assert importances == rank_importances(STUDY, search), "the same every time"


def test_few_candidates_or_equal_ones_have_no_importances():
    assert rank_importances(STUDY, FRAMES.search.head(9)) == {}
    assert rank_importances(STUDY, FRAMES.search.assign(validation_accuracy=0.9)) == {}
