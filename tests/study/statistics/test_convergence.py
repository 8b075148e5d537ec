from statistics import median

import pytest

from study.statistics.convergence import compare_times, median_time


def test_the_median_is_what_r_prints_for_its_own_example():
    # survfit(Surv(time, status) ~ 1, data = aml[aml$x == "Maintained", ]): n 11, events 7, median 31
    assert median_time([9, 13, 18, 23, 31, 34, 48], [13, 28, 45, 161]) == 31.0


@pytest.mark.parametrize("times", [[4.0], [4.0, 1.0], [3.0, 1.0, 2.0], [4.0, 1.0, 3.0, 2.0], [2.0, 2.0, 5.0]])
def test_the_median_of_trainings_that_all_reached_it_is_the_usual_one(times):
    assert median_time(times, []) == median(times)


def test_there_is_no_median_unless_more_than_half_reached_it():
    for reached in ([], [1.0], [1.0, 2.0]):
        assert median_time(reached, [5.0, 5.0]) is None


def test_trainings_that_were_watched_for_longer_without_it_raise_the_median():
    assert median_time([1.0, 2.0, 3.0], [0.5]) == 2.0
    assert median_time([1.0, 2.0, 3.0], [9.0]) == 2.5


def test_two_samples_of_times_are_compared_by_the_log_rank_test():
    # Freireich et al. 1963, Blood 21:699: weeks of remission with 6-MP and without; R's survdiff: chisq 16.8
    treated = ((6, 6, 6, 7, 10, 13, 16, 22, 23), (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35))
    control = ((1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23), ())
    assert compare_times(treated, control) == pytest.approx(4.17e-5, rel=0.01)
    assert compare_times(treated, treated) == pytest.approx(1.0)
