"""Lanes: real worker processes that run functions, die, are replaced, and leave nothing behind."""

import logging
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from distributed.nanny import WorkerProcess

from study.errors import LanesLost
from tasks.lanes.devices import Device
from tasks.lanes.lanes import Lanes
from tasks.lanes.local import LocalLanes
from tasks.lanes.process import LaneDied, LaneHung, LanesClosed, report_progress
from tests.cluster import CODE
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lanes() -> Iterator[LocalLanes]:
    with LocalLanes([Device("CPU"), Device("CPU")]) as running:
        yield running


def describe_lane() -> tuple[int, str]:
    return os.getpid(), os.environ["CUDA_VISIBLE_DEVICES"]


def meet(folder: Path, number: int) -> tuple[int, str]:
    """Describe the lane once as many as that are here."""
    (folder / f"{os.getpid()}").touch()
    wait_until(lambda: len(list(folder.iterdir())) >= number)
    return describe_lane()


def name_process(earlier: list[int]) -> list[int]:
    return [*earlier, os.getpid()]


def wait_for_end(begun: Path, end: Path) -> tuple[int, str]:
    """Say by a file that this has begun, and describe the lane once another is there."""
    begun.write_text(f"{os.getpid()}")
    wait_until(end.exists)
    return describe_lane()


def stop_lane(lanes: Lanes, begun: Path) -> None:
    """Stop the one that runs `wait_for_end`, once the caller has heard so: before, it counts as starting."""
    process = int(wait_until(lambda: begun.exists() and begun.read_text()))
    wait_until(lanes.running)
    with suppress(ProcessLookupError):  # it was silent for long enough
        os.kill(process, signal.SIGSTOP)


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


def test_functions_run_in_processes_of_their_own_that_see_their_device(lanes: LocalLanes, tmp_path: Path):
    with ThreadPoolExecutor(2) as threads:
        (first, seen), (second, _) = threads.map(lambda label: lanes.run(label, meet, tmp_path, 2), "ab")
    assert len({first, second, os.getpid()}) == 3
    assert seen == "-1"


def test_a_lane_that_dies_is_told_replaced_and_does_not_count_against_its_neighbour(
    lanes: LocalLanes, tmp_path: Path
):
    begun, end = tmp_path / "begun", tmp_path / "end"
    with ThreadPoolExecutor(1) as threads:
        neighbour = threads.submit(lanes.run, "neighbour", wait_for_end, begun, end)
        wait_until(begun.exists)
        with pytest.raises(LaneDied, match=r"lane-\d died while it ran 'victim'; it has been replaced"):
            lanes.run("victim", end_own_process)
        end.touch()
        assert neighbour.result()[1] == "-1"
    for attempt in range(2):
        assert lanes.run("victim", describe_lane)[1] == "-1", attempt
    assert (lanes.attempts["neighbour"], lanes.attempts["victim"]) == (1, 3)


def test_closing_ends_what_runs_and_leaves_no_process(tmp_path: Path):
    never = tmp_path / "never"
    with LocalLanes([Device("CPU")] * 2) as lanes, ThreadPoolExecutor(3) as threads:
        waiting = [
            threads.submit(lanes.run, str(number), wait_for_end, tmp_path / f"begun-{number}", never)
            for number in range(3)
        ]
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        processes = lanes.process_ids()
        lanes.close()
        for future in waiting:
            with pytest.raises(LanesClosed):
                future.result()
    assert len(processes) == 2
    assert not any(map(is_alive, processes))


def test_no_process_starts_before_there_is_work():
    with LocalLanes([Device("CPU")]) as idle:
        assert idle.process_ids() == []


def test_lanes_that_are_started_ahead_run_before_there_is_work():
    with LocalLanes([Device("CPU")] * 2) as lanes:
        lanes.start_ahead()
        wait_until(lambda: len(lanes.process_ids()) == 2)
        ahead = lanes.process_ids()
        assert lanes.run("who", os.getpid) in ahead


def test_lanes_that_were_closed_are_not_started_ahead():
    lanes = LocalLanes([Device("CPU")])
    lanes.close()
    lanes.start_ahead()
    with pytest.raises(LanesClosed, match=r"^stopped before 'who' was finished$"):
        lanes.run("who", os.getpid)
    assert lanes.process_ids() == []


def get_on(seconds: float) -> str:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        report_progress()
        time.sleep(0.05)
    return "done"


def run_out_of_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
    bytearray(2**32)


def test_a_lane_that_makes_no_progress_is_killed_and_replaced(lanes: LocalLanes, tmp_path: Path):
    begun, never = tmp_path / "begun", tmp_path / "never"
    with ThreadPoolExecutor(1) as threads:
        stopping = threads.submit(stop_lane, lanes, begun)
        with pytest.raises(
            LaneHung, match=r"lane-\d made no progress for 2 s while it ran 'stuck'; it was killed"
        ):
            lanes.run("stuck", wait_for_end, begun, never, silence_seconds=2)
        stopping.result()
    assert [lanes.run("stuck", describe_lane)[1] for _ in range(2)] == ["-1", "-1"]


