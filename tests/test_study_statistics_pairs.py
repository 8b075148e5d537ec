"""Comparing settings: the t tests are those of `scipy.stats`, which takes too long to import for a run."""

import math

import pytest
from scipy import stats

from study.statistics.pairs import compare, unseen_difference

FIRST = {1: 0.891, 2: 0.902, 3: 0.897, 4: 0.885, 5: 0.893}
SECOND = {1: 0.906, 2: 0.903, 3: 0.915, 4: 0.898, 5: 0.911}
ALIKE = {1: 0.892, 2: 0.9, 3: 0.896, 4: 0.886, 5: 0.895}


@pytest.mark.parametrize("paired", [False, True])
def test_two_settings_differ_where_scipy_says_so(paired: bool):
    test = stats.ttest_rel if paired else lambda one, other: stats.ttest_ind(one, other, equal_var=False)
    for other in (SECOND, ALIKE):
        expected = float(test(list(FIRST.values()), list(other.values())).pvalue)
        assert compare({1: FIRST, 2: other}, paired).differ(1, 2) is (expected < 0.05)


@pytest.mark.parametrize("paired", [False, True])
def test_what_two_settings_may_differ_by_unseen_is_half_of_scipys_interval(paired: bool):
    comparison = compare({1: FIRST, 2: SECOND, 3: ALIKE}, paired)
    one, other = list(FIRST.values()), list(SECOND.values())
    test = stats.ttest_rel(one, other) if paired else stats.ttest_ind(one, other, equal_var=False)
    interval = test.confidence_interval(1 - 0.05 / 3)
    half = float(interval.high - interval.low) / 2
    assert unseen_difference(FIRST, SECOND, comparison) == pytest.approx(half, rel=1e-9)


def test_of_several_pairs_each_is_judged_more_strictly():
    # Welch's p of FIRST and SECOND is 0.014: enough alone, too much for the first of ten pairs, 0.05 / 10.
    alone = float(stats.ttest_ind(list(FIRST.values()), list(SECOND.values()), equal_var=False).pvalue)
    assert 0.05 / 10 < alone < 0.05
    many = dict.fromkeys(range(3, 6), ALIKE) | {1: FIRST, 2: SECOND}
    assert compare({1: FIRST, 2: SECOND}, paired=False).differ(1, 2)
    assert not compare(many, paired=False).differ(1, 2)


def test_readings_that_do_not_vary_differ_only_if_they_are_unequal_and_hide_nothing_that_can_be_told():
    constant, other = dict.fromkeys(FIRST, 0.5), dict.fromkeys(FIRST, 0.6)
    comparison = compare({1: constant, 2: other, 3: constant}, paired=False)
    assert comparison.differ(1, 2)
    assert not comparison.differ(1, 3)
    assert math.isnan(unseen_difference(constant, other, comparison))
