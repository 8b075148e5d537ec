"""Lanes that are there: what each says of itself, which is handed out next, and who waits for one."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from study.errors import LanesLost
from tasks.lanes.devices import Device
from tasks.lanes.members import (
    LaneFacts,
    Member,
    Members,
    find_device,
    introduce,
    read_lane_facts,
    read_versions,
    why_refused,
)
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


def test_one_that_comes_while_somebody_waits_is_handed_out_and_closing_ends_the_wait():
    members = Members(10)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(take, members)
        wait_until(lambda: members._waiting)
        members.add(make_member("late"))
        assert waiting.result() == "late"
        waiting = threads.submit(take, members)
        wait_until(lambda: members._waiting)
        members.close()
        with pytest.raises(LanesClosed):
            waiting.result()


# What a lane says of itself, and why it is refused.

HERE = {"python": "3.11.7", "code": "abc (commit 1)", "numpy": "2.4.6", "prefect": "3.8.8", "other": "1"}


def test_the_same_versions_are_not_refused():
    assert why_refused(read_versions(), read_versions()) is None
    assert why_refused({**HERE, "code": "abc (commit unknown)", "other": "2", "more": "1"}, HERE) is None


def test_both_versions_are_named_and_not_too_many():
    there = {"python": "3.12.0", "code": "abd (commit 2)", "numpy": "2.3.0"}
    assert why_refused(there, HERE) == (
        "python 3.12.0 there, 3.11.7 here; code abd (commit 2) there, abc (commit 1) here; "
        "numpy 2.3.0 there, 2.4.6 here; and 1 more"
    )


def test_a_lane_sees_its_first_gpu_only():
    assert find_device({"CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b"}) == Device("GPU", "GPU-a")
    assert find_device({"CUDA_VISIBLE_DEVICES": "-1"}) == Device("CPU")


def test_a_greeting_says_what_would_train(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    facts = read_lane_facts("auto")
    assert (facts.device, facts.engine) == (Device("CPU"), "native")
    assert facts.versions["numpy"] == read_versions()["numpy"]


def test_what_stands_in_the_way_is_told_with_the_versions(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a")
    versions, reason = introduce("native")
    assert "numpy" in versions
    assert isinstance(reason, str)
    assert reason.startswith("InputError: --engine: native cannot be used here: it trains on CPU cores")
