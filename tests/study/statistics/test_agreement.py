import csv
import math
from collections import defaultdict
from statistics import mean, stdev

import numpy as np
import pytest
from scipy.stats import t
from statsmodels.stats.weightstats import ttost_ind

from study.spec.study_file import STUDIES_FOLDER
from study.statistics.difference import Published, judge_agreement, pool_differences, pooled_deviation, welch

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


def test_a_published_mean_that_is_moved_by_two_points_differs():
    assert judge_agreement(OURS, publish(THEIRS), 0.5).verdict == "agrees"
    assert judge_agreement(OURS, publish(THEIRS, 2), 0.5).verdict == "differs"
    assert judge_agreement(OURS, publish(THEIRS, -2), 0.5).verdict == "differs"


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


def test_a_single_published_reading_is_judged_by_a_deviation_known_from_others():
    alone = judge_agreement(OURS, Published(89.2, 1, 0.44, is_own=False), 0.5)
    several = judge_agreement(OURS, Published(89.2, 5, 0.44, is_own=False), 0.5)
    assert alone.verdict == "consistent"
    assert several.high - several.low < alone.high - alone.low


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
    with pytest.raises(ValueError, match="no setting has two readings"):
        pool_differences([({("a", 1): 0.9}, publish(THEIRS))])
