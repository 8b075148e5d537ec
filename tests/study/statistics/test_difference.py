import math

import pytest
from scipy import stats

from study.statistics.difference import contrast, paired, welch

# R's `sleep` (Cushny and Peebles 1905; Student 1908, Biometrika 6:1): hours of sleep gained by two drugs.
FIRST = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
SECOND = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)


def test_welchs_test_gives_what_r_prints_for_its_own_example() -> None:
    # t.test(extra ~ group, data = sleep)
    found = welch(FIRST, SECOND)
    assert found.difference == pytest.approx(1.58)
    assert found.freedom == pytest.approx(17.776, abs=5e-4)
    assert found.p_value == pytest.approx(0.07939, abs=5e-6)
    assert found.interval() == pytest.approx((-0.2054832, 3.3654832), abs=5e-7)


def test_the_paired_test_gives_what_r_prints_for_its_own_example() -> None:
    # with(sleep, t.test(extra[group == 2], extra[group == 1], paired = TRUE))
    found = paired(FIRST, SECOND)
    assert found.freedom == 9
    assert found.p_value == pytest.approx(0.002833, abs=5e-7)
    assert found.interval() == pytest.approx((0.7001142, 2.4598858), abs=5e-7)


def test_a_single_reading_bears_no_interval_and_no_difference() -> None:
    found = welch((0.9,), (0.8, 0.7))
    assert found.p_value == 1
    assert all(math.isnan(end) for end in found.interval())


@pytest.mark.parametrize("test", [welch, paired])
def test_readings_that_do_not_vary_differ_for_certain_or_not_at_all(test) -> None:
    assert test((0.9, 0.9), (0.8, 0.8)).p_value == 0
    assert test((0.9, 0.9), (0.8, 0.8)).interval() == pytest.approx((-0.1, -0.1))
    same = test((0.9, 0.9), (0.9, 0.9))
    assert (same.difference, same.standard_error, same.p_value) == (0.0, 0.0, 1.0)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="samples of 0 and 1 readings; give at least one each"):
        welch((), (1.0,))
    with pytest.raises(ValueError, match="samples of 2 and 1 readings; give the same number of both"):
        paired((1.0, 2.0), (1.0,))


def test_a_single_pair_bears_no_interval_and_no_difference() -> None:
    found = paired((0.9,), (0.7,))
    assert (found.difference, found.p_value) == (pytest.approx(-0.2), 1.0)
    assert math.isnan(found.standard_error) and math.isnan(found.freedom)


def test_readings_that_differ_by_rounding_alone_are_equal() -> None:
    assert paired((0.9, 0.9), (0.9 + 1e-12, 0.9 + 1e-12)).p_value == 1.0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("second", [(0.9, 0.9, 0.9), (0.9, 0.9 + 1e-16, 0.9 - 1e-16)])
def test_welchs_test_takes_a_sample_whose_readings_are_equal_without_a_warning(second) -> None:
    found, expected = welch((0.85, 0.89, 0.86), second), stats.ttest_1samp((0.85, 0.89, 0.86), 0.9)
    assert (found.freedom, found.p_value) == pytest.approx((2, expected.pvalue))


def test_two_readings_each_are_enough_for_a_test() -> None:
    found = welch((0.1, 0.3), (0.5, 0.6))
    assert found.difference == pytest.approx(0.35)
    assert found.standard_error == pytest.approx(math.sqrt(0.02 / 2 + 0.005 / 2))
    assert paired((0.1, 0.3), (0.5, 0.6)).standard_error == pytest.approx(0.05)


def test_a_contrast_with_one_group_is_welchs_test() -> None:
    found, expected = contrast([SECOND], FIRST), welch(FIRST, SECOND)
    assert found.p_value == pytest.approx(expected.p_value)
    assert found.interval() == pytest.approx(expected.interval())


def test_a_contrast_compares_the_mean_of_the_groups_means() -> None:
    groups = [(1.0, 2.0, 3.0), (5.0, 7.0), (4.0, 4.5, 5.0, 6.5)]
    found = contrast(groups, FIRST)
    assert found.difference == pytest.approx((2 + 6 + 5) / 3 - 0.75)
    parts = [var / count / 9 for var, count in ((1.0, 3), (2.0, 2), (3.5 / 3, 4))] + [1.7890097**2 / 10]
    assert found.standard_error == pytest.approx(math.sqrt(sum(parts)), rel=1e-6)
    freedom = sum(parts) ** 2 / sum(part**2 / more for part, more in zip(parts, (2, 1, 3, 9), strict=True))
    assert found.freedom == pytest.approx(freedom, rel=1e-6)
    assert contrast([(0.5, 0.5)], (0.4, 0.4)).p_value == 0.0
