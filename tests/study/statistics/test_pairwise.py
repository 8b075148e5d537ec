"""Comparing settings: p values and intervals are those of `scipy.stats`, the correction is R's `p.adjust`."""

import math
import random
from itertools import combinations
from statistics import fmean

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from study.statistics.pairwise import (
    PairTest,
    compare_pairs,
    compare_with,
    correct,
    indistinguishable_from_best,
)
from study.statistics.power import detectable_difference, repeats_needed

FIRST = {1: 0.891, 2: 0.902, 3: 0.897, 4: 0.885, 5: 0.893}
SECOND = {1: 0.906, 2: 0.903, 3: 0.915, 4: 0.898, 5: 0.911}
ALIKE = {1: 0.892, 2: 0.9, 3: 0.896, 4: 0.886, 5: 0.895}
SWEEP = {8.0: FIRST, 16.0: ALIKE, 32.0: SECOND}


def _scipy(one: dict[int, float], other: dict[int, float], is_paired: bool):
    first, second = list(one.values()), list(other.values())
    if is_paired:
        return stats.ttest_rel(second, first)
    return stats.ttest_ind(second, first, equal_var=False)


@pytest.mark.parametrize("is_paired", [False, True])
def test_each_pair_has_scipys_p_value_and_bonferronis_interval(is_paired: bool):
    for each in compare_pairs(SWEEP, is_paired).tests:
        expected = _scipy(SWEEP[each.first], SWEEP[each.second], is_paired)
        interval = expected.confidence_interval(1 - 0.05 / 3)
        assert each.p_value == pytest.approx(expected.pvalue, rel=1e-9)
        assert (each.low, each.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_the_correction_is_holms_as_r_has_it():
    # R: p.adjust(c(0.01, 0.02, 0.04), "holm") is 0.03, 0.04, 0.04: three times the least, twice the next, ...
    tests = compare_pairs(SWEEP, is_paired=False).tests
    ranked = sorted(tests, key=lambda each: each.p_value)
    expected = np.maximum.accumulate([min(1.0, (3 - rank) * p.p_value) for rank, p in enumerate(ranked)])
    assert [each.adjusted_p_value for each in ranked] == pytest.approx(list(expected), rel=1e-12)
    assert [each.differs for each in tests] == [each.adjusted_p_value <= 0.05 for each in tests]


def test_the_correction_is_that_of_statsmodels():
    rng = np.random.default_rng(9)
    for count in (1, 2, 10, 15):
        p_values = list(rng.uniform(0, 0.1, count)) + [0.05] * (count > 2)
        assert correct(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_of_several_pairs_each_is_judged_more_strictly():
    # Welch's p of FIRST and SECOND is 0.014: enough alone, too much for the first of ten pairs, 0.05 / 10.
    alone = _scipy(FIRST, SECOND, is_paired=False).pvalue
    assert 0.05 / 10 < alone < 0.05
    many = dict.fromkeys(range(3, 6), ALIKE) | {1: FIRST, 2: SECOND}
    assert compare_pairs({1: FIRST, 2: SECOND}, is_paired=False).of(1, 2).differs
    assert not compare_pairs(many, is_paired=False).of(2, 1).differs


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


def test_the_paired_effect_size_is_of_the_differences():
    each = compare_pairs({1: FIRST, 2: SECOND}, is_paired=True).of(1, 2)
    differences = np.subtract(list(SECOND.values()), list(FIRST.values()))
    assert each.deviation == pytest.approx(differences.std(ddof=1))
    assert each.effect == pytest.approx((1 - 3 / (4 * 4 - 1)) * differences.mean() / differences.std(ddof=1))


def test_a_pair_says_what_its_repeats_could_show():
    each = compare_pairs(SWEEP, is_paired=False).of(8.0, 16.0)
    assert each.smallest_p_value == pytest.approx(2 / math.comb(10, 5))
    assert each.detectable > abs(each.difference)
    assert each.needed is not None
    assert each.needed > 1000  # ALIKE is FIRST but for hundredths of a point
    clear = compare_pairs(SWEEP, is_paired=False).of(8.0, 32.0)
    assert clear.needed is not None
    assert 5 < clear.needed < 20


def test_the_repeats_needed_are_such_that_the_difference_is_just_detectable():
    each = compare_pairs(SWEEP, is_paired=False).of(8.0, 32.0)
    assert each.needed is not None
    rng = np.random.default_rng(5)
    first = rng.normal(0, each.deviation, (20_000, each.needed))
    second = rng.normal(each.difference, each.deviation, (20_000, each.needed))
    seen = stats.ttest_ind(first, second, axis=1, equal_var=False).pvalue <= each.level
    assert 0.77 < seen.mean() < 0.84  # Welch's degrees of freedom cost a hundredth


def test_a_difference_that_was_not_found_needs_more_repeats_than_there_were():
    rng = np.random.default_rng(12)
    for _ in range(50):
        sweep = {
            1.0: dict(enumerate(rng.normal(0, 0.004, 4))),
            2.0: dict(enumerate(rng.normal(0.2, 0.07, 4))),
        }
        each = compare_pairs(sweep, is_paired=False).of(1.0, 2.0)
        assert each.differs or each.needed is None or each.needed > 4


def test_the_best_is_a_set_of_those_that_cannot_be_told_from_it():
    rng = np.random.default_rng(3)
    apart = {value: dict(enumerate(rng.normal(mean, 0.001, 6))) for value, mean in ((1, 0.8), (2, 0.9))}
    sweep = {**apart, 3.0: {seed: reading - 1e-4 for seed, reading in apart[2].items()}}
    assert indistinguishable_from_best(sweep, compare_pairs(sweep, is_paired=False)) == (2, 3.0)


def test_the_order_of_repeats_and_of_values_changes_nothing():
    rng = random.Random(1)
    expected = compare_pairs(SWEEP, is_paired=False)
    for _ in range(5):
        shuffled = {value: dict(rng.sample(list(each.items()), len(each))) for value, each in SWEEP.items()}
        found = compare_pairs(shuffled, is_paired=False)
        for pair in combinations(SWEEP, 2):
            _assert_alike(found.of(*pair), expected.of(*pair))


def test_a_repeat_fewer_widens_every_interval_of_its_setting():
    rng = np.random.default_rng(2)
    sweep = {value: dict(enumerate(rng.normal(0.9, 0.004, 6))) for value in (1.0, 2.0, 3.0)}
    # The middle reading goes, so that the spread cannot shrink.
    middle = sorted(sweep[1.0], key=lambda seed: sweep[1.0][seed])[2]
    fewer = {**sweep, 1.0: {seed: each for seed, each in sweep[1.0].items() if seed != middle}}
    for other in (2.0, 3.0):
        before = compare_pairs(sweep, is_paired=False).of(1.0, other)
        after = compare_pairs(fewer, is_paired=False).of(1.0, other)
        assert after.high - after.low > before.high - before.low


def test_a_setting_with_a_single_reading_is_not_compared():
    pairwise = compare_pairs({1: FIRST, 2: SECOND, 3: {1: 0.9}}, is_paired=False)
    assert len(pairwise.tests) == 1
    with pytest.raises(KeyError, match="1 and 3 were not compared"):
        pairwise.of(1, 3)


def test_pairs_without_shared_seeds_tell_nothing_of_paired_settings():
    other = {seed + 10: reading for seed, reading in SECOND.items()}
    each = compare_pairs({1: FIRST, 2: other}, is_paired=True).of(1, 2)
    assert (each.differs, each.adjusted_p_value, each.needed) == (False, 1.0, None)
    assert math.isnan(each.low)


def test_readings_that_do_not_vary_differ_only_if_they_are_unequal():
    constant, other = dict.fromkeys(FIRST, 0.5), dict.fromkeys(FIRST, 0.6)
    pairwise = compare_pairs({1: constant, 2: other, 3: constant}, is_paired=False)
    assert pairwise.of(1, 2).differs
    assert not pairwise.of(1, 3).differs
    assert math.isnan(pairwise.of(1, 2).detectable)
    assert math.isnan(pairwise.of(1, 2).effect)


def test_nothing_to_compare_gives_no_pairs_and_no_best():
    pairwise = compare_pairs({1: FIRST}, is_paired=False)
    assert pairwise.tests == ()
    with pytest.raises(ValueError, match="no values were compared"):
        indistinguishable_from_best({1: FIRST}, pairwise)


def _assert_alike(found: PairTest, expected: PairTest) -> None:
    for name in ("difference", "low", "high", "p_value", "adjusted_p_value", "effect", "detectable"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-9)


def test_the_paired_effect_size_has_beckers_interval():
    each = compare_pairs({1: FIRST, 2: SECOND}, is_paired=True).of(1, 2)
    half = 1.959963985 * math.sqrt(1 / 5 + each.effect**2 / (2 * 5))
    assert (each.effect_low, each.effect_high) == pytest.approx((each.effect - half, each.effect + half))


@pytest.mark.parametrize("is_paired", [False, True])
def test_what_repeats_could_show_is_that_of_the_power_of_the_test_that_decides(is_paired: bool):
    each = compare_pairs(SWEEP, is_paired).of(8.0, 32.0)
    variances = [np.var(list(readings.values()), ddof=1) for readings in (FIRST, SECOND)]
    if is_paired:
        deviation = np.subtract(list(SECOND.values()), list(FIRST.values())).std(ddof=1)
    else:
        deviation = math.sqrt(sum(variances) / 2)
    ratio = max(variances) / min(variances)
    assert (each.deviation, each.variance_ratio, each.level) == pytest.approx((deviation, ratio, 0.05 / 3))
    assert (each.first_count, each.second_count, each.repeats) == (5, 5, 5)
    assert each.detectable == detectable_difference(deviation, 5, 0.05 / 3, is_paired, ratio)
    assert each.needed == repeats_needed(each.difference, deviation, 0.05 / 3, is_paired, ratio)


def test_two_shared_seeds_are_enough_for_the_other_test_and_one_is_not():
    two = compare_pairs({1: FIRST, 2: {1: 0.906, 2: 0.903, 9: 0.91}}, is_paired=False).of(1, 2)
    assert two.other_p_value == pytest.approx(stats.ttest_rel([0.906, 0.903], [0.891, 0.902]).pvalue)
    assert (two.repeats, two.smallest_p_value) == (3, 1 / math.comb(8, 3))
    one = compare_pairs({1: FIRST, 2: {1: 0.906, 8: 0.903, 9: 0.91}}, is_paired=False).of(1, 2)
    assert math.isnan(one.other_p_value)


def test_a_setting_that_does_not_vary_beside_one_that_does_counts_as_a_millionth_of_its_variance():
    each = compare_pairs({1: FIRST, 2: dict.fromkeys(range(5), 0.0)}, is_paired=False).of(1, 2)
    assert each.variance_ratio == 1e6
    none = compare_pairs({1: dict.fromkeys(range(5), 0.8), 2: dict.fromkeys(range(5), 0.9)}, False).of(1, 2)
    assert math.isnan(none.detectable) and math.isnan(none.effect)
    assert none.needed is None


def test_an_effect_size_takes_four_readings():
    each = compare_pairs({1: {1: 0.8, 2: 0.9}, 2: {1: 0.7, 2: 0.9}}, False).of(1, 2)
    assert not math.isnan(each.effect) and each.detectable > 0
    assert each.variance_ratio == pytest.approx(4)


def test_one_value_against_others_is_corrected_for_the_others_alone():
    tests = compare_with(8.0, [16.0, 32.0], SWEEP, is_paired=False)
    assert list(tests) == [16.0, 32.0]
    assert tests[32.0].difference == pytest.approx(fmean(SECOND.values()) - fmean(FIRST.values()))
    p_value = _scipy(FIRST, SECOND, is_paired=False).pvalue
    assert tests[32.0].adjusted_p_value == pytest.approx(2 * p_value)
    assert compare_pairs({8.0: FIRST}, is_paired=False).level == 0.05
    assert compare_pairs(SWEEP, is_paired=False).level == 0.05 / 3
