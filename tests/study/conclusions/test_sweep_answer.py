from study.conclusions.answers import Answer, answer_sweep
from study.records.readings import SettingReadings, Sweep
from study.spec.exercises import SweepExercise
from study.spec.setting import Setting
from study.statistics.pairwise import compare_pairs

BASELINE = Setting()
STEADY = (0.001, -0.001, 0.002, -0.002, 0.0)


def _exercise(parameter: str, *values: float) -> SweepExercise:
    return SweepExercise(
        number=2, kind="sweep", title="T", question="Q?", parameter=parameter, values=values, repeats=5
    )


def _around(mean: float, repeats: int = 5, failed: int = 0) -> SettingReadings:
    return SettingReadings({seed: mean + STEADY[seed - 1] for seed in range(1, repeats + 1)}, failed=failed)


def _answer(exercise: SweepExercise, readings: Sweep, baseline: Setting = BASELINE) -> Answer:
    return answer_sweep(exercise, baseline, readings, test_images=10_000)


def test_a_clear_winner_is_named_with_its_mean_and_count():
    readings = {0.1: _around(0.82), 0.01: _around(0.90), 0.00001: _around(0.72)}
    answer = _answer(_exercise("learning_rate", *readings), readings)
    assert answer.headline == (
        "The highest mean accuracy, 90.00% (n=5; 95% interval 89.80 to 90.20), is with learning rate 0.01, "
        "and every other value is lower."
    )


def test_the_test_and_its_correction_are_named():
    readings = {0.1: _around(0.82), 0.01: _around(0.90), 0.00001: _around(0.72)}
    answer = _answer(_exercise("learning_rate", *readings), readings)
    assert (
        answer.details[0] == "Compared by Welch's t test at the 5% level with Holm's correction over 3 pairs."
    )


def test_all_values_together_are_tested_for_a_trend_in_their_order():
    rising = {8: _around(0.88), 16: _around(0.89), 32: _around(0.9)}
    (_, trend) = _answer(_exercise("filters", 32, 8, 16), rising).details
    assert trend.startswith("Over all values in order, accuracy rises with filters (Kendall's tau 0.8")
    falling = {32: rising[8], 16: rising[16], 8: rising[32]}
    assert "accuracy falls with" in _answer(_exercise("filters", *falling), falling).details[1]
    flat = {8: _around(0.9), 16: _around(0.9001), 32: _around(0.9)}
    assert "no trend is seen" in _answer(_exercise("filters", *flat), flat).details[1]
    paired = _answer(_exercise("epochs", *rising), rising).details[1]
    assert "Page's L" in paired


def test_values_that_cannot_be_told_apart_are_not_ranked():
    readings = {0.1: _around(0.9), 0.2: _around(0.9002), 0.3: _around(0.9001)}
    answer = _answer(_exercise("dropout", *readings), readings)
    assert answer.headline.endswith(
        "is with dropout 0.2, but 5 repeats show no significant difference from any other value."
    )
    assert "need not be equal: with 5 repeats only differences of at least 0.4 points" in answer.limits[0]
    assert "+0.02 points from dropout 0.1 to 0.2, would need" in answer.limits[1]


def test_values_near_the_best_are_kept_apart_from_those_below():
    readings = {8: _around(0.88), 16: _around(0.8999), 32: _around(0.9)}
    answer = _answer(_exercise("filters", *readings), readings)
    assert answer.headline.endswith("is with 32 filters; not significantly different: 16; lower: 8.")


def test_a_difference_that_only_an_uncorrected_test_sees_is_not_claimed():
    two = {8: _around(0.9), 16: _around(0.9025)}
    alone = _answer(_exercise("filters", *two), two)
    assert alone.headline.endswith("and the other value is lower.")
    five = two | {value: _around(0.9012) for value in (32, 64, 128)}
    among_many = _answer(_exercise("filters", *five), five)
    assert among_many.headline.endswith("show no significant difference from any other value.")


def test_budgets_of_epochs_are_compared_seed_by_seed():
    # Seeds differ by far more than budgets do; within each seed the longer budget is always better.
    seeds = (0.86, 0.88, 0.90, 0.92)
    short = SettingReadings(dict(enumerate(seeds)))
    long = SettingReadings({seed: mean + 0.005 + 0.0001 * seed for seed, mean in enumerate(seeds)})
    paired = _answer(_exercise("epochs", 5, 10), {5: short, 10: long})
    assert paired.headline.endswith("is with 10 epochs, and the other value is lower.")
    assert "a paired t test over equal seeds" in paired.details[0]
    unpaired = _answer(_exercise("filters", 5, 10), {5: short, 10: long})
    assert "show no significant difference from the other value" in unpaired.headline


