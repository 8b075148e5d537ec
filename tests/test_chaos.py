"""Whatever is killed, filled up or locked: what was finished is kept, and the tables equal a quiet run's."""

import re
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from storage.place import Results
from storage.tables import read_run
from storage.trainings import hash_weights, read_checkpoint, read_records, read_weights, save_training
from tests.chaos import (
    Arena,
    check_equal,
    hit,
    published,
    run_two_at_once,
    stopping,
    trials_of,
    wait_for_lanes,
    wait_until,
)
from tests.served import ask, free_port
from tests.stepped_clock import SteppedClock

IMPATIENT = (
    sys.executable,
    "-c",
    "import tasks.local_lanes, tasks.train\n"
    "tasks.train.HANG_SECONDS = tasks.local_lanes.START_SECONDS = 20.0\n"
    "from flows.command_line import main; main()",
)
"""The command, with hung trainings known sooner: the default is two minutes."""

HOUR = 3600


@pytest.fixture(scope="module")
def quiet_arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    """Where a run was that nothing disturbed."""
    arena = Arena(tmp_path_factory.mktemp("quiet"))
    assert arena.run_study() == 0, arena.said()
    return arena


@pytest.fixture(scope="module")
def quiet(quiet_arena: Arena) -> pd.DataFrame:
    """The trials of a run that nothing disturbed."""
    return trials_of(quiet_arena.results)


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    return Arena(tmp_path)


def lock_database(arena: Arena, seconds: float) -> None:
    database = sqlite3.connect(arena.folder / "prefect" / "prefect.db", timeout=120)
    database.execute("BEGIN EXCLUSIVE")
    time.sleep(seconds)
    database.rollback()
    database.close()


def final_state(arena: Arena, flow_run: str) -> tuple[str, str, str]:
    """Type, name and message of a flow run's state in Prefect's database."""
    with closing(sqlite3.connect(arena.folder / "prefect" / "prefect.db")) as database:
        found = database.execute(
            "select s.type, s.name, s.message from flow_run r join flow_run_state s on r.state_id = s.id "
            "where r.id = ?",
            (flow_run,),
        ).fetchone()
    return tuple(found)


def starve(lane: psutil.Process) -> None:
    """Leave a process no more memory than it has: what it asks for next it does not get."""
    with suppress(psutil.NoSuchProcess):
        size = lane.memory_info().vms
        lane.rlimit(psutil.RLIMIT_AS, (size, size))


def test_a_night_on_which_everything_breaks_ends_with_the_tables_of_a_quiet_one(
    arena: Arena, quiet: pd.DataFrame
):
    clock = SteppedClock(arena.folder)
    arena.environment |= clock.environment
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
            blow(wait_until(arena.running_lanes)[0])
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
    figures = arena.results.figures(next(arena.results.runs.iterdir()).name)
    figures.write_text("a file where the step that draws needs a folder")
    assert arena.run("resume") == 1
    assert "study: FileExistsError: " in arena.said()
    assert "the run failed; finished trainings are kept in" in arena.said()
    assert "Traceback" not in arena.said()
    figures.unlink()
    assert arena.run("resume") == 0, arena.said()
    check_equal(quiet, trials_of(arena.results))
    run_row, trainings = read_run(arena.results).run, read_run(arena.results).trainings
    assert run_row["resumed"] == 3
    assert (trainings["trained_by"] == run_row["run_id"]).all()
    assert (trainings["attempts"] == 0).sum() == 0
    assert kept >= 6
    assert arena.run("resume") == 2
    assert "no interrupted run in" in arena.said()
    assert arena.run("resume", run_row["run_id"]) == 2
    assert "has ended, its report is there" in arena.said()


def test_two_runs_of_a_study_at_once_train_no_key_twice(arena: Arena, quiet: pd.DataFrame):
    run_two_at_once(arena, quiet)