def test_a_lane_that_gets_on_may_take_longer_than_it_may_be_silent(lanes: LocalLanes):
    assert lanes.run("long", get_on, 4.0, silence_seconds=3) == "done"


def test_a_lane_is_called_again_in_the_same_attempt(lanes: LocalLanes):
    seen = lanes.run("in parts", name_process, [], proceed=lambda seen: (seen,) if len(seen) < 3 else None)
    assert len(seen) == 3
    assert len(set(seen)) == 1
    assert lanes.attempts["in parts"] == 1


def test_a_lane_whose_work_raised_is_replaced(tmp_path: Path):
    with LocalLanes([Device("CPU")]) as single:
        before, _ = single.run("before", describe_lane)
        with pytest.raises(MemoryError):
            single.run("greedy", run_out_of_memory)
        assert single.failures["greedy"] == ["MemoryError: "]
        assert single.run("after", describe_lane)[0] != before


def test_an_exception_reaches_the_caller_and_the_next_work_is_not_given_to_a_lane_that_is_being_replaced():
    with LocalLanes([Device("CPU")]) as single:
        for number in range(3):
            with pytest.raises(ValueError, match="refused: 3 is odd"):
                single.run(f"odd {number}", refuse)
            assert single.run(f"even {number}", describe_lane)[1] == "-1"


def test_nor_to_one_whose_work_raised_before_its_nanny_knew_that_it_had_started(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(WorkerProcess, "_init_msg_interval", 0.5)  # how often the nanny looks, in seconds
    with LocalLanes([Device("CPU")]) as single:
        for number in range(4):
            with pytest.raises(ValueError, match="refused"):
                single.run(f"odd {number}", refuse)


def test_a_lane_of_other_code_than_the_run_gets_no_work(lanes: LocalLanes, monkeypatch: pytest.MonkeyPatch):
    lanes.run("first", describe_lane)
    monkeypatch.setattr(lanes, "_code", "the hash before an edit")
    with pytest.raises(LanesLost, match="the code has changed since this run began"):
        lanes.run("second", describe_lane)


def test_a_lane_that_is_killed_again_and_again_while_it_starts_comes_back(lanes: LocalLanes):
    lanes.run("first", describe_lane)
    killed = set[int]()
    while len(killed) < 8:
        for process in set(lanes.process_ids()) - killed:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            killed.add(process)
        time.sleep(0.01)
    assert [lanes.run(str(number), describe_lane)[1] for number in range(2)] == ["-1", "-1"]


HOLDER = """
import os, signal, sys, time
from tasks.lanes.devices import Device
from tasks.lanes.local import LocalLanes
if __name__ == "__main__":
    with LocalLanes([Device("CPU")]) as lanes:
        print(lanes.run("pid", os.getpid), flush=True)
        time.sleep(600)
"""


def test_a_lane_dies_with_the_process_that_started_it_even_while_it_is_stopped(tmp_path: Path):
    script = tmp_path / "holder.py"
    script.write_text(HOLDER)
    environment = {**os.environ, "PYTHONPATH": str(CODE)}
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment
    ) as holder:
        assert holder.stdout is not None
        lane = int(holder.stdout.readline())
        os.kill(lane, signal.SIGSTOP)
        holder.kill()
    wait_until(lambda: not is_alive(lane))


def say_and_log(end: Path) -> None:
    logging.getLogger("tasks.anything").info("epoch %d", 1)
    wait_until(end.exists)
    logging.getLogger("tasks.anything").warning("epoch %d", 2)
    logging.getLogger("of.a.library").warning("nobody's business")


def test_what_a_lane_logs_is_logged_meanwhile_by_the_thread_that_waits_for_it(
    lanes: LocalLanes, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    # Prefect knows by the thread which task run a line belongs to.
    caplog.set_level(logging.INFO, "tasks.anything")
    end = tmp_path / "end"
    with ThreadPoolExecutor(2, thread_name_prefix="waiting") as threads:
        running = [threads.submit(lanes.run, label, say_and_log, end) for label in ("first", "second")]
        wait_until(lambda: caplog.text.count("epoch 1") == 2)
        end.touch()
        assert [each.result() for each in running] == [None, None]
    said = [line for line in caplog.records if line.name == "tasks.anything"]
    by_thread = {line.threadName for line in said}
    assert by_thread == {"waiting_0", "waiting_1"}
    for thread in by_thread:
        lines = [(line.levelname, line.getMessage()) for line in said if line.threadName == thread]
        assert lines == [("INFO", "epoch 1"), ("WARNING", "epoch 2")]
    assert not [line for line in caplog.records if line.name == "of.a.library"]


def log_and_die(end: Path) -> None:
    logging.getLogger("tasks.anything").warning("the last words")
    wait_until(end.exists)
    end_own_process()


def test_what_a_lane_said_before_it_died_is_logged_once(
    lanes: LocalLanes, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    with ThreadPoolExecutor(1) as threads:
        dying = threads.submit(lanes.run, "dying", log_and_die, tmp_path / "end")
        wait_until(lambda: "the last words" in caplog.text)
        (tmp_path / "end").touch()
        with pytest.raises(LaneDied):
            dying.result()
    assert caplog.text.count("the last words") == 1