def test_budgets_that_a_schedule_is_stretched_over_are_not_compared_seed_by_seed():
    readings = {5: _around(0.87), 10: _around(0.88), 20: _around(0.89)}
    budgets, cosine = _exercise("epochs", *readings), {"schedule": "cosine"}
    for exercise, baseline in (
        (budgets, Setting(schedule="cosine")),
        (budgets.model_copy(update={"fixed": cosine}), BASELINE),
    ):
        method, trend, *_ = _answer(exercise, readings, baseline).details
        assert method == "Compared by Welch's t test at the 5% level with Holm's correction over 3 pairs."
        assert "Page's L" not in trend
    constant = budgets.model_copy(update={"fixed": {"schedule": "constant"}})
    method, trend, *_ = _answer(constant, readings, Setting(schedule="cosine")).details
    assert method.endswith(", because fewer epochs are the beginning of the same training.")
    assert "Page's L" in trend


def test_pairs_are_made_by_seed_where_a_trial_failed():
    seeds = (0.86, 0.88, 0.90, 0.92)
    short = SettingReadings(dict(enumerate(seeds)))
    long = SettingReadings(
        {seed: mean + 0.01 + 0.0001 * seed for seed, mean in enumerate(seeds) if seed != 0}, failed=1
    )
    answer = _answer(_exercise("epochs", 5, 10), {5: short, 10: long})
    assert answer.headline.endswith("and the other value is lower.")


def test_a_single_repeat_bears_no_conclusion():
    readings = {8: _around(0.88, repeats=1), 16: _around(0.9, repeats=1)}
    answer = _answer(_exercise("filters", *readings), readings)
    assert answer.headline.endswith("is with 16 filters, but a single repeat supports no conclusion.")


def test_a_single_value_has_nothing_to_be_compared_with():
    answer = _answer(_exercise("epochs", 1), {1: _around(0.88)})
    assert answer.headline.endswith(
        "is with 1 epoch, the only value measured: there is nothing to compare it with."
    )


def test_nothing_is_concluded_when_every_trial_failed():
    readings = {8: SettingReadings(failed=5), 16: SettingReadings(failed=5)}
    answer = _answer(_exercise("filters", *readings), readings)
    assert answer.headline == "No conclusion: every trial failed."


def test_failed_trials_are_counted_where_they_failed():
    readings = {8: _around(0.88, repeats=4, failed=1), 16: _around(0.9, repeats=3, failed=2)}
    answer = _answer(_exercise("filters", *readings), readings)
    assert answer.details[-1] == "3 trials failed and are left out: 1 with 8 filters and 2 with 16 filters."


def test_a_value_without_readings_is_not_called_lower():
    readings = {8: _around(0.88), 16: _around(0.9), 32: SettingReadings(failed=5)}
    answer = _answer(_exercise("filters", *readings), readings)
    assert answer.headline.endswith("and the other value that was compared is lower.")
    assert "Not compared, having fewer than two completed repeats: 32." in answer.details


def test_a_collapsed_trial_is_said_to_hide_in_the_mean():
    readings = {0.1: SettingReadings({1: 0.85, 2: 0.1, 3: 0.84}), 0.01: _around(0.9, repeats=3)}
    answer = _answer(_exercise("learning_rate", *readings), readings)
    assert answer.details[-1] == (
        "With learning rate 0.1, 1 of 3 trials collapsed (at most 20.00%; guessing scores 10.00%), "
        "and the mean hides that."
    )


def test_a_collapse_does_not_make_the_least_visible_difference_absurd():
    readings = {0.1: SettingReadings({1: 0.85, 2: 0.1, 3: 0.84}), 0.01: _around(0.9, repeats=3)}
    answer = _answer(_exercise("learning_rate", *readings), readings)
    assert "need not be equal" not in " ".join(answer.limits)


def test_settings_that_all_collapsed_to_the_same_score_are_compared_without_a_warning():
    flat = SettingReadings({1: 0.1, 2: 0.1, 3: 0.1})
    answer = _answer(_exercise("learning_rate", 1, 2), {1: flat, 2: flat})
    assert "show no significant difference from the other value" in answer.headline


def test_constant_readings_that_differ_are_different():
    readings = {1: SettingReadings({1: 0.1, 2: 0.1}), 2: SettingReadings({1: 0.2, 2: 0.2})}
    answer = _answer(_exercise("learning_rate", 1, 2), readings)
    assert answer.headline.endswith("is with learning rate 2, and the other value is lower.")


