"""Runs on lanes elsewhere: the whole study by a scheduler, whatever becomes of its lanes."""

import json
import signal
from pathlib import Path

import pytest

from storage.tables.published import read_run
from storage.tables.rows_of_work import TrialRow
from tests.chaos import SAVING, Arena, of_exercises, stopping, trials_of
from tests.cluster import lane_host, scheduler
from tests.waiting import WAIT_SECONDS, wait_until

TIMEOUT = "20s"
"""How long a run waits while no lane is there: the one time that has to pass in these tests."""


@pytest.mark.slow
def test_a_study_runs_on_lanes_elsewhere_and_says_where(tmp_path: Path, quiet: list[TrialRow]):
    arena = Arena(tmp_path, SAVING)
    with scheduler() as address, lane_host(address, "--lanes", "2"):
        assert arena.run_study("--scheduler", address) == 0, arena.said()
        assert "5 exercises on the lanes of " + address in arena.said()
        # What it was asked stands with it, and it goes on as it was started.
        tables = read_run(arena.results)
        assert json.loads(tables.run.parameters or "")["scheduler"] == address
        described = json.loads(tables.run.devices or "")
        assert {each["lane"].rpartition("/")[2] for each in described} == {"lane-0", "lane-1"}
        assert (tables.run.device, tables.run.engine, tables.run.lanes) == ("CPU", "native", 2)
        lanes = {str(each.lane).rpartition("/")[2] for each in tables.trainings}
        assert lanes <= {"lane-0", "lane-1"}
        assert (arena.results.model(tables.run.run_id) / "model.json").exists()
    assert trials_of(arena.results) == quiet


@pytest.mark.slow
def test_a_run_whose_lanes_are_all_lost_or_that_is_stopped_is_resumed_and_outlives_a_host(
    tmp_path: Path, quiet: list[TrialRow]
):
    arena = Arena(tmp_path)
    held = arena.held.environment
    with scheduler() as address:
        with lane_host(address, "--lanes", "2", environment=held) as lost:
            lost.wait_for("ready for", 2)
            options = ("--scheduler", address, "--lane-timeout", TIMEOUT, "--exercises", 2)
            with stopping(arena.start("run", arena.study, *options)) as run:
                arena.held.let(2)
                arena.wait_for_trainings(2)
                lost.kill()
                assert run.wait(WAIT_SECONDS) == 1, arena.said()
        said = arena.said()
        assert "no lane is there; waiting for one, for at most 20.0 s" in said
        assert "no lane came within 20 s; the run is stopped" in said
        assert "`study resume" in said
        arena.wait_until_gone()
        assert arena.finished() == 2
        with lane_host(address, "--lanes", "2", environment=held) as first:
            first.wait_for("ready for", 2)
            with stopping(arena.start("resume")) as run:
                arena.held.let(2)
                arena.wait_for_trainings(4)
                busy = wait_until(lambda: len(found := arena.held.lanes()) == 2 and found)
                run.send_signal(signal.SIGINT)
                assert run.wait(WAIT_SECONDS) == 130, arena.said()
            # What is held would never end by itself: those processes were replaced.
            wait_until(lambda: not any(each.is_running() for each in busy))
            with (
                stopping(arena.start("resume")) as run,
                lane_host(address, "--lanes", "2", environment=held) as late,
            ):
                arena.held.let(1)
                arena.wait_for_trainings(5)  # by the lanes that the stopped run has left idle
                late.wait_for("ready for", 2)
                wait_until(lambda: len(arena.held.lanes()) == 4, arena.said)
                first.kill()
                arena.held.let_all()
                assert run.wait(WAIT_SECONDS) == 0, arena.said()
                assert late.stop() == 0
    assert max(each.attempts for each in read_run(arena.results).trainings) == 2
    assert trials_of(arena.results) == of_exercises(quiet, 2)
