import pytest

from study.makespan import makespan_bound, simulate_makespan


def test_each_free_lane_takes_the_next():
    # Lane 1: 5; lane 2: 3 and 3; lane 1 takes the last 2.
    assert simulate_makespan([5, 3, 3, 2], 2) == 7
    assert simulate_makespan([5, 3, 3, 2], 1) == 13
    assert simulate_makespan([5, 3, 3, 2], 100) == 5


def test_no_trainings_take_no_time():
    assert simulate_makespan([], 3) == 0
    assert makespan_bound([], 3) == 0


@pytest.mark.parametrize(("lanes", "bound"), [(1, 13), (2, 6.5), (4, 5), (1000, 5)])
def test_no_order_goes_below_an_even_share_or_the_longest(lanes: int, bound: float):
    assert makespan_bound([5, 3, 3, 2], lanes) == bound


def test_longest_first_is_within_its_proven_factor_of_the_bound():
    seconds = sorted(((7 * n * n) % 101 + 1.0 for n in range(200)), reverse=True)
    for lanes in (2, 3, 10, 50):
        assert simulate_makespan(seconds, lanes) <= makespan_bound(seconds, lanes) * (4 / 3)


def test_the_fastest_lanes_take_the_longest_and_help_the_slow_ones_in_the_end():
    # The fast lane: 8 and 6, done at 3.5; the slow one is at 7 until 7: the fast one needs 1.75 for it.
    assert simulate_makespan([8, 7, 6], [1.0, 4.0]) == pytest.approx(2 + 1.5 + 1.75)
    assert simulate_makespan([8, 7, 6], [1.0, 1.0]) == simulate_makespan([8, 7, 6], 2) == 13


def test_lanes_that_are_slow_never_make_it_longer_than_the_fast_one_alone():
    seconds = sorted(((7 * n * n) % 101 + 1.0 for n in range(50)), reverse=True)
    alone = simulate_makespan(seconds, [1.0])
    for slow in (0.5, 0.1, 0.01, 1e-6):
        mixed = simulate_makespan(seconds, [1.0, slow, slow])
        assert makespan_bound(seconds, [1.0, slow, slow]) <= mixed <= alone * (1 + 1e-9) + 101


def test_no_order_goes_below_an_even_share_of_the_paces_or_the_longest_on_the_fastest():
    assert makespan_bound([5, 3, 3, 2], [2.0, 1.0]) == pytest.approx(13 / 3)
    assert makespan_bound([12, 1], [2.0, 1.0]) == 6


def test_fewer_trainings_than_lanes_are_on_the_fastest():
    assert simulate_makespan([8], [1.0, 4.0]) == simulate_makespan([8], [4.0, 1.0]) == 2


def test_who_helps_may_be_helped_in_turn():
    # Paces 4, 2, 1 at 8, 8, 8: done at 2, 4 and 8. At 2 the first takes what the last is at: done at 4, and
    # the second, done at 4, could not be quicker.
    assert simulate_makespan([8, 8, 8], [1.0, 2.0, 4.0]) == 4
