"""The figures of a search: what they show, as plain values; and what is drawn of it, with its words."""

from math import isnan
from pathlib import Path
from statistics import fmean, stdev

import cv2
import pytest

from tasks.figures.search import (
    Dot,
    are_good,
    draw_search_figures,
    find_front,
    list_coordinates,
    list_finals,
    rank_importances,
)
from tests.searches import CONDITIONAL, searched_tables, searching_study
from tests.small_run import changed

STUDY = searching_study(trainings=40)
TABLES = searched_tables()


def test_the_front_has_what_none_beats_at_the_same_cost_or_less():
    dots = [Dot(10, 5.0, 80), Dot(20, 4.0, 79), Dot(30, 3.0, 90), Dot(30, 3.0, 85), Dot(40, 1.0, 88)]
    assert [each.accuracy for each in find_front(dots, "parameters")] == [80, 90]
    assert [each.accuracy for each in find_front(dots, "seconds")] == [88, 90]


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


def test_a_parameter_that_was_not_searched_in_a_candidate_has_no_place_there(tmp_path: Path):
    study = searching_study(sweeps=False, space=CONDITIONAL)
    rows = [
        changed(row, optimizer=("sgd", "adam")[row.candidate % 2], weight_decay=0.1, momentum=0.7)
        for row in TABLES.search
    ]
    places = {
        each.name: [not isnan(value) for value in each.values] for each in list_coordinates(study, rows)
    }
    is_sgd = [row.optimizer == "sgd" for row in rows]
    assert places["momentum"] == is_sgd
    assert places["weight_decay"] == [not each for each in is_sgd]
    assert all(places["optimizer"]) and all(places["learning_rate"])
    assert rank_importances(study, rows).keys() == {"optimizer", "learning_rate", "momentum", "weight_decay"}
    only_sgd = [row for row in rows if row.optimizer == "sgd"]
    assert "weight_decay" not in [each.name for each in list_coordinates(study, only_sgd)]
    parallel = draw(tmp_path, rows, study)[-1]
    assert "A line has a gap at a parameter that was not searched in that candidate." in parallel.caption
    best = max(rows, key=lambda row: row.validation_accuracy or 0)
    assert ("momentum 0.7" in parallel.alt) == (best.optimizer == "sgd")


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


def draw(folder: Path, search=TABLES.search, study=STUDY):
    return draw_search_figures(study, TABLES.trials, search, TABLES.finals, folder)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory):
    return {each.name: each for each in draw(tmp_path_factory.mktemp("figures"))}


def test_a_search_has_three_figures_as_png_and_svg(drawn):
    assert list(drawn) == ["exercise-7-front", "exercise-7-importances", "exercise-7-parallel"]
    for figure in drawn.values():
        assert cv2.imread(str(figure.png)) is not None
        assert figure.svg.is_file()


def test_the_fronts_words_say_that_single_readings_are_the_luckiest_and_name_the_finals(drawn):
    front = drawn["exercise-7-front"]
    assert f"{len(TABLES.search)} candidates of the search, one training each" in front.caption
    assert "the luckiest of many" in front.caption
    assert "finalist 1" in front.alt
    assert "baseline" in front.alt


def test_the_importances_name_the_parameters_and_the_parallel_coordinates_the_best_readings_values(drawn):
    assert "learning rate" in drawn["exercise-7-importances"].alt
    best = max(TABLES.search, key=lambda each: each.validation_accuracy)
    assert f"filters {best.filters}," in drawn["exercise-7-parallel"].alt


def test_too_few_candidates_have_no_importances_and_without_a_reading_there_is_no_figure(tmp_path: Path):
    names = [each.name for each in draw(tmp_path, TABLES.search[:5])]
    assert names == ["exercise-7-front", "exercise-7-parallel"]
    assert draw(tmp_path, [changed(each, validation_accuracy=None) for each in TABLES.search]) == []


def test_candidates_far_below_the_best_are_counted_not_drawn(tmp_path: Path):
    low = [changed(each, validation_accuracy=0.1) for each in TABLES.search[:3]]
    search = [*low, *TABLES.search[3:]]
    assert "3 of them more than 8 points below the best and not shown" in draw(tmp_path, search)[0].caption


def test_names_in_other_scripts_are_numbers_in_the_figure_and_words_in_the_caption(tmp_path: Path):
    def renamed(row):
        return changed(row, setting="已发表的最优 🏆") if row.setting == "published" else row

    trials, finals = map(renamed, TABLES.trials), map(renamed, TABLES.finals)
    front, *_ = draw_search_figures(STUDY, list(trials), TABLES.search, list(finals), tmp_path)
    assert "In the legend, name 2: 已发表的最优 🏆." in front.caption
    assert "已发表的最优 🏆" in front.alt
