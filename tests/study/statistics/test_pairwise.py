"""Comparing settings: p values and intervals are those of `scipy.stats`, the correction is R's `p.adjust`."""

import math
import random
from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from study.statistics.pairwise import (
    PairTest,
    compare_pairs,
    correct,
)
from study.statistics.power import detectable_difference, repeats_needed

FIRST = {1: 0.891, 2: 0.902, 3: 0.897, 4: 0.885, 5: 0.893}
SECOND = {1: 0.906, 2: 0.903, 3: 0.915, 4: 0.898, 5: 0.911}
ALIKE = {1: 0.892, 2: 0.9, 3: 0.896, 4: 0.886, 5: 0.895}
SWEEP = {8.0: FIRST, 16.0: ALIKE, 32.0: SECOND}

SPREAD = {
    0.1: {1: 0.82, 2: 0.85, 3: 0.79, 4: 0.81, 5: 0.83},
    0.01: {1: 0.889, 2: 0.892, 3: 0.887, 4: 0.89, 5: 0.886},
    0.001: {1: 0.873, 2: 0.876, 3: 0.87, 4: 0.872, 5: 0.877},
    0.00001: {1: 0.6, 2: 0.75, 3: 0.7, 4: 0.66, 5: 0.72},
}
"""Settings that spread unequally, as learning rates do."""


def _scipy(one: dict[int, float], other: dict[int, float], is_paired: bool):
    first, second = list(one.values()), list(other.values())
    if is_paired:
        return stats.ttest_rel(second, first)
    return stats.ttest_ind(second, first, equal_var=False)


@pytest.mark.parametrize("is_paired", [False, True])
def test_each_pair_has_scipys_p_value(is_paired: bool):
    for each in compare_pairs(SWEEP, is_paired).tests:
        expected = _scipy(SWEEP[each.first], SWEEP[each.second], is_paired)
        assert each.p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_pairs_without_the_best_are_games_and_howells_of_all_settings():
    pairwise = compare_pairs(SPREAD, is_paired=False)
    expected = stats.tukey_hsd(*(list(each.values()) for each in SPREAD.values()), equal_var=False)
    interval, places = expected.confidence_interval(), list(SPREAD)
    assert pairwise.reference == 0.01
    for each in pairwise.tests:
        if pairwise.reference not in (each.first, each.second):
            first, second = places.index(each.first), places.index(each.second)
            assert each.adjusted_p_value == pytest.approx(expected.pvalue[first, second], rel=1e-6)
            assert (each.low, each.high) == pytest.approx(
                (interval.low[second, first], interval.high[second, first]), rel=1e-3
            )


def test_the_best_is_compared_step_by_step_each_with_one_setting_fewer():
    pairwise = compare_pairs(SPREAD, is_paired=False)
    best = [pairwise.of(pairwise.reference, value) for value in SPREAD if value != pairwise.reference]
    largest = 0.0
    for step, each in enumerate(sorted(best, key=lambda each: _range_p(each, len(SPREAD)))):
        largest = max(largest, _range_p(each, len(SPREAD) - step))
        assert each.adjusted_p_value == pytest.approx(largest, rel=1e-6)
    assert all(each.differs for each in best)


def _range_p(each: PairTest, settings: int) -> float:
    """The chance, by SciPy, of so large a difference between two of so many settings."""
    studentized = math.sqrt(2) * stats.t.isf(each.p_value / 2, _freedom(each))
    return float(stats.studentized_range.sf(studentized, settings, _freedom(each)))


def _freedom(each: PairTest) -> float:
    return _scipy(SPREAD[each.first], SPREAD[each.second], is_paired=False).df


@pytest.mark.parametrize("is_paired", [False, True])
def test_an_interval_leaves_out_zero_just_where_the_settings_differ(is_paired: bool):
    rng = np.random.default_rng(6)
    for _ in range(40):
        means = rng.choice([0.89, 0.893, 0.897], 4)
        sweep = {float(at): dict(enumerate(rng.normal(mean, 0.003, 4))) for at, mean in enumerate(means)}
        for each in compare_pairs(sweep, is_paired).tests:
            assert each.differs == (not each.low <= 0 <= each.high), each


