"""Shifts: found where readings moved, not where one reading did, and never a number that is none."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

import pytest
from scipy.stats import norm, ranksums, t, ttest_ind

from study.conclusions.nights import (
    Pair,
    Sample,
    Shift,
    combined_score,
    find_shift,
    paired_score,
    rank_score,
    robust_p_value,
)

EARLIER = (0.893, 0.896, 0.891, 0.895, 0.894)
ALARM = 1 / 365 / 6


def sample(name: str, tonight: tuple[float, ...], earlier: tuple[float, ...] = EARLIER) -> Sample:
    return Sample(name, name, tonight, earlier)


def shift_of(samples: Sequence[Sample]) -> Shift:
    shift = find_shift(samples)
    assert shift is not None
    return shift


def moved(by: float) -> tuple[float, ...]:
    return tuple(reading + by for reading in (0.894, 0.8935, 0.8915, 0.8955, 0.8945))


def test_equal_readings_are_no_shift():
    assert shift_of([sample("one", EARLIER), sample("other", EARLIER)]).p_value == 1.0


def test_a_collapse_of_one_setting_of_five_is_a_shift_that_is_named():
    samples = [sample(f"filters={number}", moved(0.0)) for number in range(4)]
    shift = shift_of([*samples, sample("filters=64", moved(-0.2))])
    assert shift.p_value < ALARM
    assert shift.setting == "filters=64"


def test_half_a_point_in_every_setting_is_a_shift_though_none_alone_would_be():
    settings = [sample(f"filters={number}", moved(-0.005)) for number in range(5)]
    assert shift_of(settings).p_value < ALARM
    assert shift_of(settings[:1]).p_value > ALARM


def test_a_rise_is_as_much_a_shift_as_a_fall():
    rise, fall = (shift_of([sample("one", moved(by))]) for by in (0.2, -0.2))
    assert rise.p_value < ALARM and fall.p_value < ALARM


@pytest.mark.parametrize("repeats", [5, 150])
def test_one_reading_that_collapses_is_no_shift(repeats: int):
    earlier = tuple(0.894 + 0.001 * math.sin(number) for number in range(repeats))
    shift = shift_of([sample(f"{number}", (0.894, 0.895, 0.893, 0.895, 0.1), earlier) for number in "1"])
    assert shift.p_value > ALARM


@pytest.mark.parametrize(
    ("tonight", "earlier"), [((0.9,), (0.5,)), ((0.9,), (0.5, 0.5, 0.5)), ((0.9, 0.9), (0.5,))]
)
def test_too_few_readings_tell_nothing(tonight: tuple[float, ...], earlier: tuple[float, ...]):
    assert find_shift([sample("one", tonight, earlier)]) is None


def test_settings_with_too_few_readings_do_not_silence_the_others():
    assert shift_of([sample("one", (0.9,), (0.8,)), sample("other", moved(-0.2))]).setting == "other"


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_readings_at_the_ends_of_the_scale_give_a_number(accuracy: float):
    assert shift_of([sample("one", (accuracy,) * 2, (accuracy,) * 2)]).p_value == 1.0


def test_a_rank_score_is_wilcoxon_s_with_ties_corrected():
    apart = rank_score((0.1, 0.2, 0.3), (0.4, 0.5))
    assert apart == pytest.approx(float(ranksums((0.1, 0.2, 0.3), (0.4, 0.5)).statistic))
    assert rank_score((0.5, 0.5), (0.5, 0.5)) == 0.0
    # Ranks 1, 3, 3 against 3, 5, 6: the sum is 7, expected 10.5; one tie of three.
    variance = 3 * 3 / 12 * (7 - 24 / 30)
    assert rank_score((0.1, 0.2, 0.2), (0.2, 0.3, 0.4)) == pytest.approx(-3.5 / math.sqrt(variance))


def test_rounding_is_no_difference_in_rank():
    assert rank_score((0.1 + 0.2, 0.5), (0.3, 0.5)) == 0.0


def test_settings_of_the_same_trainings_add_no_evidence():
    one = Sample("epochs=1", "same", moved(-0.01), EARLIER)
    other = Sample("epochs=5", "same", moved(-0.01), EARLIER)
    assert combined_score([one, other]) == pytest.approx(combined_score([one]))
    apart = Sample("epochs=5", "another", moved(-0.01), EARLIER)
    assert abs(combined_score([one, apart])) > 1.4 * abs(combined_score([one])) - 1e-9


def paired(name: str, by: float) -> Sample:
    """A setting whose seeds differ far more than tonight does from the night before."""
    earlier = (0.87, 0.88, 0.89, 0.90, 0.91)
    tonight = tuple(reading + by for reading in earlier)
    pairs = [
        Pair(f"{name} {seed}", now, (before,))
        for seed, (now, before) in enumerate(zip(tonight, earlier, strict=True))
    ]
    return Sample(name, name, tonight, earlier, tuple(pairs))


def test_a_small_fall_of_every_seed_is_a_shift_though_seeds_differ_far_more():
    fall = [paired(f"filters={number}", -0.002) for number in range(5)]
    assert shift_of(fall).p_value < ALARM
    assert paired_score(fall) == pytest.approx(-5.0)  # 25 signs of 25: the sign test's standardised sum
    assert abs(combined_score(fall)) < 1.5


def test_pairs_of_equal_readings_tell_nothing():
    fall, equal = paired("one", -0.002), paired("other", 0.0)
    assert paired_score([fall, equal]) == paired_score([fall])
    assert paired_score([equal]) == 0.0


def test_pairs_of_the_same_training_add_no_evidence():
    pair = Pair("same", 0.88, (0.89,))
    alone = Sample("epochs=1", "same", (0.88, 0.89), EARLIER, (pair,))
    other = Sample("epochs=5", "same", (0.88, 0.89), EARLIER, (pair,))
    assert paired_score([alone, other]) == paired_score([alone]) == -1.0


def test_the_p_value_without_the_most_deviant_reading_is_never_smaller():
    tonight = (0.80, 0.87, 0.86, 0.88, 0.87)
    assert robust_p_value(tonight, EARLIER) > float(ttest_ind(tonight, EARLIER).pvalue)
    even = (0.85, 0.86)
    without = (fmean(EARLIER) - 0.86) / (stdev(EARLIER) * math.sqrt(1 + 1 / 5))
    assert robust_p_value(even, EARLIER) == pytest.approx(
        max(float(ttest_ind(even, EARLIER).pvalue), 2 * float(t.sf(without, 4)))
    )


def test_each_of_the_three_questions_has_a_third_of_the_chance():
    # Without pairs two questions speak; here the t test is the surer, there the ranks of all settings.
    far = [sample("one", moved(-0.02)), sample("other", moved(-0.0001))]
    single = robust_p_value(far[0].tonight, EARLIER)
    assert find_shift(far) == Shift(pytest.approx(3 * 2 * single), "one")
    settings = [sample(f"filters={number}", moved(-0.003)) for number in range(5)]
    together = 2 * norm.sf(abs(combined_score(settings)))
    assert together < 5 * robust_p_value(settings[0].tonight, EARLIER)
    assert shift_of(settings).p_value == pytest.approx(3 * together)


@pytest.mark.parametrize("images", [10_000, 359])
def test_readings_without_spread_vary_as_a_proportion_of_the_test_images_does(images):
    # Middle 0.9; five and five readings.
    error = math.sqrt(0.9 * 0.1 / images * (1 / 5 + 1 / 5))
    rest = math.sqrt(0.9 * 0.1 / images * (1 / 4 + 1 / 5))
    expected = max(2 * t.sf(0.002 / error, 8), 2 * t.sf(0.002 / rest, 7))
    assert robust_p_value((0.901,) * 5, (0.899,) * 5, images) == pytest.approx(expected)


def test_the_difference_of_a_setting_is_tonight_less_the_earlier_mean():
    found = sample("one", (0.9, 0.8), (0.7, 0.6, 0.5))
    assert found.difference == pytest.approx(0.25)
    assert found.is_testable and not sample("one", (0.9,), (0.7, 0.6)).is_testable
