import math

import numpy as np
import pytest
from scipy import stats

from study.spec.study_file import read_study
from study.statistics.difference import welch
from study.statistics.power import TTest, smallest_permutation_p


def test_the_power_is_what_r_prints_for_its_own_examples():
    # power.t.test(n = 20, delta = 1, sd = 1): power = 0.8689528
    assert TTest(1).power(1, 20) == pytest.approx(0.8689528, abs=5e-7)
    # power.t.test(power = .90, delta = 1): n = 22.02110
    assert TTest(1).power(1, 22) < 0.9 < TTest(1).power(1, 23)


def test_the_rigorous_study_repeats_as_often_as_three_tenths_of_a_point_need():
    # 0.44 points: the pooled standard deviation of one published reading, see studies/published/README.md
    (repeats,) = {sweep.repeats for sweep in read_study("rigorous").sweeps}
    assert TTest(0.44).needed(0.3) == repeats


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("repeats", [2, 4, 5, 35])
def test_a_detectable_difference_needs_just_the_repeats_it_was_made_for(repeats, paired):
    test = TTest(0.44, 0.005, paired)
    difference = test.detectable(repeats)
    assert test.power(difference, repeats) == pytest.approx(0.8, abs=1e-4)
    assert test.needed(1.0001 * difference) == repeats


def test_simulated_studies_see_a_difference_as_often_as_predicted():
    random = np.random.default_rng(1)
    seen = sum(
        welch(random.normal(0, 1, 5).tolist(), random.normal(2, 1, 5).tolist()).p_value <= 0.05
        for _ in range(2000)
    )
    # Welch's test gives a little power away against the pooled one that the formula is of.
    assert seen / 2000 == pytest.approx(TTest(1).power(2, 5), abs=0.03)


def test_what_is_as_good_as_no_difference_needs_more_repeats_than_anyone_can_take():
    assert TTest(0.44).needed(0.0) is None
    assert TTest(0.44).needed(100.0) == 2


@pytest.mark.parametrize(("first", "second"), [(4, 4), (3, 5), (2, 2)])
def test_the_smallest_p_is_that_of_samples_that_do_not_overlap(first, second):
    apart = (np.arange(first) / 10, 100 + np.arange(second) / 7)

    def distance(one, other, axis):
        return np.mean(one, axis=axis) - np.mean(other, axis=axis)

    every = stats.permutation_test(apart, distance, n_resamples=np.inf, vectorized=True)
    extreme = np.abs(every.null_distribution) >= abs(every.statistic) - 1e-9
    assert extreme.mean() == pytest.approx(smallest_permutation_p(first, second, is_paired=False))


def test_the_smallest_p_of_pairs_is_that_of_differences_of_one_sign():
    assert smallest_permutation_p(4, 4, is_paired=True) == pytest.approx(
        stats.wilcoxon([1.0, 2.0, 3.0, 4.0], method="exact").pvalue
    )


def test_four_repeats_cannot_reach_what_ten_pairs_ask_without_assuming_a_distribution():
    four, five, six = (smallest_permutation_p(each, each, is_paired=False) for each in (4, 5, 6))
    assert four > five > 0.05 / 10 >= six


def test_unequal_variances_cost_power_as_in_a_simulation_of_welchs_test():
    rng = np.random.default_rng(11)
    first, second = rng.normal(0, 1, (40_000, 5)), rng.normal(3, 3, (40_000, 5))
    seen = (stats.ttest_ind(first, second, axis=1, equal_var=False).pvalue <= 0.05).mean()
    predicted = TTest(math.sqrt((1 + 9) / 2), variance_ratio=9).power(3, 5)
    assert predicted == pytest.approx(seen, abs=0.02)
    assert predicted < TTest(math.sqrt((1 + 9) / 2)).power(3, 5)
