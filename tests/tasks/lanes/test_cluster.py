"""Lanes of a cluster: real scheduler, real lane processes, which join, leave, die and differ."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from distributed import Client

from study.errors import InputError, LanesLost
from tasks.lanes import monitor as cluster_watch
from tasks.lanes.cluster import ClusterLanes
from tasks.lanes.devices import Device
from tasks.lanes.host import LaneHost
from tasks.lanes.process import LaneDied, LaneHung, LanesClosed, lane_name
from tests.cluster import CODE, LaneHost as RunningLanes, lane_host, scheduler
from tests.served import free_port
from tests.tasks.lanes.test_lanes import end_own_process, get_on, refuse, stop_lane, wait_for_end
from tests.waiting import wait_until

processes = pytest.mark.slow


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
    with ClusterLanes(address) as running:
        yield running


def wait_for_lanes(lanes: ClusterLanes, number: int) -> None:
    wait_until(lambda: len(lanes.devices) == number, lambda: lanes.devices)


def wait_until_said(caplog: pytest.LogCaptureFixture, text: str, times: int = 1) -> None:
    wait_until(lambda: caplog.text.count(text) >= times, lambda: caplog.text)


def describe_lane() -> tuple[str, int, set[int]]:
    return lane_name(), os.getpid(), os.sched_getaffinity(0)


def meet(folder: Path, number: int) -> tuple[str, int, set[int]]:
    """Describe the lane once as many as that are here."""
    (folder / f"{os.getpid()}").touch()
    wait_until(lambda: len(list(folder.iterdir())) >= number)
    return describe_lane()


@processes
def test_work_runs_on_pinned_lanes_which_say_what_they_are(lanes: ClusterLanes, tmp_path: Path):
    assert (lanes.kind, lanes.engine) == ("CPU", "native")
    wait_for_lanes(lanes, 2)
    with ThreadPoolExecutor(2) as threads:
        (first, one, core), (second, other, _) = threads.map(
            lambda label: lanes.run(label, meet, tmp_path, 2), "ab"
        )
    assert sorted([first[-7:], second[-7:]]) == ["/lane-0", "/lane-1"]
    assert len({one, other, os.getpid()}) == 3
    assert len(core) == 1
    assert [each["kind"] for each in lanes.describe()] == ["CPU", "CPU"]
    assert lanes.most == 2


@processes
def test_a_lane_that_dies_is_told_and_another_comes(lanes: ClusterLanes):
    with pytest.raises(LaneDied, match=r"lane-\d (died|left, died or was cut off) while it ran 'victim'"):
        lanes.run("victim", end_own_process)
    assert lanes.run("victim", describe_lane)[0]
    assert lanes.attempts["victim"] == 2
    wait_for_lanes(lanes, 2)


@processes
def test_an_exception_reaches_the_caller_as_it_was_and_the_process_is_replaced(lanes: ClusterLanes):
    lanes.run("first", describe_lane)
    wait_for_lanes(lanes, 2)
    before = {each.address for each in lanes._members.list()}
    with pytest.raises(ValueError, match="refused: 3 is odd"):
        lanes.run("odd", refuse)
    assert lanes.run("even", describe_lane)
    wait_for_lanes(lanes, 2)
    assert len({each.address for each in lanes._members.list()} & before) == 1


@processes
def test_a_lane_that_makes_no_progress_is_killed(lanes: ClusterLanes, tmp_path: Path):
    begun, never = tmp_path / "begun", tmp_path / "never"
    lanes.run("first", describe_lane)
    with ThreadPoolExecutor(1) as threads:
        stopping = threads.submit(stop_lane, lanes, begun)
        with pytest.raises(
            LaneHung, match=r"lane-\d made no progress for 2 s while it ran 'stuck'; it was kil"
        ):
            lanes.run("stuck", wait_for_end, begun, never, silence_seconds=2)
        stopping.result()
    wait_for_lanes(lanes, 2)


@processes
def test_closing_ends_what_runs_and_leaves_the_lanes_to_the_next_run(
    address: str, host: RunningLanes, tmp_path: Path
):
    lanes = ClusterLanes(address)
    wait_for_lanes_of(lanes)
    with ThreadPoolExecutor(3) as threads:
        waiting = [
            threads.submit(lanes.run, str(each), wait_for_end, tmp_path / f"{each}", tmp_path / "never")
            for each in range(3)
        ]
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        lanes.close()
        for future in waiting:
            with pytest.raises(LanesClosed):
                future.result()
    with ClusterLanes(address) as again:  # what was being done would never end by itself
        wait_for_lanes_of(again)
        both = tmp_path / "both"
        both.mkdir()
        with ThreadPoolExecutor(2) as threads:
            assert len(list(threads.map(lambda label: again.run(label, meet, both, 2), "ab"))) == 2


def wait_for_lanes_of(lanes: ClusterLanes) -> None:
    """Reach the scheduler and wait for both lanes."""
    lanes.run("first", describe_lane)
    wait_for_lanes(lanes, 2)


@processes
def test_two_runs_share_lanes_and_neither_takes_the_others_work_for_hung(
    lanes: ClusterLanes, address: str, tmp_path: Path
):
    with ClusterLanes(address) as other, ThreadPoolExecutor(4) as threads:
        for each in (lanes, other):
            wait_for_lanes_of(each)
        # Both lanes of one run are busy for longer than the other's work, which waits there, may be silent.
        asked = [
            threads.submit(who.run, f"{number}", get_on, 4.0, silence_seconds=3)
            for who in (lanes, other)
            for number in range(2)
        ]
        assert [each.result() for each in asked] == ["done"] * 4
    assert not lanes.failures
    assert not other.failures


@processes
def test_lanes_join_late_and_losing_all_of_them_pauses(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with scheduler() as address, ClusterLanes(address) as lanes, ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(lanes.run, "early", describe_lane)
        told = f"{address}: no lane is there; waiting for one, for at most 10 min 00 s"
        wait_until_said(caplog, told)
        with lane_host(address, "--lanes", "1") as first:
            assert waiting.result()[0].endswith("lane-0")
            assert f"`study lane {address}` starts lanes" in caplog.text
            begun = tmp_path / "begun"
            lost = pool.submit(lanes.run, "lost", wait_for_end, begun, tmp_path / "never")
            wait_until(begun.exists)
            first.kill()
            with pytest.raises(LaneDied, match="lane-0 left, died or was cut off while it ran 'lost'"):
                lost.result()
        assert lanes.devices == ()
        again = pool.submit(lanes.run, "lost", describe_lane)
        wait_until_said(caplog, told, 2)
        with lane_host(address, "--lanes", "1"):
            assert again.result()
        assert caplog.text.count("is there; continuing") == 2


@processes
def test_where_no_lane_comes_in_time_the_run_is_stopped_with_a_message():
    with (
        scheduler() as empty,
        ClusterLanes(empty, wait_seconds=1) as lanes,
        pytest.raises(LanesLost, match=r"no lane is there; no lane came within 1 s; the run is stopped; "),
    ):
        lanes.run("never", describe_lane)


@processes
def test_a_scheduler_that_is_started_anew_is_reached_again(tmp_path: Path):
    port = free_port()
    with ThreadPoolExecutor(2) as pool:
        with scheduler(port) as address:
            host = RunningLanes(address, "--lanes", "1")
            lanes = ClusterLanes(address)
            begun = tmp_path / "begun"
            cut = pool.submit(lanes.run, "cut", wait_for_end, begun, tmp_path / "never")
            wait_until(begun.exists)
        try:
            with pytest.raises(LaneDied, match=r"left, died or was cut off|contact with tcp:.* was lost"):
                cut.result()
            with scheduler(port):
                assert lanes.run("again", describe_lane)[0].endswith("lane-0")
                lanes.close()
        finally:
            host.stop()


@processes
def test_a_client_that_has_lost_its_scheduler_does_not_connect_again_by_itself():
    port = free_port()
    with scheduler(port) as address:
        client = cluster_watch._Client(address, set_as_default=False)
        usual = Client(address, set_as_default=False)
    wait_until(lambda: client.status == usual.status == "connecting")
    with scheduler(port):
        wait_until(lambda: usual.status == "running")  # Dask's own is there again
        found = client.status, client.scheduler_comm
        usual.close()
    client.close()
    assert found == ("connecting", None)


def test_a_scheduler_that_does_not_answer_is_refused():
    with ClusterLanes(f"tcp://127.0.0.1:{free_port()}") as lanes:
        with pytest.raises(
            InputError, match=r"^--scheduler: tcp://127.0.0.1:\d+ is not reached \(.*refused\); start one"
        ):
            lanes.run("never", describe_lane)
        with pytest.raises(InputError, match=r"^--scheduler"):
            assert lanes.kind


def test_lanes_are_not_started_for_a_host_that_nobody_knows():
    with pytest.raises(InputError, match=r"^--scheduler: tcp://nobody.invalid:8786 is not reached \("):
        LaneHost("tcp://nobody.invalid:8786", [Device("CPU")])


@processes
def test_a_lane_of_other_code_or_packages_is_refused_with_both_versions(tmp_path: Path):
    for package in ("flows", "storage", "study", "studies", "tasks"):
        shutil.copytree(CODE / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "tasks/training/train_on_lanes.py").open("a") as file:
        file.write("# another version\n")
    other = tmp_path / "other" / "numpy-9.9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 9.9.9\n")
    for path, named in ((tmp_path, "code "), (tmp_path / "other", "numpy 9.9.9 there, ")):
        environment = {"PYTHONPATH": os.pathsep.join([str(path), str(CODE)])}
        with (
            scheduler() as address,
            lane_host(address, "--lanes", "1", environment=environment),
            ClusterLanes(address, wait_seconds=0) as lanes,
        ):
            lanes._watch.start()
            wait_until(lambda lanes=lanes: lanes._watch.refused)
            with pytest.raises(
                LanesLost, match=rf"1 refused: {named}.* here; install the same requirements.lock"
            ):
                lanes.run("never", describe_lane)
