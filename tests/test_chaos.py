"""Whatever is killed, filled up or locked: what was finished is kept, and the tables equal a quiet run's."""

import re
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from storage.results import Results
from storage.tables.published import read_run
from storage.tables.rows_of_work import TrialRow
from storage.trainings import (
    hash_weights,
    list_keys,
    read_checkpoint,
    read_records,
    read_weights,
    save_training,
)
from study.status import Status
from tests.chaos import Arena, hit, of_exercises, published, stopping, trials_of
from tests.served import ask, free_port
from tests.waiting import WAIT_SECONDS, wait_until

IMPATIENT = (
    sys.executable,
    "-c",
    "import study.plan.failures, tasks.training.train_on_lanes\n"
    "tasks.training.train_on_lanes.HANG_SECONDS = 8.0\n"
    "study.plan.failures.MIN_FAILED, study.plan.failures.MAX_FAILED = 1, 0.1\n"
    "from flows.cli.main import main; main()",
)
"""The command, with hung trainings known sooner, and stopped when two failed: defaults are 120 s and five."""


KEEPING = (
    sys.executable,
    "-c",
    "import tasks.training.train_on_lanes\n"
    "tasks.training.train_on_lanes.KEPT_SECONDS = 0.0\n"
    "from flows.cli.main import main; main()",
)
"""The command, with the state of a training kept after each epoch."""

NETWORK = """
import keras

def build(input_shape, classes, *, width: int = 4, dropout: float = 0.2):
    layers = [keras.Input(input_shape)]
    for number in range(2):
        layers += [keras.layers.Conv2D(width * 2**number, 3, padding="same", activation="relu"),
                   keras.layers.MaxPooling2D(2)]
    layers += [keras.layers.Flatten(), keras.layers.Dropout(dropout),
               keras.layers.Dense(classes, activation="softmax")]
    return keras.Sequential(layers)
"""

OWN = """
name: own
title: A network and images of one's own
data: set.npz
model: network.py:build
baseline: {optimizer: adam, learning_rate: 0.002, epochs: 60, averaging: 0.5, augmentation: shift}
exercises:
  - {number: 2, kind: sweep, title: Width, question: How wide?, parameter: width, values: [2, 4], repeats: 2}
"""


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    return Arena(tmp_path, is_held=True)


