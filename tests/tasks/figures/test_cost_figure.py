from pathlib import Path

from tasks.figures.cost import WHOLE_RUN, draw_cost_figure
from tests.rows import make_study, make_trainings
from tests.small_run import changed
from tests.tasks.figures.pictures import assert_is_picture


def test_predicted_and_actual_times_are_drawn_with_a_count_in_words(tmp_path: Path):
    trainings = make_trainings()
    (figure,) = draw_cost_figure(trainings, tmp_path)
    assert (figure.name, figure.exercise) == ("predicted-time", WHOLE_RUN)
    assert "both axes logarithmic" in figure.caption
    assert f"within 20% of it, {len(trainings)} of {len(trainings)} trainings" in figure.caption
    assert_is_picture(figure)


def test_trainings_that_were_reused_or_failed_are_left_out(tmp_path: Path):
    reused, failed, *others = make_trainings(make_study().only(frozenset({4})))
    trainings = [changed(reused, predicted_seconds=0.0), changed(failed, lane_seconds=0.0), *others]
    (figure,) = draw_cost_figure(trainings, tmp_path)
    assert "of 2 trainings" in figure.caption


def test_a_run_that_trained_nothing_has_no_such_figure(tmp_path: Path):
    trainings = [changed(each, lane_seconds=0.0) for each in make_trainings()]
    assert draw_cost_figure(trainings, tmp_path) == []
