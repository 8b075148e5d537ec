"""The learning curves of a sweep: what is plotted, as plain values; and the files that are drawn."""

import logging
from dataclasses import replace

import pytest

from study.spec.exercises import SweepExercise
from study.spec.study_file import read_study
from tasks.figures.curves import (
    SettingCurves,
    accuracy_span,
    draw_curve_figures,
    loss_span,
    mean_line,
    setting_curves,
)
from tests.rows import make_epochs, make_study, make_trials
from tests.small_run import changed
from tests.tasks.figures.pictures import assert_is_picture

STUDY = make_study()
TRIALS, EPOCHS = make_trials(), make_epochs()
FILTERS, _, BUDGETS, RATES, DROPOUT = STUDY.sweeps


def curves_of(*accuracies, value=1.0, losses=((0.3,),)):
    return SettingCurves(value, tuple(map(tuple, accuracies)), tuple(map(tuple, losses)), 0)


def sweep(parameter, values, repeats=2, fixed=None):
    """A study of one sweep, the sweep, and its simulated trials and epochs."""
    exercise = SweepExercise(
        number=9, kind="sweep", title="t", question="q?", parameter=parameter, values=values,
        repeats=repeats, fixed=fixed or {},
    )  # fmt: skip
    study = STUDY.model_copy(update={"exercises": (exercise,), "published": None})
    return study, exercise, make_trials(study), make_epochs(study)


def collapse(trials, epochs, value, repeats, start=2):
    """The epochs, in which some trainings of exercise 9 guess from an epoch on."""
    keys = {each.key for each in trials if each.value == value and each.repeat in repeats}
    return [
        changed(each, validation_accuracy=0.1, validation_loss=2.303)
        if each.key in keys and each.epoch >= start
        else each
        for each in epochs
    ]


def key_of_setting(exercise, value):
    """The key of its first training."""
    return next(each.key for each in TRIALS if (each.exercise, each.value) == (exercise, value))


# What is plotted


def test_each_setting_has_a_line_for_each_completed_trial_in_percent_and_nats():
    trials = make_trials(failed={(2, value, 5) for value in FILTERS.values})
    found = setting_curves(STUDY, FILTERS, trials[::-1], EPOCHS[::-1])
    assert [each.value for each in found] == [8, 16, 32, 64, 128]
    assert [(len(each.losses), each.failed, each.longest) for each in found] == [(4, 1, 5)] * 5
    first = key_of_setting(2, 8)
    rows = [each for each in EPOCHS if each.key == first and each.epoch <= 5]
    assert found[0].accuracies[0] == tuple(100 * each.validation_accuracy for each in rows)
    assert found[0].losses[0] == tuple(each.validation_loss for each in rows)


def test_a_trial_is_given_only_the_epochs_it_read_of_its_training():
    baseline = setting_curves(STUDY, FILTERS, TRIALS, EPOCHS)[2]
    key = key_of_setting(2, 32)
    assert max(each.epoch for each in EPOCHS if each.key == key) == 20, "another exercise reads more of it"
    assert {len(line) for line in baseline.losses} == {5}


def test_the_mean_ends_with_the_first_training_that_stops():
    assert mean_line(((1.0, 2.0, 3.0), (3.0, 4.0))) == [2.0, 3.0]
    assert mean_line(()) == []
    setting = curves_of(losses=((0.3, 0.2, 0.1), (0.3, 0.2)))
    assert (setting.reached, setting.longest) == (2, 3)


def test_a_sweep_of_epochs_has_the_curve_of_its_longest_budget_alone():
    (found,) = setting_curves(STUDY, BUDGETS, TRIALS, EPOCHS)
    assert (found.value, found.reached, len(found.losses)) == (20, 20, 4)


def test_where_no_trial_of_the_longest_budget_completed_the_next_has_the_curve(tmp_path):
    trials = make_trials(failed={(BUDGETS.number, 20, repeat) for repeat in range(1, 5)})
    (found,) = setting_curves(STUDY, BUDGETS, trials, EPOCHS)
    assert found.value == 10
    (figure,) = draw_curve_figures(STUDY, BUDGETS, trials, EPOCHS, tmp_path)
    assert (
        "(1, 2, 5 and 10); all read the same trainings. No trial of 20 epochs was completed."
        in figure.caption
    )


def test_budgets_that_a_schedule_is_stretched_over_are_trainings_of_their_own():
    cosine = BUDGETS.model_copy(update={"fixed": {"schedule": "cosine"}})
    found = setting_curves(STUDY, cosine, TRIALS, EPOCHS)
    assert [each.longest for each in found] == [1, 2, 5, 10, 20]


