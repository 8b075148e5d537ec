import pytest
from pydantic import TypeAdapter

from study.conclusions.answers import Answer
from study.conclusions.sweep_answer import answer_sweep, count_epochs
from study.records.readings import Curve, Measured, SettingReadings, Sweep, Times
from study.spec.exercises import Exercise
from study.spec.setting import Setting
from study.spec.sweeps import ParameterSweep, SweepExercise

BASELINE = Setting()
STEADY = (0.001, -0.001, 0.002, -0.002, 0.0)


def _around(mean: float, repeats: int = 5, failed: int = 0) -> SettingReadings:
    return SettingReadings({seed: mean + STEADY[seed - 1] for seed in range(1, repeats + 1)}, failed=failed)


def _answer(
    parameter: str,
    readings: Sweep,
    baseline: Setting = BASELINE,
    times: dict[float, Times] | None = None,
    curve: Curve | None = None,
    **changes: object,
) -> Answer:
    told = {"number": 2, "kind": "sweep", "title": "T", "question": "Q?", "repeats": 5, **changes}
    exercise = ParameterSweep(parameter=parameter, values=tuple(readings), **told)
    return answer_sweep(exercise, baseline, Measured(readings, times or {}, curve))


def _means(*means: float, repeats: int = 5) -> Sweep:
    """Readings around these means, of the values 1, 2, 3, ..."""
    return {float(value): _around(mean, repeats) for value, mean in enumerate(means, start=1)}


@pytest.mark.parametrize(
    ("means", "shape"),
    [
        ((0.72, 0.90, 0.82), "Accuracy rises from 72.0% (1) to 90.0% (2) and falls to 82.0% (3)."),
        ((0.88, 0.89, 0.90), "Accuracy rises from 88.0% (1) to 90.0% (3)."),
        ((0.88, 0.8999, 0.90), "Accuracy rises from 88.0% (1) to 90.0% (3); from 2 on it levels off."),
        ((0.88, 0.8975, 0.90), "Accuracy rises from 88.0% (1) to 90.0% (3)."),
        ((0.88, 0.90, 0.8999), "Accuracy rises from 88.0% (1) to 90.0% (2) and then no further (90.0% (3))."),
        ((0.90, 0.89, 0.88), "Accuracy falls from 90.0% (1) to 88.0% (3)."),
        ((0.8999, 0.90, 0.88), "Accuracy falls from 90.0% (2) to 88.0% (3)."),
        ((0.90, 0.8999, 0.9001), "No certain change: the means lie between 90.0% (2) and 90.0% (3)."),
        ((1.0, 1.0, 1.0), "No change: every mean is 100.0%."),
        ((0.90, 0.88, 0.8999), "Accuracy is highest, 90.0% (1), and lowest, 88.0% (2)."),
    ],
)
def test_first_comes_how_accuracy_changes_over_the_values(means: tuple[float, ...], shape: str):
    readings = _means(*means)
    assert _answer("filters", readings).headline.startswith(f"{shape} Best is ")
    backwards = dict(reversed(readings.items()))
    assert _answer("filters", backwards).headline.startswith(shape)


def test_a_trend_that_no_pair_shows_is_only_a_tendency():
    spread = (0.004, -0.004, 0.002, -0.002, 0.0)
    readings = {
        float(value): SettingReadings(
            {seed: 0.89 + 0.0016 * value + each for seed, each in enumerate(spread)}
        )
        for value in range(1, 6)
    }
    answer = _answer("filters", readings)
    assert answer.headline.startswith(
        "Accuracy tends to rise, from 89.2% (1) to 89.8% (5). Best is 89.80% with 5 filters"
    )
    assert answer.details[0].startswith("Over all values in order, accuracy rises (Kendall's tau 0.")


def test_where_two_others_differ_it_does_not_say_that_nothing_changes():
    # The best varies so much that none is significantly lower; the two steady ones differ.
    wide = SettingReadings(dict(enumerate((0.85, 0.95, 0.9, 0.89, 0.93))))
    readings = {1.0: _around(0.89), 2.0: wide, 3.0: _around(0.90)}
    headline = _answer("filters", readings).headline
    assert headline.startswith("Accuracy is highest, 90.4% (2), and lowest, 89.0% (1). Best is 90.40% with 2")
    assert "no other value differs significantly from it" in headline


def test_a_trend_is_not_told_where_accuracy_turns():
    spread = (0.02, -0.02, 0.01, -0.01, 0.0)
    low = {
        float(value): SettingReadings({s: 0.6 + 0.05 * value + e for s, e in enumerate(spread)})
        for value in (1, 2, 3)
    }
    readings = low | {4.0: _around(0.9), 5.0: _around(0.85)}
    details = _answer("filters", readings).details
    assert not [each for each in details if "rises" in each or "falls" in each]