def test_a_full_disk_stops_the_run_with_one_line_and_loses_nothing(arena: Arena, quiet: pd.DataFrame):
    with stopping(arena.start("run", arena.study)) as run:
        wait_for_lanes(arena, 2)
        # As a full disk: from now on no file may grow beyond 4 KB (setrlimit(2): EFBIG).
        psutil.Process(run.pid).rlimit(psutil.RLIMIT_FSIZE, (4096, 4096))
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
            for lane in arena.working_lanes():
                hit(lane)
            time.sleep(0.1)

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
    # Those in flight when the fifth failed come to their end, too.
    assert re.match("the run stopped early, as [5-7] of 14 trainings failed all", frames.run["failures"])
    assert "LaneDied: " in frames.run["failures"]
    assert len(frames.trials) == len(quiet) - 1  # all but the combination, which is not known
    reasons = " ".join(frames.trials["reason"].dropna())
    assert "not attempted: the run stopped early" in reasons
    assert f"{frames.run['failed_trials']} of {len(frames.trials)} trials failed" in arena.said()
    page = arena.results.report(str(frames.run["run_id"])).read_text(encoding="utf-8")
    assert "STOPPED EARLY" in page
    state = final_state(arena, str(frames.run["flow_run_id"]))
    assert state[:2] == ("FAILED", "Stopped early")
    assert (
        f"{len(frames.trials)} trials, {frames.run['failed_trials']} failed (the run stopped early"
        in state[2]
    )
    assert arena.run_study() == 0, arena.said()
    check_equal(quiet, trials_of(arena.results))


def plant_divergence(source: Results, target: Results, label: str) -> None:
    """Keep the first two epochs of a training, with weights from which going on diverges."""
    whole = next(record for record in read_records(source) if record.label == label)
    checkpoint, weights = read_checkpoint(source, whole), read_weights(source, whole, 2)
    assert checkpoint is not None
    assert weights is not None
    broken = [np.full_like(each, np.nan) for each in weights]
    last = whole.epochs[1].model_copy(update={"weights_sha256": hash_weights(broken)})
    record = whole.model_copy(
        update={
            "epochs": (whole.epochs[0], last),
            "segments": (whole.segments[0].model_copy(update={"epochs": 2}),),
            "kept_weights": (2,),
        }
    )
    save_training(target, record, {2: broken}, checkpoint.optimizer)


def test_a_training_that_diverges_fails_the_trials_that_need_more_of_it_and_no_others(
    arena: Arena, quiet_arena: Arena, quiet: pd.DataFrame
):
    plant_divergence(quiet_arena.results, arena.results, "baseline seed=1")
    for attempts in (1, 0):  # a later run does not try again
        assert arena.run_study() == 1, arena.said()
        frames = read_run(arena.results, published(arena.results)[-1])
        failed = frames.trials[frames.trials["status"] == "failed"]
        assert set(failed["reason"]) == {"Diverged: the loss is nan in epoch 3 of baseline seed=1"}
        assert (failed["seed"] == 1).all()
        assert (failed["epochs"] == 4).all()
        assert set(failed["attempts"]) == {attempts}
        assert frames.run["failures"].endswith("x Diverged: the loss is nan in epoch 3 of baseline seed=1")
        done = frames.trials[(frames.trials["status"] == "completed") & (frames.trials["seed"] == 1)]
        assert (done.loc[done["exercise"] == 4, "epochs"] == 1).all()
        assert f"{len(failed)} of {len(quiet)} trials failed" in arena.said()


def test_a_retry_in_prefects_ui_goes_on_with_its_run(arena: Arena, quiet: pd.DataFrame):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with stopping(arena.start("serve", "--port", port)):
        wait_until(lambda: "serving on" in arena.said())
        deployment = ask(url, "deployments/name/study/on-demand")["id"]
        parameters = {
            "run": {"study_file": str(arena.study), "results": str(arena.results.folder), "fresh": True}
        }
        flow_run = ask(url, f"deployments/{deployment}/create_flow_run", {"parameters": parameters})["id"]

        def state() -> str:
            return str(ask(url, f"flow_runs/{flow_run}")["state"]["type"])

        wait_for_lanes(arena, 3)
        hit(arena.flows()[0])
        # Prefect's runner and worker both say so, seconds apart; the worker may undo a retry in between.
        wait_until(lambda: arena.said().count("Check whether the flow run exceeded") == 2)
        assert state() == "CRASHED"
        kept = arena.finished()
        retry = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
        ask(url, f"flow_runs/{flow_run}/set_state", {"state": retry})
        wait_until(lambda: state() in ("COMPLETED", "FAILED", "CRASHED"), 240)
        assert state() == "COMPLETED", arena.said()
    check_equal(quiet, trials_of(arena.results))
    (only,) = published(arena.results)
    run = read_run(arena.results, only).run
    assert (run["resumed"], run["flow_run_id"]) == (1, flow_run)
    trained = read_run(arena.results).trainings
    assert (trained["trained_by"] == only).all()
    assert kept >= 3
    assert arena.wait_until_gone() == []
