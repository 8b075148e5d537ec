"""Lanes: real worker processes that run functions, die, are replaced, and leave nothing behind."""

import contextlib
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from distributed.nanny import WorkerProcess

from tasks.devices import Device
from tasks.lane_credentials import make_credentials
from tasks.lane_process import report_progress
from tasks.lane_work import LaneDied, LaneHung, LanesClosed
from tasks.local_lanes import LocalLanes
from tests.stepped_clock import SteppedClock


@pytest.fixture
def lanes() -> Iterator[LocalLanes]:
    with LocalLanes([Device("CPU"), Device("CPU")]) as running:
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


def test_functions_run_in_processes_of_their_own_that_see_their_device(lanes: LocalLanes):
    with ThreadPoolExecutor(2) as threads:
        (first, seen), (second, _) = threads.map(lambda label: lanes.run(label, describe_lane, 0.5), "ab")
    assert len({first, second, os.getpid()}) == 3
    assert seen == "-1"


def test_a_lane_that_dies_is_told_replaced_and_does_not_count_against_its_neighbour(lanes: LocalLanes):
    with ThreadPoolExecutor(1) as threads:
        neighbour = threads.submit(lanes.run, "neighbour", describe_lane, 1.5)
        time.sleep(0.3)
        with pytest.raises(LaneDied, match=r"lane-\d died while it ran 'victim'; it has been replaced"):
            lanes.run("victim", end_own_process)
        assert neighbour.result()[1] == "-1"
    for attempt in range(2):
        assert lanes.run("victim", describe_lane, 0.0)[1] == "-1", attempt
    assert lanes.attempts == {"neighbour": 1, "victim": 3}


def test_an_exception_reaches_the_caller_as_it_was(lanes: LocalLanes):
    with pytest.raises(ValueError, match="refused: 3 is odd"):
        lanes.run("odd", refuse)


def test_closing_ends_what_runs_within_seconds_and_leaves_no_process(lanes: LocalLanes):
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
    with LocalLanes([Device("CPU")]) as idle:
        assert idle.process_ids() == []


def test_lanes_that_are_started_ahead_run_before_there_is_work():
    with LocalLanes([Device("CPU")] * 2) as lanes:
        lanes.start_ahead()
        deadline = time.monotonic() + 60
        while len(lanes.process_ids()) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        ahead = lanes.process_ids()
        assert len(ahead) == 2
        assert lanes.run("who", os.getpid) in ahead


def test_lanes_that_were_closed_are_not_started_ahead():
    lanes = LocalLanes([Device("CPU")])
    lanes.close()
    lanes.start_ahead()
    with pytest.raises(LanesClosed, match=r"^stopped before 'who' was finished$"):
        lanes.run("who", os.getpid)
    assert lanes.process_ids() == []


def hang() -> None:
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGSTOP)


def get_on(steps: int) -> int:
    for _ in range(steps):
        time.sleep(0.5)
        report_progress()
    return steps


def run_out_of_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
    bytearray(2**32)


def test_a_lane_that_makes_no_progress_is_killed_and_replaced(lanes: LocalLanes):
    lanes.run("first", describe_lane, 0.0)
    with pytest.raises(
        LaneHung, match=r"lane-\d made no progress for 2 s while it ran 'stuck'; it was killed"
    ):
        lanes.run("stuck", hang, silence_seconds=2)
    assert [lanes.run("stuck", describe_lane, 0.0)[1] for _ in range(2)] == ["-1", "-1"]


def test_a_lane_that_gets_on_may_take_longer_than_it_may_be_silent(lanes: LocalLanes):
    assert lanes.run("long", get_on, 6, silence_seconds=2) == 6


def test_a_lane_whose_work_raised_is_replaced(lanes: LocalLanes):
    before = {lanes.run(str(number), describe_lane, 0.0)[0] for number in range(2)}
    for _ in range(2):
        with pytest.raises(MemoryError):
            lanes.run("greedy", run_out_of_memory)
    assert lanes.failures["greedy"] == ["MemoryError: ", "MemoryError: "]
    after = {lanes.run(str(number), describe_lane, 0.0)[0] for number in range(2)}
    assert not before & after


def test_the_next_piece_of_work_is_not_given_to_a_lane_that_is_being_replaced():
    with LocalLanes([Device("CPU")]) as single:
        for number in range(5):
            with pytest.raises(ValueError, match="refused"):
                single.run(f"odd {number}", refuse)
            assert single.run(f"even {number}", describe_lane, 0.0)[1] == "-1"