@pytest.mark.parametrize(
    ("means", "words"),
    [
        ((0.72, 0.90, 0.82), "; every other value is lower than it."),
        ((0.88, 0.8999, 0.90), "; 2 does not differ significantly from it."),
        ((0.8998, 0.8999, 0.90, 0.88), "; 1 and 2 do not differ significantly from it."),
        ((0.90, 0.8999, 0.9001), "; no other value differs significantly from it."),
    ],
)
def test_then_the_best_with_its_mean_and_what_does_not_differ_from_it(means: tuple[float, ...], words: str):
    readings = _means(*means)
    headline = _answer("filters", readings).headline
    assert headline.endswith(words)
    assert "Best is 90.0" in headline
    assert " (n=5, 95% interval 89." in headline


def test_budgets_of_epochs_are_compared_with_the_longest_seed_by_seed():
    # Seeds differ by far more than budgets do; within each seed the longer budget is always better.
    seeds = (0.86, 0.88, 0.90, 0.92)
    short = SettingReadings(dict(enumerate(seeds)))
    long = SettingReadings({seed: mean + 0.005 + 0.0001 * seed for seed, mean in enumerate(seeds)})
    paired = _answer("epochs", {5: short, 10: long})
    assert paired.headline.startswith("Accuracy rises from 89.0% (5) to 89.5% (10).")
    unpaired = _answer("filters", {5: short, 10: long})
    assert unpaired.headline.startswith("No certain change")


def test_where_a_middle_budget_is_best_the_others_are_still_compared_with_the_longest():
    wobbling = SettingReadings({seed: 0.8999 - each for seed, each in enumerate(STEADY, start=1)})
    readings = {1: _around(0.86), 5: _around(0.9), 20: wobbling}
    headline = _answer("epochs", readings).headline
    assert "to 90.0% (5) and then no further (90.0% (20)). Best is 90.00% with 5 epochs" in headline
    assert headline.endswith("; 5 does not differ significantly from 20 epochs.")


def test_budgets_that_a_schedule_is_stretched_over_are_not_compared_seed_by_seed():
    readings = {5: _around(0.87), 10: _around(0.88), 20: _around(0.89)}
    cosine, constant = {"schedule": "cosine"}, {"schedule": "constant"}
    assert "Kendall's tau" in _answer("epochs", readings, Setting(**cosine)).details[0]
    assert "Kendall's tau" in _answer("epochs", readings, fixed=cosine).details[0]
    assert "Page's L" in _answer("epochs", readings, Setting(**cosine), fixed=constant).details[0]


@pytest.mark.parametrize(
    ("parameter", "readings", "words"),
    [
        (
            "filters",
            {8: _around(0.88, repeats=1), 16: _around(0.9, repeats=1)},
            "The highest is 90.10% with 16 filters (n=1), but a single repeat supports no conclusion.",
        ),
        (
            "epochs",
            {1: _around(0.88)},
            "with 1 epoch (n=5, 95% interval 87.80 to 88.20), the only value measured.",
        ),
        (
            "filters",
            {8: SettingReadings(failed=5), 16: SettingReadings(failed=5)},
            "No conclusion: every trial failed.",
        ),
    ],
)
def test_nothing_is_concluded_of_one_repeat_one_value_or_none(parameter: str, readings: Sweep, words: str):
    assert _answer(parameter, readings).headline.endswith(words)


def test_failed_trials_are_counted_and_a_value_without_readings_is_not_compared():
    readings = {8: _around(0.88, repeats=4, failed=1), 16: _around(0.9), 32: SettingReadings(failed=2)}
    details = _answer("filters", readings).details
    assert "Not compared, having fewer than two completed repeats: 32." in details
    assert details[-1] == "3 trials failed and are left out: 1 with 8 filters and 2 with 32 filters."


COLLAPSING = SettingReadings({1: 0.85, 2: 0.1, 3: 0.84})
COLLAPSE = (
    "With learning rate 0.1, 1 of 3 trials collapsed (20% or less, near guessing); the mean of the others is "
    "84.50%."
)


def test_a_setting_with_a_collapsed_trial_is_named_and_takes_no_part_in_the_rest():
    headline = _answer(
        "learning_rate", {0.001: _around(0.8, 3), 0.01: _around(0.9, 3), 0.1: COLLAPSING}
    ).headline
    assert headline.startswith("Accuracy rises from 80.1% (0.001) to 90.1% (0.01). Best is 90.07%")
    assert headline.endswith(f"; every other value without a collapse is lower than it. {COLLAPSE}")


