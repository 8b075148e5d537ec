"""Lanes of a cluster: real scheduler, real lane processes, which join, leave, die and differ."""

import logging
import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from study.errors import InputError, LanesLost
from tasks import cluster_watch
from tasks.cluster_lanes import ClusterLanes, remaining_seconds
from tasks.devices import Device
from tasks.lane_host import LaneHost
from tasks.lane_process import lane_name, report_progress
from tasks.lane_work import LaneDied, LaneHung, LanesClosed
from tests.cluster import CODE, lane_host, scheduler
from tests.cluster import LaneHost as RunningLanes
from tests.served import free_port


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with scheduler() as where:
        yield where


@pytest.fixture(scope="module")
def host(address: str) -> Iterator[RunningLanes]:
    with lane_host(address, "--lanes", "2") as running:
        running.wait_for("ready for", 2)
        yield running


@pytest.fixture
def lanes(address: str, host: RunningLanes) -> Iterator[ClusterLanes]:
    with ClusterLanes(address, wait_seconds=60) as running:
        yield running


def wait_until(lanes: ClusterLanes, number: int) -> None:
    deadline = time.monotonic() + 60
    while len(lanes.devices) != number:
        assert time.monotonic() < deadline, lanes.devices
        time.sleep(0.05)


def wait_until_said(caplog: pytest.LogCaptureFixture, text: str, times: int = 1) -> None:
    deadline = time.monotonic() + 30
    while caplog.text.count(text) < times:
        assert time.monotonic() < deadline, caplog.text
        time.sleep(0.05)


def describe_lane(seconds: float) -> tuple[str, int, set[int]]:
    time.sleep(seconds)
    return lane_name(), os.getpid(), os.sched_getaffinity(0)


def end_own_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse() -> None:
    raise ValueError("refused: 3 is odd")


def stop_own_process() -> None:
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGSTOP)


def take_long_the_first_time(marker: Path) -> str:
    report_progress()
    if not marker.exists():
        marker.touch()
        time.sleep(120)
    return lane_name()


def test_work_runs_on_pinned_lanes_which_say_what_they_are(lanes: ClusterLanes):
    assert (lanes.kind, lanes.engine) == ("CPU", "native")
    wait_until(lanes, 2)
    with ThreadPoolExecutor(2) as threads:
        (first, one, core), (second, other, _) = threads.map(
            lambda label: lanes.run(label, describe_lane, 1.0), "ab"
        )
    assert sorted([first[-7:], second[-7:]]) == ["/lane-0", "/lane-1"]
    assert len({one, other, os.getpid()}) == 3
    assert len(core) == 1
    assert [each["kind"] for each in lanes.describe()] == ["CPU", "CPU"]
    assert all(0.2 < each["pace"] < 5 for each in lanes.describe())
    assert lanes.most == 2


def test_a_lane_that_dies_is_told_and_another_comes(lanes: ClusterLanes):
    with pytest.raises(LaneDied, match=r"lane-\d (died|left, died or was cut off) while it ran 'victim'"):
        lanes.run("victim", end_own_process)
    assert lanes.run("victim", describe_lane, 0.0)[0]
    assert lanes.attempts["victim"] == 2
    wait_until(lanes, 2)


def test_an_exception_reaches_the_caller_as_it_was_and_the_process_is_replaced(lanes: ClusterLanes):
    lanes.run("first", describe_lane, 0.0)
    wait_until(lanes, 2)
    before = {each.address for each in lanes._members.list()}
    with pytest.raises(ValueError, match="refused: 3 is odd"):
        lanes.run("odd", refuse)
    assert lanes.run("even", describe_lane, 0.0)
    wait_until(lanes, 2)
    assert len({each.address for each in lanes._members.list()} & before) == 1


def test_a_lane_that_makes_no_progress_is_killed(lanes: ClusterLanes):
    with pytest.raises(LaneHung, match=r"lane-\d made no progress for 2 s while it ran 'stuck'; it was kil"):
        lanes.run("stuck", stop_own_process, silence_seconds=2)
    wait_until(lanes, 2)


def test_where_a_lane_takes_long_an_idle_one_tries_too_and_the_first_result_counts(
    lanes: ClusterLanes, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "tasks.cluster_lanes")
    lanes.run("first", describe_lane, 0.0)
    wait_until(lanes, 2)
    started = time.monotonic()
    winner = lanes.run("slow", take_long_the_first_time, tmp_path / "marker", expected_seconds=1.0)
    assert time.monotonic() - started < 60
    assert lanes.attempts["slow"] == 1
    assert "slow: " in caplog.text
    assert f"needs long; {winner} tries, too" in caplog.text
    wait_until(lanes, 2)  # the loser's process was replaced, and is there again
    assert {lanes.run(str(each), describe_lane, 0.0)[0] for each in range(2)}


def test_what_takes_as_long_as_expected_is_tried_once(lanes: ClusterLanes, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "tasks.cluster_lanes")
    lanes.run("on time", describe_lane, 5.0, expected_seconds=5.0)
    assert "tries, too" not in caplog.text


@pytest.mark.parametrize(("expected", "spent", "left"), [(10, 3, 7), (10, 10, 0), (10, 12, 2), (10, 30, 20)])
def test_what_is_late_is_expected_to_need_as_long_again_as_it_is_late(expected, spent, left):
    assert remaining_seconds(expected, spent) == left