def test_nor_to_one_whose_work_raised_before_its_nanny_knew_that_it_had_started(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(WorkerProcess, "_init_msg_interval", 0.5)  # how often the nanny looks, in seconds
    with LocalLanes([Device("CPU")]) as single:
        for number in range(4):
            with pytest.raises(ValueError, match="refused"):
                single.run(f"odd {number}", refuse)


def test_a_lane_that_is_killed_again_and_again_while_it_starts_comes_back(lanes: LocalLanes):
    lanes.run("first", describe_lane, 0.0)
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        for process in lanes.process_ids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.3)
    assert [lanes.run(str(number), describe_lane, 0.0)[1] for number in range(2)] == ["-1", "-1"]


HOLDER = """
import os, signal, sys, time
from tasks.devices import Device
from tasks.local_lanes import LocalLanes
if __name__ == "__main__":
    with LocalLanes([Device("CPU")]) as lanes:
        print(lanes.run("pid", os.getpid), flush=True)
        time.sleep(600)
"""


def test_a_lane_dies_with_the_process_that_started_it_even_while_it_is_stopped(tmp_path: Path):
    script = tmp_path / "holder.py"
    script.write_text(HOLDER)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment
    ) as holder:
        assert holder.stdout is not None
        lane = int(holder.stdout.readline())
        os.kill(lane, signal.SIGSTOP)
        holder.kill()
    deadline = time.monotonic() + 10
    while is_alive(lane) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(lane)


def test_lanes_start_after_the_clock_has_stepped_back():
    credentials = x509.load_pem_x509_certificate(make_credentials().tls_ca_file.encode())
    assert credentials.not_valid_before_utc < datetime.now(UTC) - timedelta(days=300)


def get_on_quickly() -> str:
    for _ in range(3):
        report_progress()
        time.sleep(0.005)
    return "done"


STEPPED_BACK = """
from tasks.devices import Device
from tasks.local_lanes import LocalLanes
from tests.test_tasks_lanes import get_on_quickly

if __name__ == "__main__":
    with LocalLanes([Device("CPU")]) as lanes:
        lanes.run("first", get_on_quickly)
        while input() == "run":
            print(lanes.run("again", get_on_quickly), flush=True)
"""


def test_work_is_handed_out_while_the_clock_steps_back(tmp_path: Path):
    # A message that Dask holds back for 10 ms by the wall clock would now wait for hours (tried: at once).
    clock, script = SteppedClock(tmp_path), tmp_path / "stepped_back.py"
    script.write_text(STEPPED_BACK)
    with subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env={**os.environ, **clock.environment, "PYTHONPATH": str(Path(__file__).parent.parent)},
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        limit = threading.Timer(60, running.kill)
        limit.start()
        for hours in range(1, 21):
            running.stdin.write("run\n")
            clock.step(-3600 * hours)
            assert running.stdout.readline() == "done\n"
        running.stdin.write("end\n")
        limit.cancel()
    assert running.returncode == 0


def say_and_log(seconds: float) -> None:
    logging.getLogger("tasks.anything").info("epoch %d", 1)
    time.sleep(seconds)
    logging.getLogger("tasks.anything").warning("epoch %d", 2)
    logging.getLogger("of.a.library").warning("nobody's business")


def test_what_a_lane_logs_is_logged_by_the_thread_that_waits_for_it(
    lanes: LocalLanes, caplog: pytest.LogCaptureFixture
):
    # Prefect knows by the thread which task run a line belongs to.
    caplog.set_level(logging.INFO, "tasks.anything")
    with ThreadPoolExecutor(2, thread_name_prefix="waiting") as threads:
        list(threads.map(lambda label: lanes.run(label, say_and_log, 1.2), ["first", "second"]))
    said = [line for line in caplog.records if line.name == "tasks.anything"]
    by_thread = {line.threadName for line in said}
    assert by_thread == {"waiting_0", "waiting_1"}
    for thread in by_thread:
        lines = [(line.levelname, line.getMessage()) for line in said if line.threadName == thread]
        assert lines == [("INFO", "epoch 1"), ("WARNING", "epoch 2")]
    assert not [line for line in caplog.records if line.name == "of.a.library"]


def log_and_die() -> None:
    logging.getLogger("tasks.anything").warning("the last words")
    time.sleep(0.5)
    end_own_process()


def test_what_a_lane_said_before_it_died_is_logged(lanes: LocalLanes, caplog: pytest.LogCaptureFixture):
    with pytest.raises(LaneDied):
        lanes.run("dying", log_and_die)
    assert "the last words" in caplog.text