def test_a_clear_difference_helps_those_that_come_after_it():
    near = {seed: each - 0.006 + 0.002 * (-1) ** seed for seed, each in SECOND.items()}
    for far in (FIRST, {seed: 0.5 + each for seed, each in enumerate((0.01, 0.02, 0.0, 0.03, 0.01))}):
        pairwise = compare_pairs({1: far, 2: near, 3: SECOND}, is_paired=False)
        steps = 3 - pairwise.of(1, 3).differs
        alone = compare_pairs({2: near, 3: SECOND}, is_paired=False).of(2, 3)
        found = pairwise.of(2, 3)
        assert (found.adjusted_p_value == pytest.approx(alone.adjusted_p_value)) == (steps == 2)


def test_epochs_are_compared_with_the_longest_in_order_and_uncorrected_up_to_one_that_does_not_differ():
    base = {1: 0.89, 2: 0.894, 3: 0.887, 4: 0.891}
    by = {1: (0.03, 0.034, 0.028, 0.03), 2: (0.02, 0.024, 0.018, 0.021), 5: (0.001, -0.001, 0.002, -0.002)}
    by[10] = (0.005, 0.0051, 0.0049, 0.005)
    sweep = {1.0 * value: {s: base[s] - each[s - 1] for s in base} for value, each in by.items()} | {
        20.0: base
    }
    pairwise = compare_pairs(sweep, is_paired=True)
    assert pairwise.lower_than(20) == (1, 2)
    for value in (1, 2):
        each = pairwise.of(value, 20)
        interval = _scipy(sweep[value], base, is_paired=True).confidence_interval(0.95)
        assert each.adjusted_p_value == pytest.approx(max(each.p_value, pairwise.of(1, 20).p_value))
        assert (each.low, each.high) == pytest.approx((interval.low, interval.high))
    after = pairwise.of(10, 20)  # clear alone, but after one that is not
    assert after.p_value < 0.001
    assert (after.differs, after.low) == (False, 0.0)
    assert after.adjusted_p_value == pairwise.of(5, 20).p_value


def test_the_other_pairs_of_epochs_are_corrected_by_holm():
    pairwise = compare_pairs(SPREAD, is_paired=True)
    others = [each for each in pairwise.tests if pairwise.reference not in (each.first, each.second)]
    expected = correct([each.p_value for each in others])
    assert [each.adjusted_p_value for each in others] == pytest.approx(expected)