def test_four_repeats_are_said_not_to_reach_significance_without_assumptions_and_how_many_would():
    readings = {value: _around(0.88 + value / 10_000, repeats=4) for value in (8, 16, 32, 64, 128)}
    limits = " ".join(_answer(_exercise("filters", *readings), readings).limits)
    assert "With 4 repeats no pair can reach significance after correction" in limits
    assert (
        "smallest p value of a permutation test is 0.029, and 0.005 is required of the clearest of 10"
        in limits
    )
    assert "With 6 repeats it could" in limits


def test_six_repeats_of_ten_pairs_are_enough_not_to_say_so():
    steady = (*STEADY, 0.0005)
    readings = {
        value: SettingReadings({seed: 0.88 + value / 10_000 + each for seed, each in enumerate(steady)})
        for value in (8, 16, 32, 64, 128)
    }
    assert "permutation" not in " ".join(_answer(_exercise("filters", *readings), readings).limits)


def test_paired_budgets_need_more_repeats_before_a_permutation_test_could_tell():
    readings = {value: _around(0.88 + value / 10_000, repeats=4) for value in (1, 2, 5, 10, 20)}
    limits = " ".join(_answer(_exercise("epochs", *readings), readings).limits)
    assert "permutation test is 0.12, and 0.005" in limits
    assert "With 9 repeats it could" in limits


def test_the_spread_of_seeds_and_the_error_of_the_test_set_are_kept_apart():
    readings = {8: _around(0.88), 16: _around(0.9)}
    assert _answer(_exercise("filters", *readings), readings).limits[-1] == (
        "All settings are read on the same 10,000 test images. On others an accuracy of 90.00% would move by "
        "about 0.30 points (standard error), mostly alike in all settings; the intervals cover "
        "seeds only."
    )


def test_an_interval_never_leaves_what_an_accuracy_can_be():
    readings = {0.1: SettingReadings({1: 0.95, 2: 0.5}), 0.01: SettingReadings({1: 0.6, 2: 0.61})}
    assert "95% interval 0.00 to 100.00" in _answer(_exercise("learning_rate", *readings), readings).headline


def test_what_repeats_could_show_is_told_to_a_tenth_of_a_point():
    readings = {0.1: _around(0.9), 0.2: _around(0.9002), 0.3: _around(0.9001)}
    tests = compare_pairs({value: each.test for value, each in readings.items()}, False).tests
    least = 100 * tests[0].detectable
    needed = max(tests, key=lambda each: each.difference).needed
    assert _answer(_exercise("learning_rate", *readings), readings).limits[:2] == (
        "Values that do not differ significantly need not be equal: with 5 repeats only differences of at "
        f"least {least:.1f} points, depending on the pair, are found 80% of the time.",
        "The largest difference that is not significant, +0.02 points from learning rate 0.1 to 0.2, would "
        f"need {needed:,} repeats of each if it is real.",
    )


def test_spreads_that_differ_give_a_range_of_what_could_be_seen():
    wide = SettingReadings({seed: 0.9 + 5 * each for seed, each in enumerate(STEADY, start=1)})
    readings = {8: _around(0.9), 16: _around(0.9001), 32: wide}
    tests = compare_pairs({value: each.test for value, each in readings.items()}, False).tests
    low, high = (100 * end([each.detectable for each in tests]) for end in (min, max))
    (limit, *_) = _answer(_exercise("filters", *readings), readings).limits
    assert f"only differences of at least {low:.1f} to {high:.1f} points, depending on the pair" in limit


def test_a_difference_of_nothing_is_too_small_for_any_number_of_repeats():
    readings = {8: _around(0.9), 16: _around(0.9)}
    assert _answer(_exercise("filters", *readings), readings).limits[1] == (
        "The largest difference that is not significant, +0.00 points from 8 filters to 16, is too small for "
        "any number of repeats."
    )


def test_a_trend_is_told_with_the_parameter_s_name_in_words():
    readings = {value: _around(0.88 + value) for value in (0.01, 0.02, 0.03)}
    (_, trend) = _answer(_exercise("learning_rate", *readings), readings).details
    assert trend.startswith("Over all values in order, accuracy rises with learning rate (Kendall's tau 0.8")


def test_the_permutation_note_counts_its_pairs():
    readings = {8: _around(0.88, repeats=3), 16: _around(0.8801, repeats=3)}
    (note,) = [each for each in _answer(_exercise("filters", *readings), readings).limits if "permut" in each]
    assert note == (
        "With 3 repeats no pair can reach significance by a test that assumes nothing of how readings are "
        "spread: the smallest p value of a permutation test is 0.1, and 0.05 is required of the clearest of "
        "1 pair. With 4 repeats it could; significant differences rest on a normal distribution of readings."
    )
