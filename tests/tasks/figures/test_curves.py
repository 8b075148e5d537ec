"""The learning curves of a sweep: what is plotted, as plain values; and the files that are drawn."""

import logging

import pytest

from study.spec.sweeps import ParameterSweep
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
    exercise = ParameterSweep(
        number=9, kind="sweep", title="t", question="q?", parameter=parameter, values=values,
        repeats=repeats, fixed=fixed or {},
    )  # fmt: skip
    study = STUDY.model_copy(update={"exercises": (exercise,), "published": None})
    return study, exercise, make_trials(study), make_epochs(study)


def collapse(trials, epochs, value, repeats, start):
    """The epochs, in which some trainings of exercise 9 guess from an epoch on."""
    keys = {each.key for each in trials if each.value == value and each.repeat in repeats}
    return [
        changed(each, validation_accuracy=0.1, validation_loss=2.303)
        if each.key in keys and each.epoch >= start
        else each
        for each in epochs
    ]


def draw(folder, study, exercise, trials, epochs):
    (figure,) = draw_curve_figures(study, exercise, trials, epochs, folder)
    assert_is_picture(figure)
    return figure


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
    caption = draw(tmp_path, STUDY, BUDGETS, trials, EPOCHS).caption
    assert "(1, 2, 5 and 10); all read the same trainings. No trial of 20 epochs was completed." in caption


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
    figure = draw(tmp_path / "figures", STUDY, exercise, TRIALS, EPOCHS)
    assert (figure.name, figure.exercise) == (f"exercise-{exercise.number}-curves", exercise.number)
    assert "Validation accuracy and loss after each epoch; n = " in figure.caption
    stopped_early = "a mean ends with the first of its trainings to do so"
    shared = "the ends of the settings (1, 2, 5, 10 and 20); all read the same trainings."
    assert (stopped_early in figure.caption) == (exercise is DROPOUT)
    assert (shared in figure.caption) == (exercise is BUDGETS)
    assert len(list((tmp_path / "figures").iterdir())) == 2


def test_each_panel_names_the_epoch_of_its_means_lowest_loss(tmp_path):
    study, exercise, trials, epochs = sweep("filters", (8, 16))
    epochs = [changed(each, validation_loss=0.3 + 0.01 * abs(each.epoch - 3)) for each in epochs]
    figure = draw(tmp_path, study, exercise, trials, epochs)
    assert figure.svg.read_text().count("<!-- lowest: epoch 3 -->") == 2


@pytest.mark.parametrize(
    ("repeats", "collapsed", "start", "said"),
    [
        (4, {1, 3}, 2, "of 2 of 4, lowest 10.0%, loss of 2 of 4, highest 2.3 nats"),
        (2, {1, 2}, 1, "of 2 of 2"),
    ],
    ids=["some", "all of a setting"],
)
def test_collapsed_trainings_are_marked_and_the_caption_says_them(tmp_path, repeats, collapsed, start, said):
    study, exercise, trials, epochs = sweep("learning_rate", (0.1, 0.01, 0.001), repeats)
    figure = draw(tmp_path, study, exercise, trials, collapse(trials, epochs, 0.1, collapsed, start))
    assert f"at 0.1: accuracy {said}" in figure.caption


def test_losses_beyond_a_factor_of_ten_are_drawn_on_a_log_scale(tmp_path):
    study, exercise, trials, epochs = sweep("filters", (8, 16))
    epochs = [changed(each, validation_loss=each.validation_loss * each.epoch**2) for each in epochs]
    assert "log scale" in draw(tmp_path, study, exercise, trials, epochs).svg.read_text()


@pytest.mark.parametrize(
    ("parameter", "values", "repeats", "fixed"),
    [
        *(("filters", tuple(range(4, 4 + 4 * count, 4)), 2, {}) for count in (1, 2, 6, 12)),
        ("filters", (8, 16), 1, {"epochs": 1}),
        ("epochs", (1,), 1, {}),
        ("epochs", tuple(range(1, 13)), 35, {}),
    ],
)
def test_any_number_of_values_repeats_and_epochs_is_drawn(tmp_path, parameter, values, repeats, fixed):
    figure = draw(tmp_path, *sweep(parameter, values, repeats, fixed))
    assert f"n = {repeats} a setting" in figure.caption
    assert ("the most accurate setting" in figure.alt) == (parameter == "filters" and len(values) == 12)


def test_failed_trials_are_said_and_a_setting_without_a_completed_one_keeps_its_name(tmp_path):
    failed = {(2, 64.0, repeat) for repeat in range(1, 6)} | {(2, 8.0, 1)}
    figure = draw(tmp_path, STUDY, FILTERS, make_trials(failed=failed), EPOCHS)
    assert "Failed trials, not drawn: 1 at 8, 5 at 64." in figure.caption
    assert "n = 0 to 5 a setting" in figure.caption
    assert "at 64" not in figure.alt


@pytest.mark.parametrize("exercise", [FILTERS, BUDGETS], ids=["filters", "epochs"])
def test_an_exercise_without_a_completed_trial_has_no_curves_and_a_warning(tmp_path, caplog, exercise):
    trials = [each for each in TRIALS if each.exercise != exercise.number]
    with caplog.at_level(logging.WARNING):
        assert draw_curve_figures(STUDY, exercise, trials, EPOCHS, tmp_path) == []
    assert f"exercise {exercise.number}: no completed trial, no learning curves" in caplog.text
    assert not list(tmp_path.iterdir())