def test_where_too_few_settings_are_left_those_with_collapses_take_part_and_no_limit_is_told():
    answer = _answer("learning_rate", {0.1: COLLAPSING, 0.01: _around(0.9, repeats=3)})
    assert answer.headline.endswith(f"; no other value differs significantly from it. {COLLAPSE}")
    assert answer.limits == ()


def test_the_limit_says_which_differences_so_many_repeats_miss():
    readings = {8: _around(0.88), 16: _around(0.9, repeats=4), 32: _around(0.9)}
    (limit,) = _answer("filters", readings).limits
    assert limit.startswith("With 4 to 5 repeats, a difference from the best below about 0.")
    assert limit.endswith(" points is missed in more than one study of 5.")


def test_convergence_is_told_in_epochs_and_seconds_and_how_many_did_not():
    readings = _means(0.88, 0.90)
    times = {
        1.0: Times(epochs=(6, 7, 7), seconds=(12.0, 14.0, 14.5), open_epochs=(9,), open_seconds=(18.0,)),
        2.0: Times(open_epochs=(5, 5, 5, 5), open_seconds=(9.0, 9.0, 9.0, 9.0)),
    }
    headline = _answer("filters", readings, times=times).headline
    assert headline.endswith(
        " Median time to convergence: 7 epochs (14.2 s) with 1; 5 of 8 trials did not converge."
    )
    none = _answer("filters", readings, times={2.0: times[2.0]}).headline
    assert none.endswith(
        " No trial converged within 5 epochs: each of 4 trials still improved in its last 3."
    )
    few = _answer("filters", readings, BASELINE.with_changes({"epochs": 3}), {2.0: times[2.0]})
    assert few.headline.endswith(" No trial converged within 3 epochs: to see that takes 4 at least.")


def test_a_sweep_over_epochs_tells_the_convergence_of_the_longest_and_where_it_overfits():
    readings = {5: _around(0.88), 20: _around(0.90)}
    times = {
        5: Times(open_epochs=(5, 5), open_seconds=(9.0, 9.0)),
        20: Times(epochs=(6, 8), seconds=(12.0, 16.0)),
    }
    curve = Curve((0.5, 0.4, 0.3, 0.31, 0.36), 0.9312)
    headline = _answer("epochs", readings, times=times, curve=curve).headline
    assert headline.endswith(
        " Median time to convergence: 7 epochs (14.0 s) with 20. Validation loss is lowest after 3 epochs "
        "(0.30) and rises to 0.36 after 5, while training accuracy reaches 93.12%: the network overfits."
    )
    flat = _answer("epochs", readings, curve=Curve((0.5, 0.3, 0.301), 0.9)).headline
    assert "overfits" not in flat


def test_a_control_is_compared_with_all_others_together_and_with_those_planned():
    readings = {0.0: _around(0.88), 0.1: _around(0.884), 0.2: _around(0.886), 0.3: _around(0.885)}
    compared = {"control": 0.0, "planned": (0.2,)}
    times = {value: Times(epochs=(12, 13, 14, 15), seconds=(1.0,) * 4) for value in (0.1, 0.2, 0.3)}
    times[0.0] = Times(epochs=(6, 7, 7, 7), seconds=(1.0,) * 4)
    answer = _answer("dropout", readings, times=times, **compared)
    headline = answer.headline
    assert "Against dropout 0, dropout changes accuracy by +0.50 points on average (95% interval " in headline
    assert " and +0.60 points with 0.2 (95% interval +0." in headline
    assert (
        "Convergence takes longer with it: a median of 13.5 epochs (1.0 s) with, 7 epochs (1.0 s) without "
        in headline
    )
    assert "Median time" not in headline
    assert not [each for each in answer.details if "Median time" in each]
    alike = _answer("dropout", readings, times=dict.fromkeys(readings, times[0.0]), **compared).headline
    assert (
        "It does not certainly change convergence: a median of 7 epochs (1.0 s) with, 7 epochs (1.0 s) "
        in alike
    )
    assert "Against" not in _answer("dropout", readings).headline


def test_half_an_epoch_is_told_as_it_is():
    assert [count_epochs(each) for each in (1.0, 8.0, 8.5)] == ["1 epoch", "8 epochs", "8.5 epochs"]