# The axes


def test_the_accuracy_axis_leaves_a_collapsed_training_out():
    span = accuracy_span([curves_of([85.0, 88.0, 89.0], [86.0, 88.0, 10.0])])
    assert 84 < span.low < 85
    assert 89 < span.high < 90
    assert span.leaves_out([86.0, 10.0])
    assert not span.leaves_out([85.0, 89.0])


def test_the_accuracy_axis_keeps_a_slow_start_and_never_leaves_zero_to_a_hundred_percent():
    assert accuracy_span([curves_of([40.0, 55.0, 64.0, 70.0], [76.0, 80.0, 82.0, 84.0])]).low < 40
    ends = accuracy_span([curves_of([0.0, 100.0])])
    assert (ends.low, ends.high) == (0, 100)


@pytest.mark.parametrize(
    ("losses", "low", "high", "is_log"),
    [
        ([0.30, 0.35, 0.40], 0.296, 0.404, False),
        ([0.30, 0.35, 0.40, 2.303], 0.296, 0.404, False),
        ([0.30, 0.8, 1.2, 2.303], 0.220, 2.383, False),
        ([0.20, 0.8, 1.4, 2.303], 0.182, 2.533, True),
        ([0.0, 0.8, 1.4, 2.303], 0.0, 2.395, False),
        ([0.3], 0.299, 0.301, False),
    ],
)
def test_the_loss_axis_leaves_out_what_is_far_and_is_logarithmic_beyond_a_factor_of_ten(
    losses, low, high, is_log
):
    span = loss_span([curves_of(losses=[losses])])
    assert (span.low, span.high) == pytest.approx((low, high), abs=1e-3)
    assert span.is_log is is_log


@pytest.mark.parametrize(
    ("line", "first"), [([0.6, 0.4, 0.3], 2), ([0.4, 0.38, 0.3], 1), ([0.6], 1)], ids=str
)
def test_the_loss_axis_begins_at_epoch_two_where_epoch_one_would_rule_it(line, first):
    span = loss_span([curves_of(losses=[line])])
    assert span.first == first
    assert span.leaves_out([0.9, *line[1:]]) is (first == 1)


# What is drawn


@pytest.mark.parametrize("exercise", STUDY.sweeps, ids=lambda each: each.parameter)
def test_every_sweep_of_the_lab_has_learning_curves(tmp_path, exercise):
    (figure,) = draw_curve_figures(STUDY, exercise, TRIALS, EPOCHS, tmp_path / "figures")
    assert (figure.name, figure.exercise) == (f"exercise-{exercise.number}-curves", exercise.number)
    assert "Validation accuracy and loss after each epoch; n = " in figure.caption
    assert_is_picture(figure)
    assert len(list((tmp_path / "figures").iterdir())) == 2


def test_equal_rows_give_equal_bytes(tmp_path):
    one, two = (
        draw_curve_figures(STUDY, RATES, TRIALS, EPOCHS, tmp_path / name)[0] for name in ("one", "two")
    )
    assert one.png.read_bytes() == two.png.read_bytes()
    assert one.svg.read_bytes() == two.svg.read_bytes()


def test_the_caption_says_where_the_means_of_early_stopping_end(tmp_path):
    (figure,) = draw_curve_figures(STUDY, DROPOUT, TRIALS, EPOCHS, tmp_path)
    assert "a mean ends with the first of its trainings to do so" in figure.caption
    (figure,) = draw_curve_figures(STUDY, FILTERS, TRIALS, EPOCHS, tmp_path)
    assert "stopped early" not in figure.caption


def test_the_caption_of_a_sweep_of_epochs_says_that_all_read_the_same_trainings(tmp_path):
    (figure,) = draw_curve_figures(STUDY, BUDGETS, TRIALS, EPOCHS, tmp_path)
    assert "the ends of the settings (1, 2, 5, 10 and 20); all read the same trainings." in figure.caption


def test_each_panel_names_the_epoch_of_its_means_lowest_loss(tmp_path):
    study, exercise, trials, epochs = sweep("filters", (8, 16))
    epochs = [changed(each, validation_loss=0.3 + 0.01 * abs(each.epoch - 3)) for each in epochs]
    (figure,) = draw_curve_figures(study, exercise, trials, epochs, tmp_path)
    assert figure.svg.read_text().count("<!-- lowest: epoch 3 -->") == 2


