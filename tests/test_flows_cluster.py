"""Runs on lanes elsewhere: the whole study by a scheduler, whatever becomes of its lanes."""

import json
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from storage.tables import read_run
from tests.chaos import Arena, check_equal, stopping, trials_of, wait_until
from tests.cluster import lane_host, scheduler
from tests.served import free_port
from tests.toy import TOY


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    arena = Arena(tmp_path_factory.mktemp("quiet"))
    assert arena.run_study("--lanes", 2) == 0, arena.said()
    return trials_of(arena.results)


def test_a_study_runs_on_lanes_elsewhere_and_says_where(tmp_path: Path):
    arena = Arena(tmp_path, TOY)
    with scheduler() as address, lane_host(address, "--lanes", "2"):
        assert arena.run_study("--scheduler", address) == 0, arena.said()
        assert "6 exercises on the lanes of " + address in arena.said()
        # What it was asked stands with it, and it goes on as it was started.
        frames = read_run(arena.results)
        assert json.loads(frames.run["parameters"])["scheduler"] == address
        described = json.loads(frames.run["devices"])
        assert {each["lane"].rpartition("/")[2] for each in described} == {"lane-0", "lane-1"}
        assert (frames.run["device"], frames.run["engine"], frames.run["lanes"]) == ("CPU", "native", 2)
        assert set(frames.trainings["lane"].str.rpartition("/")[2]) <= {"lane-0", "lane-1"}
        assert (arena.results.model(str(frames.run["run_id"])) / "model.json").exists()
    local = Arena(tmp_path / "local", TOY)
    assert local.run_study("--lanes", 2) == 0, local.said()
    check_equal(trials_of(local.results), trials_of(arena.results))


def test_a_host_that_is_killed_and_one_that_joins_late_change_no_row(tmp_path: Path, quiet: pd.DataFrame):
    arena = Arena(tmp_path)
    with scheduler() as address, lane_host(address, "--lanes", "2") as first:
        first.wait_for("ready for", 2)
        with stopping(arena.start("run", arena.study, "--scheduler", address)) as run:
            wait_until(lambda: arena.finished() >= 2)
            first.kill()
            with lane_host(address, "--lanes", "2"):
                assert run.wait(240) == 0, arena.said()
    frames = read_run(arena.results)
    assert frames.trainings["attempts"].max() == 2
    check_equal(quiet, trials_of(arena.results))


def test_without_any_lane_a_run_says_so_stops_in_time_and_can_go_on(tmp_path: Path, quiet: pd.DataFrame):
    arena = Arena(tmp_path)
    with scheduler() as address:
        with lane_host(address, "--lanes", "2") as host:
            host.wait_for("ready for", 2)
            run = arena.start("run", arena.study, "--scheduler", address, "--lane-timeout", "8s")
            with stopping(run):
                wait_until(lambda: arena.finished() >= 2)
                host.kill()
                assert run.wait(120) == 1, arena.said()
        said = arena.said()
        assert "no lane is there; waiting for one, for at most 8.0 s" in said
        assert "no lane came within 8 s; the run is stopped" in said
        assert "`study resume" in said
        assert arena.wait_until_gone() == []
        with lane_host(address, "--lanes", "2"):
            assert arena.run("resume") == 0, arena.said()
    check_equal(quiet, trials_of(arena.results))


def test_ctrl_c_leaves_the_lanes_idle_for_the_next_run(tmp_path: Path, quiet: pd.DataFrame):
    arena = Arena(tmp_path)
    with scheduler() as address, lane_host(address, "--lanes", "2") as host:
        with stopping(arena.start("run", arena.study, "--scheduler", address)) as run:
            wait_until(lambda: arena.finished() >= 2)
            run.send_signal(signal.SIGINT)
            started = time.monotonic()
            assert run.wait(60) == 130, arena.said()
            assert time.monotonic() - started < 30
        assert arena.run_study("--scheduler", address) == 0, arena.said()
        assert host.stop() == 0
    check_equal(quiet, trials_of(arena.results))


def test_an_address_where_nothing_listens_is_refused_at_once(tmp_path: Path):
    arena = Arena(tmp_path, TOY)
    assert arena.run_study("--scheduler", f"127.0.0.1:{free_port()}") == 2
    assert "is not reached" in arena.said()
    assert "start one there with `dask scheduler`" in arena.said()
