"""How long lanes take for a list of trainings."""

import pytest

from study.plan.forecast import makespan_bound, simulate_makespan


def test_each_free_lane_takes_the_next():
    # Lane 1: 5; lane 2: 3 and 3; lane 1 takes the last 2.
    assert simulate_makespan([5, 3, 3, 2], 2) == 7
    assert simulate_makespan([5, 3, 3, 2], 1) == 13
    assert simulate_makespan([5, 3, 3, 2], 100) == 5
    assert simulate_makespan([], 3) == makespan_bound([], 3) == 0


@pytest.mark.parametrize(("lanes", "bound"), [(1, 13), (2, 6.5), (4, 5), (1000, 5)])
def test_no_order_goes_below_an_even_share_or_the_longest(lanes: int, bound: float):
    assert makespan_bound([5, 3, 3, 2], lanes) == bound
