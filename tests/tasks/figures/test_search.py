"""The figures of a search: the front, the importances, the parallel coordinates."""

from pathlib import Path

import cv2
import pytest

from tasks.figures.search import draw_search_figures
from tests.searches import searched_tables, searching_study
from tests.small_run import changed

STUDY = searching_study(trainings=40)
TABLES = searched_tables()


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


def test_the_importances_say_what_they_do_not_say(drawn):
    assert "It holds for the searched ranges" in drawn["exercise-7-importances"].caption
    assert "learning rate" in drawn["exercise-7-importances"].alt


def test_the_parallel_coordinates_tell_the_best_readings_values(drawn):
    best = max(TABLES.search, key=lambda each: each.validation_accuracy)
    assert f"filters {best.filters}," in drawn["exercise-7-parallel"].alt


def test_too_few_candidates_have_no_importances(tmp_path: Path):
    names = [each.name for each in draw(tmp_path, TABLES.search[:5])]
    assert names == ["exercise-7-front", "exercise-7-parallel"]


def test_a_search_without_a_reading_has_no_figures(tmp_path: Path):
    assert draw(tmp_path, [changed(each, validation_accuracy=None) for each in TABLES.search]) == []


def test_candidates_far_below_the_best_are_counted_not_drawn(tmp_path: Path):
    low = [changed(each, validation_accuracy=0.1) for each in TABLES.search[:3]]
    search = [*low, *TABLES.search[3:]]
    assert "3 of them more than 8 points below the best and not shown" in draw(tmp_path, search)[0].caption