def test_collapsed_trainings_are_marked_and_the_caption_says_them(tmp_path):
    study, exercise, trials, epochs = sweep("learning_rate", (0.1, 0.01, 0.001), repeats=4)
    (figure,) = draw_curve_figures(study, exercise, trials, collapse(trials, epochs, 0.1, {1, 3}), tmp_path)
    assert "at 0.1: accuracy of 2 of 4, lowest 10.0%, loss of 2 of 4, highest 2.3 nats" in figure.caption
    assert_is_picture(figure)


def test_a_setting_whose_trainings_all_collapsed_leaves_the_figure_to_the_others(tmp_path):
    study, exercise, trials, epochs = sweep("filters", (8, 16, 32, 64))
    epochs = collapse(trials, epochs, 64, {1, 2}, start=1)
    (figure,) = draw_curve_figures(study, exercise, trials, epochs, tmp_path)
    assert "at 64: accuracy of 2 of 2" in figure.caption
    assert_is_picture(figure)


def test_losses_beyond_a_factor_of_ten_are_drawn_on_a_log_scale(tmp_path):
    study, exercise, trials, epochs = sweep("filters", (8, 16))
    epochs = [changed(each, validation_loss=each.validation_loss * each.epoch**2) for each in epochs]
    (figure,) = draw_curve_figures(study, exercise, trials, epochs, tmp_path)
    assert "log scale" in figure.svg.read_text()
    assert_is_picture(figure)


@pytest.mark.parametrize("count", [1, 2, 6, 12])
def test_any_number_of_values_is_drawn(tmp_path, count):
    study, exercise, trials, epochs = sweep("filters", tuple(range(4, 4 + 4 * count, 4)))
    (figure,) = draw_curve_figures(study, exercise, trials, epochs, tmp_path)
    assert_is_picture(figure)
    assert ("the most accurate setting" in figure.alt) == (count == 12)


@pytest.mark.parametrize(("parameter", "values"), [("filters", (8, 16)), ("epochs", (1,))])
def test_trainings_of_a_single_epoch_and_a_single_repeat_are_drawn(tmp_path, parameter, values):
    fixed = {} if parameter == "epochs" else {"epochs": 1}
    study, exercise, trials, epochs = sweep(parameter, values, repeats=1, fixed=fixed)
    (figure,) = draw_curve_figures(study, exercise, trials, epochs, tmp_path)
    assert "n = 1 a setting" in figure.caption
    assert_is_picture(figure)


def test_many_repeats_and_many_budgets_are_drawn(tmp_path):
    study, exercise, trials, epochs = sweep("epochs", tuple(range(1, 13)), repeats=35)
    (figure,) = draw_curve_figures(study, exercise, trials, epochs, tmp_path)
    assert_is_picture(figure)


def test_the_smoke_study_is_drawn(tmp_path):
    smoke = read_study("smoke")
    for exercise in smoke.sweeps:
        (figure,) = draw_curve_figures(smoke, exercise, make_trials(smoke), make_epochs(smoke), tmp_path)
        assert_is_picture(figure)


def test_failed_trials_are_said_and_a_setting_without_a_completed_one_keeps_its_name(tmp_path):
    failed = {(2, 64.0, repeat) for repeat in range(1, 6)} | {(2, 8.0, 1)}
    (figure,) = draw_curve_figures(STUDY, FILTERS, make_trials(failed=failed), EPOCHS, tmp_path)
    assert "Failed trials, not drawn: 1 at 8, 5 at 64." in figure.caption
    assert "n = 0 to 5 a setting" in figure.caption
    assert "at 64" not in figure.alt
    assert_is_picture(figure)


@pytest.mark.parametrize("exercise", [FILTERS, BUDGETS], ids=["filters", "epochs"])
def test_an_exercise_without_a_completed_trial_has_no_curves_and_a_warning(tmp_path, caplog, exercise):
    trials = [each for each in TRIALS if each.exercise != exercise.number]
    with caplog.at_level(logging.WARNING):
        assert draw_curve_figures(STUDY, exercise, trials, EPOCHS, tmp_path) == []
    assert f"exercise {exercise.number}: no completed trial, no learning curves" in caplog.text
    assert not list(tmp_path.iterdir())


def test_the_order_of_trainings_changes_nothing_of_means_and_axes():
    one = curves_of([80.0, 85.0], [81.0, 86.0], losses=[[0.5, 0.4], [0.6, 0.5]])
    other = replace(one, accuracies=one.accuracies[::-1], losses=one.losses[::-1])
    assert mean_line(one.accuracies) == mean_line(other.accuracies)
    assert accuracy_span([one]) == accuracy_span([other])
    assert loss_span([one]) == loss_span([other])
