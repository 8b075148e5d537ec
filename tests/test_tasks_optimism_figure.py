"""What choosing on the test images would add: what is measured from the tables, and the figure."""

import xml.etree.ElementTree as ElementTree

import cv2
import numpy as np
import pytest

from study.study_file import adapt_study, read_study
from tasks.cost_figure import WHOLE_RUN
from tasks.history_figures import NIGHTS
from tasks.optimism_figure import OPTIMISM, draw_optimism_figure
from tasks.optimism_points import optimism_rows
from tests.frames import make_epochs, make_study, make_trials

STUDY = adapt_study(read_study("rigorous"), repeats=4, protocol=None)


def apart(frame):
    """The frame with test accuracies that differ from those of validation, as in life."""
    noise = np.random.default_rng(7).normal(0, 0.003, len(frame))
    return frame.assign(test_accuracy=frame["validation_accuracy"] + noise)


TRIALS, EPOCHS = apart(make_trials(STUDY)), apart(make_epochs(STUDY))
FILTERS, _, BUDGETS, *_ = STUDY.sweeps


def test_every_sweep_has_a_row_for_choosing_the_epoch_and_one_for_choosing_the_setting():
    rows = optimism_rows(STUDY, TRIALS, EPOCHS)
    assert [(row.exercise.number, row.picks_epoch) for row in rows] == [
        (number, picks_epoch) for number in (2, 3, 4, 5, 6) for picks_epoch in (True, False)
    ]
    assert all(min(row.optimism.values) >= 0 for row in rows)
    assert all(row.optimism.mean > 0 for row in rows if row.picks_epoch)


def test_each_training_counts_once_and_each_seed_once():
    rows = {
        (row.exercise.number, row.picks_epoch): row.optimism for row in optimism_rows(STUDY, TRIALS, EPOCHS)
    }
    assert len(rows[2, True].values) == 20, "five settings, four repeats"
    assert len(rows[4, True].values) == 4, "the budgets read prefixes of four trainings"
    assert len(rows[2, False].values) == len(rows[4, False].values) == 4


def test_only_epochs_that_a_trial_of_the_exercise_read_can_be_chosen():
    best_late = EPOCHS.assign(test_accuracy=EPOCHS["test_accuracy"].mask(EPOCHS["epoch"] > 5, 0.99))
    (before, *_), (after, *_) = (optimism_rows(STUDY, TRIALS, frame) for frame in (EPOCHS, best_late))
    assert after.optimism == before.optimism, "others read the baseline's trainings for longer"


def test_the_optimism_of_the_setting_is_the_one_computed_by_hand():
    study = STUDY.only(frozenset({2}))
    ours = TRIALS[TRIALS["exercise"] == 2]
    expected = []
    for _, rows in ours.groupby("seed"):
        chosen = rows.loc[rows["validation_accuracy"].idxmax()]
        expected.append(rows["test_accuracy"].max() - chosen["test_accuracy"])
    (row,) = [each for each in optimism_rows(study, TRIALS, EPOCHS) if not each.picks_epoch]
    assert row.optimism.values == pytest.approx(expected)


def test_failed_trials_are_chosen_by_nobody_and_a_seed_with_one_left_chooses_nothing():
    failed = (TRIALS["exercise"] == 2) & (TRIALS["repeat"] == 1) & (TRIALS["value"] > 8)
    trials = TRIALS.assign(status=TRIALS["status"].mask(failed, "failed"))
    epoch, setting, *_ = optimism_rows(STUDY, trials, EPOCHS)
    assert (len(epoch.optimism.values), len(setting.optimism.values)) == (16, 3)


def test_readings_that_are_equal_on_validation_and_test_have_no_optimism(tmp_path):
    trials, epochs = make_trials(STUDY), make_epochs(STUDY)
    assert {each for row in optimism_rows(STUDY, trials, epochs) for each in row.optimism.values} == {0.0}
    (figure,) = draw_optimism_figure(STUDY, trials, epochs, tmp_path)
    assert "the epoch by its test accuracy reports 0.00 points too much and the setting" in figure.caption


def test_the_figure_says_in_words_what_choosing_on_test_would_add(tmp_path):
    (figure,) = draw_optimism_figure(STUDY, TRIALS, EPOCHS, tmp_path / "figures")
    assert (figure.name, figure.exercise) == ("optimism", OPTIMISM)
    assert "whoever chooses the epoch by its test accuracy reports 0." in figure.caption
    assert "(4 to 24 trainings a row and 4 seeds a row)" in figure.caption
    assert "95% confidence interval of the mean (Student's t)" in figure.caption
    assert "exercise 2: the number of filters, 0." in figure.alt
    picture = cv2.imread(str(figure.png))
    assert min(picture.shape[:2]) > 500
    assert np.ptp(picture) == pytest.approx(255, abs=40), "ink on white paper"
    assert figure.png.stat().st_size < 100_000
    assert ElementTree.parse(figure.svg).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert len(list((tmp_path / "figures").iterdir())) == 2


def test_equal_frames_give_equal_bytes(tmp_path):
    one, two = (draw_optimism_figure(STUDY, TRIALS, EPOCHS, tmp_path / name)[0] for name in ("one", "two"))
    assert one.png.read_bytes() == two.png.read_bytes()
    assert one.svg.read_bytes() == two.svg.read_bytes()


def test_a_single_repeat_is_drawn_without_an_interval(tmp_path):
    study = adapt_study(STUDY, repeats=1, protocol=None).only(frozenset({4}))
    trials, epochs = apart(make_trials(study)), apart(make_epochs(study))
    (figure,) = draw_optimism_figure(study, trials, epochs, tmp_path)
    assert "A single reading bears no interval." in figure.caption
    assert "(1 training a row and 1 seed a row)" in figure.caption
    assert "reaches below zero" not in figure.caption


def test_in_protocol_lab_there_is_no_such_figure(tmp_path):
    lab = make_study()
    assert draw_optimism_figure(lab, apart(make_trials()), apart(make_epochs()), tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_one_setting_of_one_epoch_leaves_nothing_to_choose(tmp_path):
    alone = FILTERS.model_copy(update={"values": (8.0,), "fixed": {"epochs": 1}})
    study = STUDY.model_copy(update={"exercises": (alone,)})
    trials, epochs = apart(make_trials(study)), apart(make_epochs(study))
    assert draw_optimism_figure(study, trials, epochs, tmp_path) == []


def test_without_a_completed_trial_there_is_no_such_figure(tmp_path):
    trials = TRIALS.assign(status="failed")
    assert draw_optimism_figure(STUDY, trials, EPOCHS, tmp_path) == []
    assert draw_optimism_figure(STUDY, TRIALS.iloc[:0], EPOCHS.iloc[:0], tmp_path) == []


def test_the_figure_stands_in_no_other_figures_place():
    numbers = {exercise.number for exercise in STUDY.exercises}
    assert OPTIMISM not in {WHOLE_RUN, NIGHTS} | numbers
