"""Differences of means, and the agreement of ours with a published one."""

import csv
import math
from collections import defaultdict
from statistics import mean, stdev

import numpy as np
import pytest
from scipy import stats
from scipy.stats import t
from statsmodels.stats.weightstats import ttost_ind

from study.spec.study_file import STUDIES_FOLDER
from study.statistics.difference import (
    Difference,
    Published,
    contrast,
    judge_agreement,
    paired,
    pool_differences,
    pooled_deviation,
    welch,
)

# R's `sleep` (Cushny and Peebles 1905; Student 1908, Biometrika 6:1): hours of sleep gained by two drugs.
FIRST = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
SECOND = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)


def test_welchs_test_gives_what_r_prints_for_its_own_example():
    # t.test(extra ~ group, data = sleep)
    found = welch(FIRST, SECOND)
    assert found.difference == pytest.approx(1.58)
    assert found.freedom == pytest.approx(17.776, abs=5e-4)
    assert found.p_value == pytest.approx(0.07939, abs=5e-6)
    assert found.interval() == pytest.approx((-0.2054832, 3.3654832), abs=5e-7)


def test_the_paired_test_gives_what_r_prints_for_its_own_example():
    # with(sleep, t.test(extra[group == 2], extra[group == 1], paired = TRUE))
    found = paired(FIRST, SECOND)
    assert found.freedom == 9
    assert found.p_value == pytest.approx(0.002833, abs=5e-7)
    assert found.interval() == pytest.approx((0.7001142, 2.4598858), abs=5e-7)


def test_a_single_reading_or_pair_bears_no_interval_and_no_difference():
    for found in (welch((0.9,), (0.8, 0.7)), paired((0.9,), (0.75,))):
        assert (found.difference, found.p_value) == (pytest.approx(-0.15), 1)
        assert math.isnan(found.standard_error) and math.isnan(found.freedom)
        assert all(math.isnan(end) for end in found.interval())


@pytest.mark.parametrize("test", [welch, paired])
def test_readings_that_do_not_vary_differ_for_certain_or_not_at_all(test):
    assert test((0.9, 0.9), (0.8, 0.8)).p_value == 0
    assert test((0.9, 0.9), (0.8, 0.8)).interval() == pytest.approx((-0.1, -0.1))
    assert test((0.9, 0.9), (0.9, 0.9)) == Difference(0.0, 0.0, test((0.9, 0.9), (0.9, 0.9)).freedom, 1.0)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="samples of 0 and 1 readings; give at least one each"):
        welch((), (1.0,))
    with pytest.raises(ValueError, match="samples of 2 and 1 readings; give the same number of both"):
        paired((1.0, 2.0), (1.0,))
    with pytest.raises(ValueError, match="no setting has two readings"):
        pool_differences([({("a", 1): 0.9}, publish(THEIRS))])


def test_readings_that_differ_by_rounding_alone_are_equal():
    assert paired((0.9, 0.9), (0.9 + 1e-12, 0.9 + 1e-12)).p_value == 1.0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("second", [(0.9, 0.9, 0.9), (0.9, 0.9 + 1e-16, 0.9 - 1e-16)])
def test_welchs_test_takes_a_sample_whose_readings_are_equal_without_a_warning(second):
    found, expected = welch((0.85, 0.89, 0.86), second), stats.ttest_1samp((0.85, 0.89, 0.86), 0.9)
    assert (found.freedom, found.p_value) == pytest.approx((2, expected.pvalue))


def test_two_readings_each_are_enough_for_a_test():
    found = welch((0.1, 0.3), (0.5, 0.6))
    assert found.difference == pytest.approx(0.35)
    assert found.standard_error == pytest.approx(math.sqrt(0.02 / 2 + 0.005 / 2))
    assert paired((0.1, 0.3), (0.5, 0.6)).standard_error == pytest.approx(0.05)


def test_a_contrast_with_one_group_is_welchs_test():
    found, expected = contrast([SECOND], FIRST), welch(FIRST, SECOND)
    assert found.p_value == pytest.approx(expected.p_value)
    assert found.interval() == pytest.approx(expected.interval())


def test_a_contrast_compares_the_mean_of_the_groups_means():
    groups = [(1.0, 2.0, 3.0), (5.0, 7.0), (4.0, 4.5, 5.0, 6.5)]
    found = contrast(groups, FIRST)
    assert found.difference == pytest.approx((2 + 6 + 5) / 3 - 0.75)
    parts = [var / count / 9 for var, count in ((1.0, 3), (2.0, 2), (3.5 / 3, 4))] + [1.7890097**2 / 10]
    assert found.standard_error == pytest.approx(math.sqrt(sum(parts)), rel=1e-6)
    freedom = sum(parts) ** 2 / sum(part**2 / more for part, more in zip(parts, (2, 1, 3, 9), strict=True))
    assert found.freedom == pytest.approx(freedom, rel=1e-6)
    assert contrast([(0.5, 0.5)], (0.4, 0.4)).p_value == 0.0


OURS, THEIRS = (89.1, 89.5, 89.3, 89.0), (89.4, 88.9, 89.6, 89.2, 89.3)


def publish(readings: tuple[float, ...], by: float = 0.0) -> Published:
    return Published(mean(readings) + by, len(readings), stdev(readings), is_own=True)


def test_the_interval_is_that_of_welchs_test():
    found, expected = judge_agreement(OURS, publish(THEIRS), 0.5), welch(THEIRS, OURS)
    assert found.difference == pytest.approx(expected.difference)
    assert (found.low, found.high) == pytest.approx(expected.interval())


