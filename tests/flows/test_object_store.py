"""A whole study with its results on an object store: killed, gone on with, two at once, read from there."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from storage.results import find_paths, read_bytes
from storage.run_starts import list_interrupted
from storage.tables.published import RunTables, read_run
from storage.tables.rows_of_work import TrialRow
from tests.chaos import SAVING, Arena, hit, of_exercises, published, stopping, trials_of
from tests.object_stores import credentials, new_address, serving
from tests.waiting import WAIT_SECONDS, wait_until


def test_a_run_keeps_its_results_on_an_object_store_that_is_away_for_a_while(
    tmp_path: Path, quiet: list[TrialRow], monkeypatch: pytest.MonkeyPatch
):
    from s3fs import S3FileSystem

    with serving() as server:
        for name, value in credentials(server.port).items():
            monkeypatch.setenv(name, value)
        S3FileSystem.clear_instance_cache()  # it knows another server
        arena = Arena(tmp_path / "arena", address=new_address(), is_held=True)
        with stopping(arena.start("run", arena.study, "--exercises", 2)) as run:
            arena.held.let(2)
            arena.wait_for_trainings(2)
            os.kill(server.pid, signal.SIGSTOP)
            arena.held.let_all()
            wait_until(lambda: not arena.held.lanes())  # what they train cannot be kept by now
            os.kill(server.pid, signal.SIGCONT)
            assert run.wait(WAIT_SECONDS) == 0, arena.said()
        assert trials_of(arena.results) == of_exercises(quiet, 2)
    S3FileSystem.clear_instance_cache()


@pytest.mark.slow
def test_a_killed_run_is_resumed_beside_another_no_key_is_trained_twice_and_everything_lies_there(
    tmp_path: Path, s3: None, quiet: list[TrialRow]
):
    arena = Arena(tmp_path / "arena", SAVING, address=new_address(), is_held=True)
    with stopping(arena.start("run", arena.study)) as run:
        arena.held.let(2)
        arena.wait_for_trainings(2)
        hit(psutil.Process(run.pid))
    arena.wait_until_gone()
    assert arena.finished() == 2
    assert published(arena.results) == []
    runs = run_two_at_once(arena, quiet)
    assert [each.run.resumed for each in runs] == [1, 0]
    assert not (arena.folder / "results").exists()
    run_id = runs[0].run.run_id
    report = read_bytes(arena.results.report(run_id)).decode()
    assert f'pd.read_parquet("{arena.address}/tables/trials")' in report
    assert {path.name for path in find_paths(arena.results.model(run_id), "*")} >= {
        "Fashion_MNIST_model.h5",
        "Fashion_MNIST_model.keras",
        "Fashion_MNIST_model",
        "model_card.md",
    }


def run_two_at_once(arena: Arena, quiet: Sequence[TrialRow]) -> list[RunTables]:
    """Resume the interrupted run and, at once, run the sweeps 2 and 6; both begin before the next training.

    Both have the trials of a quiet run, and no key is trained twice. Returns both, the resumed one first.
    """
    (interrupted,) = list_interrupted(arena.results)
    with (
        stopping(arena.start("resume", interrupted.run_id)) as one,  # by name: the other is not ended, either
        stopping(arena.start("run", arena.study, "--exercises", "2,6")) as other,
    ):
        wait_until(lambda: all("trainings, " in arena.said(number) for number in (-2, -1)), arena.said)
        wait_until(arena.held.lanes, arena.said)
        arena.held.let_all()
        assert [one.wait(WAIT_SECONDS), other.wait(WAIT_SECONDS)] == [0, 0], arena.said(-2) + arena.said(-1)
    runs = [read_run(arena.results, each) for each in published(arena.results)]
    runs.sort(key=lambda each: len(each.trials), reverse=True)
    for each, expected in zip(runs, (quiet, of_exercises(quiet, 2, 6)), strict=True):
        assert trials_of(arena.results, each.run.run_id) == expected
    trained = [{training.key for training in each.trainings if not training.reused} for each in runs]
    assert not trained[0] & trained[1]
    assert trained[0] | trained[1] == {training.key for training in runs[0].trainings}
    return runs