def _ask(told: dict[str, object], *means: float, spread: tuple[float, ...] = STEADY) -> Answer:
    """The answer to a sweep of another form, from readings around the means of its settings in order."""
    told = {"number": 2, "kind": "sweep", "title": "T", "question": "Q?", "repeats": 5, **told}
    exercise = TypeAdapter[SweepExercise](Exercise).validate_python(told)
    readings = {
        level: SettingReadings(dict(enumerate(mean + each for each in spread)))
        for level, mean in zip(exercise.levels, means, strict=True)
    }
    return answer_sweep(exercise, BASELINE, Measured(readings, {}))


def test_words_neither_rise_nor_fall_and_have_no_trend():
    told = {
        "parameter": "optimizer",
        "values": ["sgd", "adam", "rmsprop"],
        "control": "sgd",
        "planned": ["adam"],
    }
    answer = _ask(told, 0.86, 0.88, 0.90)
    assert answer.headline.startswith(
        "Accuracy is highest, 90.0% (rmsprop), and lowest, 86.0% (sgd). Best is 90.00% with optimizer "
        "rmsprop (n=5"
    )
    assert "; every other value is lower than it. Against optimizer sgd, the others change" in answer.headline
    assert "and +2.00 points with adam (95%" in answer.headline
    assert answer.details == ()


def test_combinations_that_go_together_are_named_by_all_their_values():
    told = {"zip": {"learning_rate": [0.1, 0.01], "batch_size": [32, 128]}}
    headline = _ask(told, 0.88, 0.90).headline
    assert headline.startswith(
        "Accuracy is highest, 90.0% (learning rate 0.01 and batches of 128), and lowest, 88.0% (learning "
        "rate 0.1 and batches of 32). Best is 90.00% with learning rate 0.01 and batches of 128 (n=5, "
    )
    assert headline.endswith("; every other combination is lower than it.")


GRID = {"grid": {"filters": [8, 32], "schedule": ["constant", "cosine"]}}


def test_a_grid_whose_parameters_interact_says_so_with_the_size_of_it_and_both_averages():
    answer = _ask(GRID, 0.80, 0.81, 0.84, 0.88)
    assert answer.headline.endswith(
        "every other combination is lower than it. Filters and schedule interact: from schedule constant to "
        "schedule cosine, accuracy changes by +1.00 points with 8 filters and by +4.00 with 32 filters, a "
        "difference of +3.00 points (95% interval +3.00 to +3.00, p below 0.001)."
    )
    assert answer.details == (
        "32 filters instead of 8 filters changes accuracy by +5.50 points on average over schedule "
        "(95% interval +5.50 to +5.50, p below 0.001).",
        "Schedule cosine instead of schedule constant changes accuracy by +2.50 points on average over "
        "filters (95% interval +2.50 to +2.50, p below 0.001). They interact, so an average need not hold "
        "for each value.",
    )


def test_a_grid_without_an_interaction_says_what_these_repeats_would_miss():
    wide = (0.02, -0.02, 0.01, -0.01, 0.0)
    told = {"number": 2, "kind": "sweep", "title": "T", "question": "Q?", "repeats": 5, **GRID}
    exercise = TypeAdapter[SweepExercise](Exercise).validate_python(told)
    shifted = [wide[place:] + wide[:place] for place in range(4)]
    readings = {
        level: SettingReadings(dict(enumerate(0.85 + each for each in spread)))
        for level, spread in zip(exercise.levels, shifted, strict=True)
    }
    answer = answer_sweep(exercise, BASELINE, Measured(readings, {}))
    assert ". No certain interaction of filters and schedule: from schedule constant to" in answer.headline
    assert answer.limits[-1].startswith("With 5 repeats, an interaction below about ")
    assert not any("They interact" in each for each in answer.details)


def test_combinations_that_collapsed_take_no_part_in_the_test_of_an_interaction():
    told = {"grid": {"filters": [8, 32], "batch_size": [8, 32, 128]}}
    some = _ask(told, 0.10, 0.80, 0.81, 0.85, 0.84, 0.88).headline
    assert (
        "Filters and batch size interact, without the combinations that collapsed or lack repeats: from "
        in some
    )
    few = _ask(told, 0.10, 0.80, 0.81, 0.10, 0.10, 0.88).headline
    assert "Whether filters and batch size interact was not tested: too few combinations have two" in few


def test_of_many_combinations_the_answer_counts_those_that_do_not_differ():
    told = {"grid": {"filters": [8, 32], "batch_size": [8, 32, 128]}}
    headline = _ask(told, 0.90, 0.8999, 0.8999, 0.8999, 0.8999, 0.80).headline
    assert "; 4 of the other 5 do not differ significantly from it." in headline
