"""Which lane is handed out next, and what becomes of those who wait."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from study.errors import LanesLost
from tasks.lanes.devices import Device
from tasks.lanes.members import LaneFacts, Member, Members
from tasks.lanes.process import LanesClosed
from tests.waiting import wait_until


def make_member(address: str, host: str = "a") -> Member:
    facts = LaneFacts(host, Device("CPU"), f"processor of {host}", "native", {})
    return Member(address, f"{host}/{address}", facts)


def take(members: Members) -> str:
    return members.take(lambda: None)


def test_the_lane_that_has_been_free_for_longest_is_handed_out_first():
    members = Members(10)
    for address in ("b", "a", "c"):
        members.add(make_member(address))
    assert [take(members) for _ in range(3)] == ["b", "a", "c"]
    members.give_back("c")
    members.give_back("a")
    assert take(members) == "c"


def test_the_lane_that_came_first_stays_the_first_that_was_seen():
    members = Members(10)
    members.add(make_member("one", "b"))
    members.add(make_member("two", "a"))
    members.remove(["one"])
    assert list(members.seen) == ["b/one", "a/two"]


def test_lanes_are_handed_out_in_the_order_in_which_they_were_asked_for():
    members, order = Members(10), []
    members.add(make_member("one"))
    take(members)

    def wait(number: int) -> None:
        address = take(members)
        order.append(number)
        members.give_back(address)

    with ThreadPoolExecutor(4) as threads:
        for number in range(4):
            threads.submit(wait, number)
            wait_until(lambda number=number: len(members._waiting) == number + 1)
        members.give_back("one")
    assert order == [0, 1, 2, 3]


def test_a_lane_that_has_left_is_not_handed_out_nor_given_back():
    members = Members(0.3)
    members.add(make_member("one"))
    members.add(make_member("two"))
    members.remove(["one"])
    assert take(members) == "two"
    members.remove(["two", "two", "never there"])
    members.give_back("two")
    told = threading.Event()
    with pytest.raises(LanesLost, match=r"^no lane came within 0 s$"):
        members.take(told.set)
    assert told.is_set()
    assert (members.most, len(members.seen)) == (2, 2)


def test_one_that_comes_while_somebody_waits_is_handed_out():
    members = Members(10)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(take, members)
        wait_until(lambda: members._waiting)
        members.add(make_member("late"))
        assert waiting.result() == "late"


def test_closing_ends_the_wait_for_a_lane():
    members = Members(10)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(take, members)
        wait_until(lambda: members._waiting)
        members.close()
        with pytest.raises(LanesClosed):
            waiting.result()
