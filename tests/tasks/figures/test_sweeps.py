"""The figures: what is plotted, as plain values; and the files that are drawn."""

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from study.image_facts import ImageFacts
from study.spec.published import read_averages
from study.spec.sweeps import ParameterSweep
from tasks.figures.model import (
    draw_confusion,
    draw_learning_curves,
    epochs_of_model,
    lowest_loss_epoch,
    row_shares,
)
from tasks.figures.points import (
    FAR_POINTS,
    AccuracyPoint,
    accuracy_axis,
    accuracy_points,
    convergence_points,
    readings_floor,
)
from tasks.figures.style import parameter_axis
from tasks.figures.sweeps import accuracy_words, draw_sweep_figures
from tests.rows import make_chosen_model, make_epochs, make_study, make_summary, make_trials
from tests.small_run import changed
from tests.tasks.figures.pictures import assert_is_picture

STUDY = make_study()
AVERAGES = read_averages(STUDY.published)
TRIALS = make_trials()
FIRST_REPEATS = [each for each in TRIALS if each.repeat == 1]
FILTERS, _, EPOCHS, RATES, DROPOUT = STUDY.sweeps


def point(*readings, **others):
    return AccuracyPoint(1.0, readings, **others)


def with_values(exercise, values):
    return exercise.model_copy(update={"values": tuple(values)})


def points_of(exercise, trials, averages=AVERAGES):
    return accuracy_points(exercise, trials, make_summary(trials, averages), averages)


def draw(exercise, trials, folder, averages=AVERAGES, study=STUDY):
    return draw_sweep_figures(study, exercise, trials, make_summary(trials, averages), averages, folder)


def assert_are_pictures(figures):
    for figure in figures:
        assert_is_picture(figure)


# What is plotted


