"""Batches of trainings: all of them, in order, few enough, and none much longer than another."""

import pytest
from hypothesis import given, strategies as st

from study.plan.plan import LEAST_SECONDS, MAX_TASK_RUNS, pack
from tests.fuzz import repeatable

SECONDS = st.lists(st.one_of(st.just(0.0), st.floats(0, 1e5)), max_size=200)


@repeatable
@given(SECONDS, st.integers(1, 50))
def test_batches_hold_every_training_in_order_and_are_few_and_none_exceeds_a_share_by_more_than_its_last(
    seconds: list[float], most: int
):
    batches = pack(seconds, most)
    assert [place for batch in batches for place in batch] == list(range(len(seconds)))
    assert len(batches) <= most
    counted = [max(each, LEAST_SECONDS) for each in seconds]
    for batch in batches:
        assert len(batch) > 0
        before_last = sum(counted[place] for place in batch[:-1])
        assert before_last <= sum(counted) / most * (1 + 1e-9)


@repeatable
@given(SECONDS, st.integers(1, 50))
def test_longest_first_what_is_longer_than_a_share_is_alone(seconds: list[float], most: int):
    ordered = sorted(seconds, reverse=True)
    share = sum(max(each, LEAST_SECONDS) for each in ordered) / most
    batches = pack(ordered, most)
    assert all(len(batch) == 1 for batch in batches if ordered[batch[0]] > share * (1 + 1e-9))


@pytest.mark.parametrize("count", [0, 1, MAX_TASK_RUNS])
def test_as_long_as_there_are_few_each_training_is_by_itself(count: int):
    assert pack([0.0] * count) == [range(place, place + 1) for place in range(count)]


def test_short_trainings_and_those_that_are_read_are_packed_and_long_ones_are_not():
    batches = pack([100.0, 50.0, *[1.0] * 30, *[0.0] * 300], 6)
    assert batches == [range(0, 1), range(1, 2), range(2, 8), range(8, 332)]


def test_batches_end_where_a_share_is_full():
    # A share of 10: the first alone, then 6 and 4, then 9 and 1.
    assert pack([10.0, 6.0, 4.0, 9.0, 1.0], 3) == [range(0, 1), range(1, 3), range(3, 5)]
    assert pack([5.0, 5.0, 5.0, 5.0], 2) == [range(0, 2), range(2, 4)]
    assert pack([1.0, 1.0], 2) == [range(0, 1), range(1, 2)]
