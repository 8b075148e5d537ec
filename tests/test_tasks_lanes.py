"""Lanes: real worker processes that run functions, die, are replaced, and leave nothing behind."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.devices import Device
from tasks.lanes import LaneDied, Lanes, LanesClosed


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    with Lanes([Device("CPU"), Device("CPU")]) as running:
        yield running


def describe_lane(seconds: float) -> tuple[int, str]:
    time.sleep(seconds)
    return os.getpid(), os.environ["CUDA_VISIBLE_DEVICES"]


def end_own_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse() -> None:
    raise ValueError("refused: 3 is odd")


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_functions_run_in_processes_of_their_own_that_see_their_device(lanes: Lanes):
    with ThreadPoolExecutor(2) as threads:
        (first, seen), (second, _) = threads.map(lambda label: lanes.run(label, describe_lane, 0.5), "ab")
    assert len({first, second, os.getpid()}) == 3
    assert seen == "-1"


def test_a_lane_that_dies_is_told_replaced_and_does_not_count_against_its_neighbour(lanes: Lanes):
    with ThreadPoolExecutor(1) as threads:
        neighbour = threads.submit(lanes.run, "neighbour", describe_lane, 1.5)
        time.sleep(0.3)
        with pytest.raises(LaneDied, match=r"lane-\d died while it ran 'victim'; it has been replaced"):
            lanes.run("victim", end_own_process)
        assert neighbour.result()[1] == "-1"
    for attempt in range(2):
        assert lanes.run("victim", describe_lane, 0.0)[1] == "-1", attempt
    assert lanes.attempts == {"neighbour": 1, "victim": 3}


def test_an_exception_reaches_the_caller_as_it_was(lanes: Lanes):
    with pytest.raises(ValueError, match="refused: 3 is odd"):
        lanes.run("odd", refuse)


def test_closing_ends_what_runs_within_seconds_and_leaves_no_process(lanes: Lanes):
    process, _ = lanes.run("first", describe_lane, 0.0)
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(lanes.run, str(number), describe_lane, 60.0) for number in range(3)]
        time.sleep(0.5)
        started = time.monotonic()
        lanes.close()
        for future in waiting:
            with pytest.raises(LanesClosed):
                future.result(timeout=20)
    assert time.monotonic() - started < 20
    assert not is_alive(process)


def test_no_process_starts_before_there_is_work():
    with Lanes([Device("CPU")]) as idle:
        assert idle.process_ids() == []
