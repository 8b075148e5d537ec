import math

import numpy as np
import pytest
from scipy import stats

from study.spec.study_file import read_study
from study.statistics.power import (
    detectable_difference,
    power_of,
    repeats_needed,
    smallest_permutation_p,
)


def test_the_power_is_what_r_prints_for_its_own_examples():
    # power.t.test(n = 20, delta = 1, sd = 1): power = 0.8689528
    assert power_of(1, 1, 20) == pytest.approx(0.8689528, abs=5e-7)
    # power.t.test(power = .90, delta = 1): n = 22.02110
    assert power_of(1, 1, 22) < 0.9 < power_of(1, 1, 23)


def test_the_rigorous_study_repeats_as_often_as_three_tenths_of_a_point_need():
    # 0.44 points: the pooled standard deviation of one published reading, see studies/published/README.md
    (repeats,) = {sweep.repeats for sweep in read_study("rigorous").sweeps}
    assert repeats_needed(0.3, 0.44) == repeats


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("repeats", [2, 4, 5, 35])
def test_a_detectable_difference_needs_just_the_repeats_it_was_made_for(repeats, paired):
    difference = detectable_difference(0.44, repeats, 0.005, paired)
    assert power_of(difference, 0.44, repeats, 0.005, paired) == pytest.approx(0.8, abs=1e-4)
    assert repeats_needed(1.0001 * difference, 0.44, 0.005, paired) == repeats


def test_what_is_as_good_as_no_difference_needs_more_repeats_than_anyone_can_take():
    assert repeats_needed(0.0, 0.44) is None
    assert repeats_needed(100.0, 0.44) == 2


@pytest.mark.parametrize(("first", "second"), [(4, 4), (3, 5), (2, 2)])
def test_the_smallest_p_is_that_of_samples_that_do_not_overlap(first, second):
    apart = (np.arange(first) / 10, 100 + np.arange(second) / 7)

    def distance(one, other, axis):
        return np.mean(one, axis=axis) - np.mean(other, axis=axis)

    every = stats.permutation_test(apart, distance, n_resamples=np.inf, vectorized=True)
    extreme = np.abs(every.null_distribution) >= abs(every.statistic) - 1e-9
    assert extreme.mean() == pytest.approx(smallest_permutation_p(first, second))


def test_the_smallest_p_of_pairs_is_that_of_differences_of_one_sign():
    assert smallest_permutation_p(4, 4, paired=True) == pytest.approx(
        stats.wilcoxon([1.0, 2.0, 3.0, 4.0], method="exact").pvalue
    )


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ValueError, match=r"repeats=1, deviation=0\.44; give at least 2, and more than 0"):
        power_of(0.3, 0.44, 1)
    with pytest.raises(ValueError, match="repeats=5, deviation=0; give at least 2, and more than 0"):
        detectable_difference(0.0, 5)
    with pytest.raises(ValueError, match="4 and 5 readings; give at least 1 of each, equally many if"):
        smallest_permutation_p(4, 5, paired=True)


def test_unequal_variances_cost_power_as_in_a_simulation_of_welchs_test():
    rng = np.random.default_rng(11)
    first, second = rng.normal(0, 1, (40_000, 5)), rng.normal(3, 3, (40_000, 5))
    seen = (stats.ttest_ind(first, second, axis=1, equal_var=False).pvalue <= 0.05).mean()
    predicted = power_of(3, math.sqrt((1 + 9) / 2), 5, variance_ratio=9)
    assert predicted == pytest.approx(seen, abs=0.02)
    assert predicted < power_of(3, math.sqrt((1 + 9) / 2), 5)
