"""Trends: Page's and Kendall's tests are SciPy's; for tiny cases every arrangement is counted."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats

from study.statistics.trend import Trend, find_trend, kendall, page

RISING = [{1: 0.80, 2: 0.81}, {1: 0.85, 2: 0.84}, {1: 0.90, 2: 0.89}]


def test_kendalls_tau_is_scipys_over_the_places_of_the_settings():
    groups = [[0.80, 0.81], [0.85, 0.805], [0.90, 0.89]]
    expected = stats.kendalltau([0, 0, 1, 1, 2, 2], np.concatenate(groups))
    found = kendall(groups)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.rising


def test_pages_p_value_is_that_of_counting_every_arrangement():
    readings = np.array([[0.80, 0.85, 0.84], [0.81, 0.84, 0.86], [0.79, 0.80, 0.90]])
    ranks = stats.rankdata(readings, axis=1)
    weights = np.arange(1, 4)
    observed = float((ranks @ weights).sum())
    rows = [sum(w * r for w, r in zip(weights, each, strict=True)) for each in permutations((1, 2, 3))]
    sums = np.array([sum(each) for each in product(rows, repeat=3)])
    found = page(readings)
    assert found.p_value == pytest.approx(
        min(1.0, 2 * min((sums >= observed).mean(), (sums <= observed).mean()))
    )
    assert -1 <= found.statistic <= 1


@pytest.mark.parametrize("is_paired", [False, True])
def test_turning_the_order_round_turns_the_trend_round(is_paired: bool):
    there, back = find_trend(RISING, is_paired), find_trend(RISING[::-1], is_paired)
    assert there.rising and not back.rising
    assert there.p_value == pytest.approx(back.p_value)
    assert there.statistic == pytest.approx(-back.statistic)


def test_only_seeds_that_every_setting_has_are_paired():
    further = [*RISING[:2], {**RISING[2], 3: 0.1}]
    assert find_trend(further, is_paired=True) == find_trend(RISING, is_paired=True)


@pytest.mark.parametrize(("is_paired", "name"), [(False, "Kendall's tau"), (True, "Page's L (scaled)")])
def test_the_test_is_named_whether_or_not_anything_varies(is_paired: bool, name: str):
    constant = [{1: 0.9, 2: 0.9}] * 3
    single = [{1: 0.8}, {1: 0.9}, {1: 0.91}]
    assert find_trend(constant, is_paired) == Trend(name, 0.0, 1.0)
    assert not find_trend(single, is_paired).is_seen
    assert find_trend(RISING, is_paired).name == name


def test_pages_l_is_scaled_between_the_least_and_the_most():
    # Ranks 1 3 2 and 1 2 3: L is 13 + 14, the middle 24, the most 28.
    found = page(np.array([[0.1, 0.3, 0.2], [0.1, 0.2, 0.3]]))
    assert found.statistic == pytest.approx((27 - 24) / (28 - 24))
    assert not Trend("t", 0.0, 0.05).rising and Trend("t", 0.1, 0.05).is_seen


def test_three_readings_of_two_settings_are_enough_for_kendall():
    found, expected = kendall([[0.1, 0.2], [0.3]]), stats.kendalltau([0, 0, 1], [0.1, 0.2, 0.3])
    assert found.p_value == pytest.approx(expected.pvalue)
    assert kendall([[0.1], [0.3]]).p_value == 1.0