def test_closing_ends_what_runs_and_leaves_the_lanes_to_the_next_run(address: str, host: RunningLanes):
    lanes = ClusterLanes(address)
    _, process, _ = lanes.run("first", describe_lane, 0.0)
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(lanes.run, str(each), describe_lane, 90.0) for each in range(3)]
        time.sleep(1)
        started = time.monotonic()
        lanes.close()
        for future in waiting:
            with pytest.raises(LanesClosed):
                future.result(timeout=20)
    assert time.monotonic() - started < 20
    with ClusterLanes(address, wait_seconds=60) as again:
        assert again.run("again", describe_lane, 0.0)[1] != process, "what it was doing was stopped"


def test_two_runs_share_lanes_and_neither_takes_the_others_work_for_hung(lanes: ClusterLanes, address: str):
    with ClusterLanes(address) as other, ThreadPoolExecutor(4) as threads:
        asked = [
            threads.submit(who.run, f"{number}", describe_lane, 3.0, silence_seconds=5)
            for who in (lanes, other)
            for number in range(2)
        ]
        assert len([each.result(timeout=60) for each in asked]) == 4
    assert not lanes.failures
    assert not other.failures


def test_lanes_join_late_and_losing_all_of_them_pauses(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with (
        scheduler() as address,
        ClusterLanes(address, wait_seconds=60) as lanes,
        ThreadPoolExecutor(2) as pool,
    ):
        waiting = pool.submit(lanes.run, "early", describe_lane, 0.0)
        told = f"{address}: no lane is there; waiting for one, for at most 1 min 00 s"
        wait_until_said(caplog, told)
        with lane_host(address, "--lanes", "1") as first:
            assert waiting.result(timeout=60)[0].endswith("lane-0")
            assert f"`study lane {address}` starts lanes" in caplog.text
            lost = pool.submit(lanes.run, "lost", describe_lane, 60.0)
            time.sleep(1)
            first.kill()
            with pytest.raises(LaneDied, match="lane-0 left, died or was cut off while it ran 'lost'"):
                lost.result(timeout=60)
        assert lanes.devices == ()
        again = pool.submit(lanes.run, "lost", describe_lane, 0.0)
        wait_until_said(caplog, told, 2)
        with lane_host(address, "--lanes", "1"):
            assert again.result(timeout=60)
        assert caplog.text.count("is there; going on") == 2


def test_where_no_lane_comes_in_time_the_run_is_stopped_with_a_message(address: str):
    with (
        scheduler() as empty,
        ClusterLanes(empty, wait_seconds=2) as lanes,
        pytest.raises(LanesLost, match=r"no lane is there; no lane came within 2 s; the run is stopped; "),
    ):
        lanes.run("never", describe_lane, 0.0)


def test_a_scheduler_that_is_started_anew_is_reached_again(tmp_path: Path):
    port = free_port()
    with ThreadPoolExecutor(2) as pool:
        with scheduler(port) as address:
            host = RunningLanes(address, "--lanes", "1")
            lanes = ClusterLanes(address, wait_seconds=120)
            lanes.run("first", describe_lane, 0.0)
            cut = pool.submit(lanes.run, "cut", describe_lane, 60.0)
            time.sleep(1)
        try:
            with pytest.raises(LaneDied, match=r"left, died or was cut off|touch with tcp:.* was lost"):
                cut.result(timeout=60)
            with scheduler(port):
                assert lanes.run("again", describe_lane, 0.0)[0].endswith("lane-0")
                lanes.close()
        finally:
            host.stop()


def test_a_client_that_has_lost_its_scheduler_does_not_connect_again_by_itself():
    port = free_port()
    with scheduler(port) as address:
        client = cluster_watch._Client(address, set_as_default=False)
    with scheduler(port):
        time.sleep(3)  # Dask's own is there again within one
        found = client.status, client.scheduler_comm
    client.close()
    assert found == ("connecting", None)


def test_a_scheduler_that_does_not_answer_is_refused():
    with ClusterLanes(f"tcp://127.0.0.1:{free_port()}") as lanes:
        with pytest.raises(
            InputError, match=r"^--scheduler: tcp://127.0.0.1:\d+ is not reached \(.*refused\); start one"
        ):
            lanes.run("never", describe_lane, 0.0)
        with pytest.raises(InputError, match=r"^--scheduler"):
            assert lanes.kind


def test_lanes_are_not_started_for_a_host_that_nobody_knows():
    with pytest.raises(InputError, match=r"^--scheduler: tcp://nobody.invalid:8786 is not reached \("):
        LaneHost("tcp://nobody.invalid:8786", [Device("CPU")])


def test_a_lane_of_other_code_or_packages_is_refused_with_both_versions(tmp_path: Path):
    for package in ("flows", "storage", "study", "studies", "tasks"):
        shutil.copytree(CODE / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "tasks/train.py").open("a") as file:
        file.write("# another version\n")
    other = tmp_path / "other" / "numpy-9.9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 9.9.9\n")
    for path, named in ((tmp_path, "code "), (tmp_path / "other", "numpy 9.9.9 there, ")):
        environment = {"PYTHONPATH": os.pathsep.join([str(path), str(CODE)])}
        with (
            scheduler() as address,
            lane_host(address, "--lanes", "1", environment=environment),
            ClusterLanes(address, wait_seconds=25) as lanes,
            pytest.raises(LanesLost, match=rf"1 refused: {named}.* here; install the same requirements.lock"),
        ):
            lanes.run("never", describe_lane, 0.0)