def test_every_setting_has_a_point_with_its_readings_in_percent_by_value_and_in_the_order_of_repeats():
    assert [each.value for each in points_of(RATES, TRIALS)] == [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
    trials = make_trials(readings={(2, 64.0): [0.91, 0.89, 0.90, 0.88, 0.92]})
    points = points_of(FILTERS, trials[::-1])
    assert [each.value for each in points] == [8, 16, 32, 64, 128]
    assert points[3].readings == pytest.approx((91, 89, 90, 88, 92))
    assert points[3].mean == pytest.approx(90)
    assert points[3].published == pytest.approx(90.258)
    assert points[3].high - points[3].mean == pytest.approx(2.776 * math.sqrt(2.5 / 5), abs=1e-3)


def test_a_failed_trial_is_counted_and_not_plotted():
    points = points_of(FILTERS, make_trials(failed={(2, 64.0, 2)}))
    assert (len(points[3].readings), points[3].failed) == (4, 1)


def test_a_setting_that_was_never_tried_keeps_an_empty_place():
    points = points_of(FILTERS, [each for each in TRIALS if each.value != 64], averages={})
    assert points[3] == AccuracyPoint(64.0)


def test_convergence_is_in_epochs_and_trials_that_did_not_converge_stand_apart():
    points = convergence_points(EPOCHS, TRIALS, make_summary(TRIALS))
    assert [(len(each.converged), len(each.still_open)) for each in points[2:]] == [(0, 4), (3, 1), (4, 0)]
    assert points[4].median == np.median(points[4].converged)
    assert points[0].median is None


def test_a_failed_trial_neither_converged_nor_did_not():
    trials = make_trials(failed={(6, 0.2, 1)})
    assert convergence_points(DROPOUT, trials, make_summary(trials))[2].trials == 3


# The accuracy axis


@pytest.mark.parametrize(
    ("readings", "floor"),
    [
        ([10.0, 88.0, 88.5, 89.0], 88.0),
        ([10.0, 10.0, 88.0, 88.5, 89.0], 88.0),
        ([10.0, 67.0, 72.0, 83.0, 89.0], 67.0),
        ([10.0, 60.0, 88.0, 88.0, 89.0, 89.0], 88.0),
        ([67.0, 72.0, 83.0, 87.0, 89.0], 67.0),
        ([88.0 - FAR_POINTS, 88.0, 88.5], 88.0 - FAR_POINTS),
        ([10.0, 88.0], 10.0),
        ([10.0, 10.0, 10.0], 10.0),
        ([10.0], 10.0),
        ([], -math.inf),
    ],
)
def test_readings_are_far_below_when_few_and_over_twenty_points_and_two_ranges_under_the_rest(
    readings, floor
):
    assert readings_floor(readings) == floor


COLLAPSED = [point(88.0, 88.5), point(10.0, 89.0, mean=49.5, low=-450, high=550)]


@pytest.mark.parametrize(
    ("points", "low", "high"),
    [
        (COLLAPSED, (85, 88), (89, 91)),
        ([point(88.0, 89.0, mean=88.5, low=87.6, high=89.4, published=90.5)], (85, 87.6), (90.5, 93)),
        ([point(88.0, 89.0, mean=88.5, low=82.1, high=94.9)], (86, 88), (89, 91)),
    ],
    ids=["collapsed reading", "published average and short error bar", "long error bar"],
)
def test_the_axis_shows_all_but_collapsed_readings_and_error_bars_much_longer_than_the_spread(
    points, low, high
):
    axis = accuracy_axis(points)
    assert low[0] < axis.low < low[1]
    assert high[0] < axis.high < high[1]
    assert axis.floor == 88.0


def test_the_axis_never_leaves_zero_to_a_hundred_percent():
    assert (accuracy_axis([point(99.9, 100.0)]).high, accuracy_axis([point(0.0)]).low) == (100, 0)
    empty = accuracy_axis([point()])
    assert (empty.low, empty.high) == (0, 100)


# The parameter axis


def test_learning_rates_lie_on_a_log_scale_counts_in_equal_steps_and_dropout_to_scale():
    axis = parameter_axis(RATES)
    assert axis.spacing == "log"
    assert axis.place(0.01) == pytest.approx(0.01)
    assert axis.place(0.01, 0.5) == pytest.approx(10**-1.5)
    assert [parameter_axis(FILTERS).place(value) for value in (8, 16, 128)] == [0, 1, 4]
    assert parameter_axis(DROPOUT).place(0.3) == pytest.approx(0.3)
    assert math.isfinite(parameter_axis(with_values(RATES, [0.01])).place(0.01, 0.5))


@pytest.mark.parametrize(
    ("exercise", "values", "label", "turn"),
    [
        (RATES, ["0.00001", "0.0001", "0.001", "0.01", "0.1"], "Learning rate, log scale", 0),
        (EPOCHS, ["1", "2", "5", "10", "20"], "Epochs, in equal steps", 0),
        (DROPOUT, ["0", "0.1", "0.2", "0.3", "0.4", "0.5"], "Dropout rate (fraction of units)", 0),
        (with_values(FILTERS, range(4, 84, 4)), None, "Filters, in equal steps", 90),
    ],
    ids=["learning rate", "epochs", "dropout", "many"],
)
def test_the_axis_writes_values_as_the_text_does_and_says_how_they_are_spaced(exercise, values, label, turn):
    axes, axis = Figure().add_subplot(), parameter_axis(exercise)
    axis.show(axes, [""] * len(axis.values))
    ticks = axes.get_xticklabels()
    assert values is None or [each.get_text() for each in ticks] == values
    assert {each.get_rotation() for each in ticks} == {turn}
    assert axes.get_xlabel() == label


# What is drawn of a sweep


@pytest.mark.parametrize("exercise", STUDY.sweeps, ids=lambda each: each.parameter)
def test_every_exercise_has_a_figure_of_accuracy_and_only_dropout_one_of_convergence(tmp_path, exercise):
    figures = draw(exercise, TRIALS, tmp_path / "figures")
    kinds = ["accuracy", "convergence"] if exercise is DROPOUT else ["accuracy"]
    assert [each.name for each in figures] == [f"exercise-{exercise.number}-{kind}" for kind in kinds]
    assert {each.exercise for each in figures} == {exercise.number}
    assert_are_pictures(figures)
    assert len(list((tmp_path / "figures").iterdir())) == 2 * len(kinds)


def test_trials_that_did_not_converge_are_arrows_and_the_caption_counts_them(tmp_path):
    trials = [
        changed(each, converged=False, convergence_epoch=None, convergence_seconds=None)
        if (each.exercise, each.value) == (6, 0.5) and each.repeat < 3
        else each
        for each in TRIALS
    ]
    figure = draw(DROPOUT, trials, tmp_path)[1]
    assert "Arrows: the 2 of 24 trials that did not converge" in figure.caption
    assert "22 of 24 trials converged" in figure.alt
    assert "0.4" in figure.alt.partition("Medians")[2]
    assert "Arrows" not in draw(DROPOUT, TRIALS, tmp_path)[1].caption
    assert_is_picture(figure)


def test_another_reading_changes_the_figure(tmp_path):
    one = draw(RATES, make_trials(), tmp_path / "a")[0]
    two = draw(RATES, make_trials(readings={(5, 0.1): [0.75]}), tmp_path / "b")[0]
    assert one.png.read_bytes() != two.png.read_bytes()


def test_figures_drawn_in_threads_are_those_drawn_alone_and_leave_the_settings_alone(tmp_path):
    before = matplotlib.rcParams.copy()
    alone = [draw(each, TRIALS, tmp_path / "alone") for each in (FILTERS, RATES)]
    with ThreadPoolExecutor(2) as pool:
        threads = list(pool.map(lambda each: draw(each, TRIALS, tmp_path / "threads"), (FILTERS, RATES)))
    for one, other in zip(chain(*alone), chain(*threads), strict=True):
        assert one.png.read_bytes() == other.png.read_bytes()
        assert one.svg.read_bytes() == other.svg.read_bytes()
    assert matplotlib.rcParams.copy() == before


@pytest.mark.parametrize(
    ("exercise", "rows", "said"),
    [
        (
            FILTERS,
            {"failed": {(2, 64.0, repeat) for repeat in range(1, 6)}},
            ["Failed trials, not drawn: 5 at 64.", "n = 0 to 5 a setting"],
        ),
        (
            RATES,
            {"readings": {(5, 0.1): [0.1, 0.8, 0.81, 0.82]}},
            ["off the axis (at 0.1: 10.0%, mean 63.2%, 95% interval"],
        ),
    ],
    ids=["failed and absent", "collapsed"],
)
def test_failed_absent_and_collapsed_readings_are_drawn_and_said(tmp_path, exercise, rows, said):
    figures = draw(exercise, [each for each in make_trials(**rows) if each.value != 8], tmp_path)
    assert_are_pictures(figures)
    assert all(words in figures[0].caption for words in said)


def test_an_exercise_without_a_completed_trial_has_no_figure(tmp_path):
    assert draw(FILTERS, [each for each in TRIALS if each.exercise != 2], tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_single_repeats_are_drawn_without_error_bars(tmp_path):
    points = points_of(FILTERS, FIRST_REPEATS)
    assert all(each.mean == pytest.approx(each.readings[0]) for each in points)
    assert {(each.low, each.high) for each in points} == {(None, None)}
    figures = draw(FILTERS, FIRST_REPEATS, tmp_path)
    assert_are_pictures(figures)
    assert "A single reading has no interval." in figures[0].caption


def test_without_published_averages_the_caption_speaks_of_none(tmp_path):
    figures = draw(FILTERS, make_trials(), tmp_path, averages={})
    assert_are_pictures(figures)
    assert "ublished" not in figures[0].caption


def test_the_caption_says_how_many_readings_are_behind_the_published_averages():
    captions = [
        accuracy_words(each, parameter_axis(each), points_of(each, TRIALS), AVERAGES)[0]
        for each in STUDY.sweeps
    ]
    assert "Published averages: over 5 readings each." in captions[0]
    assert "The published report does not say over how many readings its averages are." in captions[1]
    assert "over 4 readings each. The published value at 0 is a single reading." in captions[4]


def test_a_study_of_a_single_value_is_drawn(tmp_path):
    for exercise in (FILTERS, RATES, DROPOUT):
        assert_are_pictures(draw(with_values(exercise, exercise.values[:1]), TRIALS, tmp_path))


def test_a_sweep_of_any_parameter_and_of_many_values_is_drawn(tmp_path):
    for parameter, values in {
        "kernel_size": tuple(range(1, 13)),
        "momentum": (0.0, 0.5, 0.9, 0.99),
        "learning_rate": (0.003, 0.01, 0.03, 0.1),
    }.items():
        sweep = ParameterSweep(
            number=9, kind="sweep", title="t", question="q?", parameter=parameter, values=values, repeats=3
        )
        study = STUDY.model_copy(update={"exercises": (sweep,), "published": None})
        assert_are_pictures(draw(sweep, make_trials(study), tmp_path, averages={}, study=study))


# What is drawn of the model


def draw_model(chosen, epochs, folder):
    return [draw_learning_curves(chosen, epochs, folder, 7), draw_confusion(chosen, folder, 8)]


def test_the_model_has_learning_curves_and_a_confusion_matrix(tmp_path):
    figures = draw_model(make_chosen_model(), make_epochs(), tmp_path)
    found = [(each.name, each.exercise) for each in figures]
    assert found == [("learning-curves", 7), ("confusion-matrix", 8)]
    assert_are_pictures(figures)
    assert "n = 10,000" in figures[1].caption
    assert "106 images of T-shirt/top taken for Shirt" in figures[1].alt


def test_learning_curves_end_where_the_model_ended_and_mark_the_first_lowest_validation_loss():
    chosen = make_chosen_model().model_copy(update={"epochs_run": 4})
    curves = epochs_of_model(chosen, make_epochs()[::-1])
    assert [each.epoch for each in curves] == [1, 2, 3, 4]
    losses = zip(curves, (0.5, 0.3, 0.4, 0.3), strict=True)
    assert lowest_loss_epoch([changed(each, validation_loss=loss) for each, loss in losses]) == 2


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_model_of_very_few_epochs_is_drawn(tmp_path, epochs):
    chosen = make_chosen_model().model_copy(update={"epochs_run": epochs})
    assert_are_pictures(draw_model(chosen, make_epochs(), tmp_path))


def test_a_class_without_test_images_has_an_empty_row():
    assert row_shares(np.array([[3, 1], [0, 0]])).tolist() == [[0.75, 0.25], [0, 0]]


def test_a_perfect_model_has_no_most_frequent_confusion(tmp_path):
    perfect = tuple(tuple(100 if i == j else 0 for j in range(10)) for i in range(10))
    chosen = make_chosen_model().model_copy(update={"confusion": perfect})
    matrix = draw_confusion(chosen, tmp_path, 8)
    assert matrix.alt.endswith("100.0% of the test images lie on the diagonal.")


def test_a_matrix_of_many_classes_names_some_of_them_and_says_so(tmp_path):
    names = tuple(f"kind {place}" for place in range(26))
    images = ImageFacts(height=8, width=8, class_names=names)
    confusion = tuple(tuple(9 if row == column else 0 for column in range(26)) for row in range(26))
    chosen = make_chosen_model().model_copy(update={"images": images, "confusion": confusion})
    drawn = draw_confusion(chosen, tmp_path, 8)
    assert drawn.caption.endswith("One class in 2 is named.")
    assert drawn.alt == "Confusion matrix of the 26 classes; 100.0% of the test images lie on the diagonal."