def test_the_correction_is_that_of_statsmodels():
    rng = np.random.default_rng(9)
    for count in (1, 2, 10, 15):
        p_values = list(rng.uniform(0, 0.1, count)) + [0.05] * (count > 2)
        assert correct(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_the_paired_test_is_told_beside_welchs_and_decides_nothing():
    only = compare_pairs({1: FIRST, 2: SECOND}, is_paired=False).of(1, 2)
    assert only.other_p_value == pytest.approx(_scipy(FIRST, SECOND, is_paired=True).pvalue)
    assert math.isnan(compare_pairs({1: FIRST, 2: SECOND}, is_paired=True).of(1, 2).other_p_value)


def test_the_effect_size_is_hedges_g_as_metafor_has_it():
    each = compare_pairs({1: FIRST, 2: SECOND}, is_paired=False).of(1, 2)
    first, second = list(FIRST.values()), list(SECOND.values())
    pooled = math.sqrt((np.var(first, ddof=1) + np.var(second, ddof=1)) / 2)
    assert each.effect == pytest.approx((1 - 3 / (4 * 10 - 9)) * each.difference / pooled)
    assert each.effect_low < each.effect < each.effect_high


def test_the_paired_effect_size_is_of_the_differences_with_beckers_interval():
    each = compare_pairs({1: FIRST, 2: SECOND}, is_paired=True).of(1, 2)
    differences = np.subtract(list(SECOND.values()), list(FIRST.values()))
    assert each.deviation == pytest.approx(differences.std(ddof=1))
    assert each.effect == pytest.approx((1 - 3 / (4 * 4 - 1)) * differences.mean() / differences.std(ddof=1))
    half = 1.959963985 * math.sqrt(1 / 5 + each.effect**2 / (2 * 5))
    assert (each.effect_low, each.effect_high) == pytest.approx((each.effect - half, each.effect + half))


def test_what_is_lower_than_a_value_leaves_out_what_does_not_differ():
    rng = np.random.default_rng(3)
    apart = {value: dict(enumerate(rng.normal(mean, 0.001, 6))) for value, mean in ((1, 0.8), (2, 0.9))}
    sweep = {**apart, 3.0: {seed: reading - 1e-4 for seed, reading in apart[2].items()}}
    pairwise = compare_pairs(sweep, is_paired=False)
    assert (pairwise.lower_than(2), pairwise.lower_than(1)) == ((1,), ())


def test_the_order_of_repeats_and_of_values_changes_nothing():
    rng = random.Random(1)
    expected = compare_pairs(SWEEP, is_paired=False)
    for _ in range(5):
        shuffled = {value: dict(rng.sample(list(each.items()), len(each))) for value, each in SWEEP.items()}
        found = compare_pairs(shuffled, is_paired=False)
        for pair in combinations(SWEEP, 2):
            for name in ("difference", "low", "high", "p_value", "adjusted_p_value", "effect", "detectable"):
                ours, theirs = getattr(found.of(*pair), name), getattr(expected.of(*pair), name)
                assert ours == pytest.approx(theirs, rel=1e-9)


def test_a_setting_with_a_single_reading_is_not_compared():
    pairwise = compare_pairs({1: FIRST, 2: SECOND, 3: {1: 0.9}}, is_paired=False)
    assert len(pairwise.tests) == 1
    with pytest.raises(KeyError, match="1 and 3 were not compared"):
        pairwise.of(1, 3)
    alone = compare_pairs({1: FIRST}, is_paired=False)
    assert (alone.tests, alone.settings) == ((), ())


def test_pairs_without_shared_seeds_tell_nothing_of_paired_settings():
    other = {seed + 10: reading for seed, reading in SECOND.items()}
    each = compare_pairs({1: FIRST, 2: other}, is_paired=True).of(1, 2)
    assert (each.differs, each.adjusted_p_value, each.needed) == (False, 1.0, None)
    assert math.isnan(each.low)


@pytest.mark.parametrize("is_paired", [False, True])
def test_what_repeats_could_show_is_that_of_the_power_of_the_test_that_decides(is_paired: bool):
    each = compare_pairs(SWEEP, is_paired).of(8.0, 32.0)
    variances = [np.var(list(readings.values()), ddof=1) for readings in (FIRST, SECOND)]
    if is_paired:
        deviation = np.subtract(list(SECOND.values()), list(FIRST.values())).std(ddof=1)
    else:
        deviation = math.sqrt(sum(variances) / 2)
    ratio = max(variances) / min(variances)
    assert (each.deviation, each.variance_ratio) == pytest.approx((deviation, ratio))
    assert (each.first_count, each.second_count, each.repeats) == (5, 5, 5)
    found = _scipy(FIRST, SECOND, is_paired)
    critical = (each.high - each.difference) * found.statistic / each.difference
    assert each.level == pytest.approx(2 * stats.t.sf(critical, found.df))
    assert each.detectable == detectable_difference(deviation, 5, each.level, is_paired, ratio)
    assert each.needed == repeats_needed(each.difference, deviation, each.level, is_paired, ratio)


def test_two_shared_seeds_are_enough_for_the_other_test_and_one_is_not():
    two = compare_pairs({1: FIRST, 2: {1: 0.906, 2: 0.903, 9: 0.91}}, is_paired=False).of(1, 2)
    assert two.other_p_value == pytest.approx(stats.ttest_rel([0.906, 0.903], [0.891, 0.902]).pvalue)
    assert (two.repeats, two.smallest_p_value) == (3, 1 / math.comb(8, 3))
    one = compare_pairs({1: FIRST, 2: {1: 0.906, 8: 0.903, 9: 0.91}}, is_paired=False).of(1, 2)
    assert math.isnan(one.other_p_value)


def test_a_setting_that_does_not_vary_beside_one_that_does_counts_as_a_millionth_of_its_variance():
    each = compare_pairs({1: FIRST, 2: dict.fromkeys(range(5), 0.0)}, is_paired=False).of(1, 2)
    assert each.variance_ratio == 1e6


def test_readings_that_do_not_vary_differ_only_if_they_are_unequal():
    constant, other = dict.fromkeys(FIRST, 0.5), dict.fromkeys(FIRST, 0.6)
    pairwise = compare_pairs({1: constant, 2: other, 3: constant}, is_paired=False)
    assert not pairwise.of(1, 3).differs
    unequal = pairwise.of(1, 2)
    assert unequal.differs and unequal.needed is None
    assert math.isnan(unequal.detectable) and math.isnan(unequal.effect)


def test_an_effect_size_takes_four_readings():
    each = compare_pairs({1: {1: 0.8, 2: 0.9}, 2: {1: 0.7, 2: 0.9}}, False).of(1, 2)
    assert not math.isnan(each.effect) and each.detectable > 0
    assert each.variance_ratio == pytest.approx(4)
