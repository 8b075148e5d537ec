"""Whatever is killed, filled up or locked: what was finished is kept, and the tables equal a quiet run's."""

import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest

from storage.tables import read_run
from tests.chaos import (
    Arena,
    check_equal,
    hit,
    published,
    stopping,
    trials_of,
    wait_for_lanes,
    wait_until,
)

IMPATIENT = (
    sys.executable,
    "-c",
    "import tasks.lanes, tasks.train\n"
    "tasks.train.HANG_SECONDS = tasks.lanes.START_SECONDS = 20.0\n"
    "from flows.command_line import main; main()",
)
"""The command, with hung trainings known sooner: the default is two minutes."""

HOUR = 3600


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The trials of a run that nothing disturbs."""
    arena = Arena(tmp_path_factory.mktemp("quiet"))
    assert arena.run_study() == 0, arena.said()
    return trials_of(arena.results)


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    return Arena(tmp_path)


class SteppedClock:
    """A wall clock that can be stepped for the programs of an arena."""

    def __init__(self, arena: Arena) -> None:
        library, self._file = arena.folder / "step_clock.so", arena.folder / "offset"
        self._file.write_bytes(struct.pack("q", 0))
        source = Path(__file__).with_name("step_clock.c")
        compiler = shutil.which("cc")
        assert compiler is not None, "a C compiler is needed, as the README says"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        arena.environment |= {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(self._file)}

    def step(self, seconds: int) -> None:
        with self._file.open("r+b") as file:
            file.write(struct.pack("q", seconds))


def lock_database(arena: Arena, seconds: float) -> None:
    database = sqlite3.connect(arena.folder / "prefect" / "prefect.db", timeout=30)
    database.execute("BEGIN EXCLUSIVE")
    time.sleep(seconds)
    database.rollback()
    database.close()


def starve(lane: psutil.Process) -> None:
    """Leave a process no more memory than it has: what it asks for next it does not get."""
    size = lane.memory_info().vms
    lane.rlimit(psutil.RLIMIT_AS, (size, size))


def test_a_night_on_which_everything_breaks_ends_with_the_tables_of_a_quiet_one(
    arena: Arena, quiet: pd.DataFrame
):
    clock = SteppedClock(arena)
    with stopping(arena.start("run", arena.study, program=IMPATIENT)) as run:
        wait_for_lanes(arena)
        clock.step(-2 * HOUR)
        blows: list[Callable[[psutil.Process], object]] = [
            hit,
            lambda lane: hit(lane, signal.SIGSEGV),
            lambda lane: hit(lane, signal.SIGSTOP),
            starve,
        ]
        for blow in blows:
            wait_until(arena.running_lanes)
            blow(arena.running_lanes()[0])
            time.sleep(1)
        hit(arena.servers()[0])
        wait_until(lambda: arena.servers())
        lock_database(arena, 3)
        assert run.wait(240) == 0, arena.said()
    check_equal(quiet, trials_of(arena.results))
    assert arena.wait_until_gone() == []
    frames = read_run(arena.results)
    failed = "; ".join(frames.trainings["failed_attempts"].dropna())
    assert "LaneDied: " in failed
    assert "LaneHung: " in failed
    assert frames.trials["attempts"].max() > 1
    assert frames.run["retried_trainings"] == frames.trainings["failed_attempts"].notna().sum() >= 2
    page = arena.results.report(str(frames.run["run_id"])).read_text(encoding="utf-8")
    assert "had attempts that failed" in page
    assert 0 < frames.run["wall_seconds"] < HOUR
    assert "Prefect's temporary server ended" in arena.said()


def test_a_flow_that_is_killed_leaves_nothing_running_and_is_gone_on_with(arena: Arena, quiet: pd.DataFrame):
    ends = []
    for command, number in ((("run", arena.study, "--fresh"), signal.SIGKILL), (("resume",), signal.SIGTERM)):
        before = arena.finished()
        with stopping(arena.start(*command)) as run:
            wait_for_lanes(arena, before + 3)
            hit(arena.lanes()[0], signal.SIGSTOP)  # a stopped process does not see that the flow is gone
            hit(psutil.Process(run.pid), number)
            ends.append(run.wait(60))
        assert arena.wait_until_gone() == []
    assert ends == [-signal.SIGKILL, 143]
    assert "`study resume" in arena.said()
    kept = arena.finished()
    assert published(arena.results) == []
    assert arena.run("resume") == 0, arena.said()
    check_equal(quiet, trials_of(arena.results))
    run_row, trainings = read_run(arena.results).run, read_run(arena.results).trainings
    assert run_row["resumed"] == 2
    assert (trainings["trained_by"] == run_row["run_id"]).all()
    assert (trainings["attempts"] == 0).sum() == 0
    assert kept >= 6
    assert arena.run("resume") == 2
    assert "no interrupted run in" in arena.said()
    assert arena.run("resume", run_row["run_id"]) == 2
    assert "has ended, its report is there" in arena.said()


def test_two_runs_of_a_study_at_once_train_no_key_twice(arena: Arena, quiet: pd.DataFrame):
    with stopping(arena.start("run", arena.study)) as one, stopping(arena.start("run", arena.study)) as other:
        assert [one.wait(240), other.wait(240)] == [0, 0], arena.said(0) + arena.said(1)
    runs = [read_run(arena.results, each) for each in published(arena.results)]
    assert len(runs) == 2
    for each in runs:
        check_equal(quiet, trials_of(arena.results, str(each.run["run_id"])))
    trained = [set(each.trainings.loc[~each.trainings["reused"], "key"]) for each in runs]
    assert not trained[0] & trained[1]
    assert len(trained[0] | trained[1]) == len(runs[0].trainings)


def test_a_full_disk_stops_the_run_with_one_line_and_loses_nothing(arena: Arena, quiet: pd.DataFrame):
    with stopping(arena.start("run", arena.study)) as run:
        wait_for_lanes(arena, 2)
        # As a full disk: from now on no file may grow beyond a few bytes (setrlimit(2): EFBIG).
        psutil.Process(run.pid).rlimit(psutil.RLIMIT_FSIZE, (100, 100))
        assert run.wait(120) == 2
    assert "Traceback" not in arena.said()
    assert "cannot be written: File too large. What was finished is kept; free space" in arena.said()
    assert arena.wait_until_gone() == []
    assert arena.finished() >= 2
    assert arena.run("resume") == 0, arena.said()
    check_equal(quiet, trials_of(arena.results))


def test_lanes_that_always_die_stop_the_run_early_and_it_says_so_everywhere(
    arena: Arena, quiet: pd.DataFrame
):
    ended = threading.Event()

    def kill_every_lane() -> None:
        while not ended.is_set():
            for lane in arena.lanes():
                if time.time() - lane.create_time() > 1:
                    hit(lane)
            time.sleep(0.2)

    killer = threading.Thread(target=kill_every_lane)
    with stopping(arena.start("run", arena.study, "--lanes", 1)) as run:
        wait_until(arena.lanes)
        killer.start()
        code = run.wait(240)
    ended.set()
    killer.join()
    assert code == 1, arena.said()
    frames = read_run(arena.results)
    assert frames.run["status"] == "stopped early"
    assert "the run stopped early, as 5 of 14 trainings failed all their attempts" in frames.run["failures"]
    assert "LaneDied: " in frames.run["failures"]
    assert len(frames.trials) == len(quiet)
    reasons = " ".join(frames.trials["reason"].dropna())
    assert "not attempted: the run stopped early" in reasons
    assert f"{frames.run['failed_trials']} of {len(quiet)} trials failed" in arena.said()
    page = arena.results.report(str(frames.run["run_id"])).read_text(encoding="utf-8")
    assert "STOPPED EARLY" in page
    assert arena.run_study() == 0, arena.said()
    check_equal(quiet, trials_of(arena.results))