@pytest.mark.parametrize("margin", np.arange(0.05, 1.0, 0.05))
def test_readings_agree_just_where_statsmodels_finds_them_equivalent(margin):
    p_value = ttost_ind(np.array(OURS), np.array(THEIRS), -margin, margin, usevar="unequal")[0]
    assert (judge_agreement(OURS, publish(THEIRS), margin).verdict == "agrees") == (p_value < 0.05)


def test_a_mean_that_as_many_of_our_readings_may_well_have_is_consistent():
    readings = (67.3, 71.6, 73.2, 73.6)
    half = t.ppf(0.975, 3) * stdev(readings) * math.sqrt(1 / 4 + 1 / 5)
    for by, verdict in ((0.99 * half, "consistent"), (1.01 * half, "differs"), (-1.01 * half, "differs")):
        found = judge_agreement(readings, Published(mean(readings) + by, 5, 1.0, is_own=True), 0.5)
        assert found.verdict == verdict
        expected = (mean(readings) - half, mean(readings) + half)
        assert (found.expected_low, found.expected_high) == pytest.approx(expected)


def test_a_single_reading_of_ours_decides_nothing_whatever_it_is():
    found = judge_agreement((50.0,), publish(THEIRS), 0.5)
    assert found.verdict == "undecided"
    assert math.isnan(found.low) and math.isnan(found.high)


def test_readings_that_do_not_vary_are_judged_by_their_difference():
    same = Published(89.0, 3, 0.0, is_own=True)
    assert judge_agreement((89.2, 89.2), same, 0.5).verdict == "agrees"
    assert judge_agreement((89.6, 89.6), same, 0.5).verdict == "differs"


def test_the_published_readings_spread_by_what_is_said_of_them():
    # studies/published/README.md: "Pooled standard deviation of one reading: 0.44 points"
    with (STUDIES_FOLDER / "published" / "readings.csv").open(newline="") as lines:
        cells = defaultdict(list)
        for row in csv.DictReader(lines):
            cells[row["exercise"], row["value"]].append(float(row["accuracy_pct"]))
    # It is that of the settings at learning rate 0.01 with five epochs or more; over all of them it is 0.59.
    others = {("4", "1"), ("4", "2"), *(cell for cell in cells if cell[0] == "5" and float(cell[1]) != 0.01)}
    stable = [readings for cell, readings in cells.items() if cell not in others]
    assert pooled_deviation(cells.values()) == pytest.approx(0.59, abs=0.005)
    assert pooled_deviation(stable) == pytest.approx(0.44, abs=0.005)


def test_a_deviation_is_pooled_by_degrees_of_freedom_from_two_readings_on():
    assert pooled_deviation([(1.0, 3.0), (2.0, 2.0, 5.0), (9.0,)]) == pytest.approx(math.sqrt((2 + 6) / 3))
    assert pooled_deviation([[1.0], []]) is None


def test_a_known_deviation_is_judged_by_the_degrees_of_freedom_of_our_readings_alone():
    found = judge_agreement(OURS, Published(89.2, 4, 0.44, is_own=False), 0.5)
    ours, theirs = stdev(OURS) ** 2 / 4, 0.44**2 / 4
    freedom = (ours + theirs) ** 2 / (ours**2 / 3)
    half = t.ppf(0.975, freedom) * math.sqrt(ours + theirs)
    difference = mean(OURS) - 89.2
    assert found.difference == pytest.approx(difference)
    assert (found.low, found.high) == pytest.approx((difference - half, difference + half))


def test_readings_without_spread_beside_a_known_deviation_have_a_normal_interval():
    found = judge_agreement((89.0, 89.0), Published(89.2, 4, 0.4, is_own=False), 0.5)
    assert (found.low, found.high) == pytest.approx((-0.2 - 1.959964 * 0.2, -0.2 + 1.959964 * 0.2))
    assert found.verdict == "differs", "two more such readings would be just alike, too"


def test_pooled_differences_weigh_each_setting_by_its_precision():
    cells = [({("a", seed): x for seed, x in enumerate(OURS)}, publish(THEIRS)),
             ({("b", seed): x + 1 for seed, x in enumerate(OURS)}, publish(THEIRS, 2))]  # fmt: skip
    found = pool_differences(cells)
    errors = [welch(THEIRS, OURS).standard_error] * 2
    assert found.difference == pytest.approx(welch(THEIRS, OURS).difference - 0.5)
    assert found.standard_error == pytest.approx(math.hypot(*errors) / 2)
    wide = [(cells[0][0], cells[0][1]), ({("b", s): 89 + 9 * s for s in range(4)}, publish(THEIRS))]
    assert abs(pool_differences(wide).difference - welch(THEIRS, OURS).difference) < 0.05


def test_readings_that_stand_in_two_settings_count_once():
    once = {("a", seed): x for seed, x in enumerate(OURS)}
    apart = [(once, publish(THEIRS)), ({("b", seed): x for (_, seed), x in once.items()}, publish(THEIRS))]
    together = [(once, publish(THEIRS)), (once, publish(THEIRS))]
    assert pool_differences(together).difference == pytest.approx(pool_differences(apart).difference)
    our_part, their_part = stdev(OURS) ** 2 / 4, stdev(THEIRS) ** 2 / 5 / 2
    assert pool_differences(together).standard_error == pytest.approx(math.sqrt(our_part + their_part))
