"""Which lane is handed out next, and what becomes of those who wait."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from study.errors import LanesLost
from tasks.cluster_members import Member, Members
from tasks.devices import Device
from tasks.greeting import Greeting
from tasks.lane_work import LanesClosed
from tests.waiting import wait_until


def make_member(address: str, seconds: float = 1.0, host: str = "a", kind: str = "CPU") -> Member:
    greeting = Greeting(host, Device(kind), f"processor of {host}", "native", {}, seconds)
    return Member(address, f"{host}/{address}", greeting)


def take(members: Members) -> str:
    return members.take(lambda: None)


def test_the_fastest_free_lane_is_handed_out_first():
    members = Members(10)
    for address, seconds, host in (("slow", 4.0, "b"), ("fast", 1.0, "a"), ("middle", 2.0, "c")):
        members.add(make_member(address, seconds, host))
    assert [take(members) for _ in range(3)] == ["fast", "middle", "slow"]
    members.give_back("slow")
    members.give_back("middle")
    assert take(members) == "middle"


def test_a_pace_is_told_by_lanes_alike_and_the_first_kind_has_pace_one():
    members = Members(10)
    for number, seconds in enumerate((1.0, 1.1, 3.0)):  # the third was disturbed while it was measured
        members.add(make_member(f"a{number}", seconds, "a"))
    members.add(make_member("b0", 0.55, "b"))
    assert members.pace_of("a2") == members.pace_of("a/a2") == 1.0
    assert members.pace_of("b0") == pytest.approx(2.0)
    assert members.paces == pytest.approx((2.0, 1.0, 1.0, 1.0))
    assert members.pace_of("unknown") == 1.0


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


def test_a_spare_lane_is_one_that_nobody_waits_for_and_that_is_worth_it():
    members = Members(10)
    members.add(make_member("one", 1.0, "a"))
    members.add(make_member("half", 2.0, "b"))
    assert take(members) == "one"
    assert members.take_spare(lambda pace: pace > 0.9) is None
    assert members.take_spare(lambda pace: pace > 0.4) == "half"
    assert members.take_spare(lambda _: True) is None
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(take, members)
        wait_until(lambda: members._waiting)
        members.close()
        with pytest.raises(LanesClosed):
            waiting.result()
    assert members.take_spare(lambda _: True) is None