@contextmanager
def locked_database(arena: Arena) -> Iterator[None]:
    """Lock the server's database while the body runs."""
    path = arena.folder / "prefect" / "prefect.db"
    with closing(sqlite3.connect(path, timeout=WAIT_SECONDS)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield
        database.rollback()


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


def next_lane(arena: Arena, known: set[int]) -> psutil.Process:
    """A lane whose training waits to begin, and that is not known by now; it is known from now on."""
    lane = wait_until(lambda: [each for each in arena.held.lanes() if each.pid not in known], arena.said)[0]
    known.add(lane.pid)
    return lane


def test_a_killed_lane_and_a_lost_server_change_no_row(arena: Arena, quiet: list[TrialRow]):
    with stopping(arena.start("run", arena.study, "--exercises", 2)) as run:
        arena.held.let(1)
        arena.wait_for_trainings(1)
        hit(next_lane(arena, set()))
        hit(arena.servers()[0])
        wait_until(lambda: "Prefect's temporary server ended" in arena.said())
        arena.held.let_all()
        assert run.wait(WAIT_SECONDS) == 0, arena.said()
    assert trials_of(arena.results) == of_exercises(quiet, 2)
    trainings = read_run(arena.results).trainings
    assert sorted(each.attempts for each in trainings)[-2:] == [1, 2]
    (failed,) = (each.failed_attempts for each in trainings if each.failed_attempts)
    assert "LaneDied: " in failed


@pytest.mark.slow
def test_a_night_on_which_everything_breaks_ends_with_the_tables_of_a_quiet_one(
    arena: Arena, quiet: list[TrialRow]
):
    known = set[int]()
    with stopping(arena.start("run", arena.study, "--lanes", 2, program=IMPATIENT)) as run:
        arena.held.let(1)
        arena.wait_for_trainings(1)
        blows: list[Callable[[psutil.Process], object]] = [
            hit,
            lambda lane: hit(lane, signal.SIGSEGV),
            starve,
            lambda lane: hit(lane, signal.SIGSTOP),
        ]
        for blow in blows:
            blow(next_lane(arena, known))
        hit(arena.servers()[0])
        wait_until(lambda: "Prefect's temporary server ended" in arena.said())
        next_lane(arena, known)  # it has replaced the one that stopped
        with locked_database(arena):
            finished = arena.finished()
            arena.held.let_all()
            wait_until(lambda: arena.finished() > finished, arena.said)
        assert run.wait(WAIT_SECONDS) == 0, arena.said()
    assert trials_of(arena.results) == quiet
    arena.wait_until_gone()
    tables = read_run(arena.results)
    failed = [each.failed_attempts for each in tables.trainings if each.failed_attempts]
    assert "LaneDied: " in "; ".join(failed)
    assert "LaneHung: " in "; ".join(failed)
    assert max(each.attempts for each in tables.trials) > 1
    assert tables.run.retried_trainings == len(failed) >= 2
    page = arena.results.report(tables.run.run_id).read_text(encoding="utf-8")
    assert "had attempts that failed" in page
    assert 0 < tables.run.wall_seconds < 3600


def own_arena(folder: Path) -> Arena:
    """Where a network of one's own is trained on images of one's own, with a bright row for each class."""
    arena, random = Arena(folder, OWN), np.random.default_rng(0)
    images, labels = random.integers(0, 150, (400, 8, 8), np.uint8), np.arange(400) % 4
    images[np.arange(400), 2 * labels] += 60
    np.savez(folder / "set.npz", x=images, y=labels)
    (folder / "network.py").write_text(NETWORK, encoding="utf-8")
    return arena


@pytest.mark.slow
def test_a_training_of_an_own_network_continues_where_lane_and_flow_were_killed(tmp_path: Path):
    arena, quiet = own_arena(tmp_path / "disturbed"), own_arena(tmp_path / "quiet")
    left = arena.results.unfinished
    with stopping(arena.start("run", arena.study, "--lanes", 1, program=KEEPING)) as run:
        wait_until(lambda: list(read_records(left)), arena.said)
        hit(arena.lanes()[0])
        (continued,) = wait_until(lambda: [each for each in read_records(left) if len(each.segments) == 2])
        hit(psutil.Process(run.pid))
        run.wait(WAIT_SECONDS)
    arena.wait_until_gone()
    assert len(list_keys(left)) == 1
    with stopping(arena.start("resume", program=KEEPING)) as run:
        assert run.wait(WAIT_SECONDS) == 0, arena.said()
    assert list_keys(left) == []
    with stopping(quiet.start("run", quiet.study, "--lanes", 1, program=KEEPING)) as run:
        assert run.wait(WAIT_SECONDS) == 0, quiet.said()
    assert trials_of(arena.results) == trials_of(quiet.results)
    (record,) = (each for each in read_records(arena.results) if each.key == continued.key)
    assert record.segments[0] == continued.segments[0]
    assert [each.attempts for each in record.segments] == [1, 1, 1]
    trial = next(each for each in read_run(arena.results).trials if each.key == record.key)
    row = ("replay", trial.key, "--study", arena.study)
    with stopping(arena.start(*row, program=KEEPING)) as run:
        assert run.wait(WAIT_SECONDS) == 0, arena.said()
    assert "equal" in arena.printed()


def test_a_killed_flow_leaves_nothing_running_and_is_resumed(arena: Arena, quiet: list[TrialRow]):
    with stopping(arena.start("run", arena.study, "--exercises", 2, "--fresh")) as run:
        arena.held.let(2)
        arena.wait_for_trainings(2)
        hit(arena.held.lanes()[0], signal.SIGSTOP)  # a stopped process does not see that the flow is gone
        hit(psutil.Process(run.pid))
        run.wait(WAIT_SECONDS)
    arena.wait_until_gone()
    assert arena.finished() == 2
    assert published(arena.results) == []
    arena.held.let_all()
    assert arena.run("resume") == 0, arena.said()
    assert trials_of(arena.results) == of_exercises(quiet, 2)
    tables = read_run(arena.results)
    assert tables.run.resumed == 1
    assert {each.trained_by for each in tables.trainings} == {tables.run.run_id}
    assert all(each.attempts for each in tables.trainings)


@pytest.mark.slow
def test_a_full_disk_sigterm_and_a_step_that_fails_stop_a_run_with_one_line_and_lose_nothing(
    arena: Arena, quiet: list[TrialRow]
):
    with stopping(arena.start("run", arena.study, "--exercises", "2,4")) as run:
        arena.held.let(2)
        arena.wait_for_trainings(2)
        # As a full disk: from now on no file may grow beyond 4 KB (setrlimit(2): EFBIG).
        psutil.Process(run.pid).rlimit(psutil.RLIMIT_FSIZE, (4096, 4096))
        arena.held.let_all()
        assert run.wait(WAIT_SECONDS) == 2
    assert "Traceback" not in arena.said()
    assert "cannot be written: File too large. What was finished is kept; free space" in arena.said()
    arena.wait_until_gone()
    assert arena.finished() == 2
    arena.held.hold()
    with stopping(arena.start("resume")) as run:
        arena.held.let(1)
        arena.wait_for_trainings(3)
        hit(arena.held.lanes()[0], signal.SIGSTOP)
        hit(psutil.Process(run.pid), signal.SIGTERM)
        assert run.wait(WAIT_SECONDS) == 143
    assert "`study resume" in arena.said()
    arena.wait_until_gone()
    assert arena.finished() == 3
    assert published(arena.results) == []
    arena.held.let_all()
    figures = arena.results.figures(next(arena.results.runs.iterdir()).name)
    figures.write_text("a file where the step that draws needs a folder")
    assert arena.run("resume") == 1
    assert "study: FileExistsError: " in arena.said()
    assert "the run failed; finished trainings are kept in" in arena.said()
    assert "Traceback" not in arena.said()
    figures.unlink()
    assert arena.run("resume") == 0, arena.said()
    assert trials_of(arena.results) == of_exercises(quiet, 2, 4)
    ended = read_run(arena.results).run
    assert ended.resumed == 3
    assert arena.run("resume") == 2
    assert "no interrupted run in" in arena.said()
    assert arena.run("resume", ended.run_id) == 2
    assert "has ended, its report is there" in arena.said()


@pytest.mark.slow
def test_lanes_that_always_die_stop_the_run_early_and_it_says_so_everywhere(
    arena: Arena, quiet: list[TrialRow]
):
    with stopping(arena.start("run", arena.study, "--lanes", 1, program=IMPATIENT)) as run:

        def has_ended_without_lanes() -> bool:
            for lane in arena.held.lanes():
                hit(lane)
            return run.poll() is not None

        wait_until(has_ended_without_lanes, arena.said)
    assert run.returncode == 1, arena.said()
    tables = read_run(arena.results)
    trials, failed = len(tables.trials), tables.run.failed_trials
    assert tables.run.status == "stopped early"
    # Those in flight when the second failed come to their end, too.
    assert tables.run.failures is not None
    assert re.match("the run stopped early, as [2-4] of 14 trainings failed all", tables.run.failures)
    assert "LaneDied: " in tables.run.failures
    assert trials == len(quiet) - 1  # all but the combination, which is not known
    assert any("not attempted: the run stopped early" in (each.reason or "") for each in tables.trials)
    assert f"{failed} of {trials} trials failed" in arena.said()
    page = arena.results.report(tables.run.run_id).read_text(encoding="utf-8")
    assert "STOPPED EARLY" in page
    state = final_state(arena, str(tables.run.flow_run_id))
    assert state[:2] == ("FAILED", "Stopped early")
    assert f"{trials} trials, {failed} failed (the run stopped early" in state[2]
    assert arena.run("plan", arena.study) == 0, arena.said()
    assert "13 trainings: 0 from earlier runs, 13 to train" in arena.printed()


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


@pytest.mark.slow
def test_a_training_that_diverges_fails_the_trials_that_need_more_of_it_and_no_others(
    tmp_path: Path, quiet_arena: Arena, quiet: list[TrialRow]
):
    arena = Arena(tmp_path)
    plant_divergence(quiet_arena.results, arena.results, "baseline seed=1")
    for attempts in (1, 0):  # a later run does not try again
        assert arena.run_study("--exercises", "4,6") == 1, arena.said()
        tables = read_run(arena.results, published(arena.results)[-1])
        failed = [each for each in tables.trials if each.status == Status.FAILED]
        reason = "Diverged: the loss is nan in epoch 3 of baseline seed=1"
        found = {(each.reason, each.seed, each.epochs, each.attempts) for each in failed}
        assert found == {(reason, 1, 4, attempts)}
        assert tables.run.failures is not None
        assert tables.run.failures.endswith(f"x {reason}")
        done = [each for each in tables.trials if each not in failed and each.seed == 1]
        assert {each.epochs for each in done if each.exercise == 4} == {1}
        assert f"{len(failed)} of {len(of_exercises(quiet, 4, 6))} trials failed" in arena.said()


@pytest.mark.slow
def test_a_retry_in_prefects_ui_goes_on_with_its_run(arena: Arena, quiet: list[TrialRow]):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with stopping(arena.start("serve", "--port", port)):
        wait_until(lambda: "serving on" in arena.said(), arena.said)
        deployment = ask(url, "deployments/name/study/on-demand")["id"]
        asked = {"study_file": str(arena.study), "results": str(arena.results.folder), "fresh": True}
        parameters = {"run": {**asked, "exercises": [2]}}
        flow_run = ask(url, f"deployments/{deployment}/create_flow_run", {"parameters": parameters})["id"]

        def state() -> str:
            return str(ask(url, f"flow_runs/{flow_run}")["state"]["type"])

        arena.held.let(3)
        arena.wait_for_trainings(3)
        hit(arena.flows()[0])
        # Prefect's runner and worker both say so, seconds apart; the worker may undo a retry in between.
        wait_until(lambda: arena.said().count("Check whether the flow run exceeded") == 2, arena.said)
        assert state() == "CRASHED"
        assert arena.finished() == 3
        arena.held.let_all()
        retry = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
        ask(url, f"flow_runs/{flow_run}/set_state", {"state": retry})
        wait_until(lambda: state() in ("COMPLETED", "FAILED", "CRASHED"), arena.said)
        assert state() == "COMPLETED", arena.said()
    assert trials_of(arena.results) == of_exercises(quiet, 2)
    (only,) = published(arena.results)
    tables = read_run(arena.results, only)
    assert (tables.run.resumed, tables.run.flow_run_id) == (1, flow_run)
    assert {each.trained_by for each in tables.trainings} == {only}
    arena.wait_until_gone()
