"""`study replay` on toy runs: their rows come out to the bit, and whatever was changed in them is named."""

import json
import os
import signal
from pathlib import Path

import pytest

from storage.results import Results
from storage.tables.published import read_run
from tests.aged_runs import read_everything
from tests.chaos import Arena, stopping
from tests.command import Ended, run_study, study
from tests.tampered import tamper
from tests.toy import SWEEPS, FinishedRun, write_toy
from tests.waiting import WAIT_SECONDS, wait_until

FIRST = "2/filters=2/1"


@pytest.fixture
def changed(toy_run: FinishedRun, tmp_path: Path) -> FinishedRun:
    return toy_run.copied(tmp_path / "results")


def replay(results: Results, *arguments: object) -> Ended:
    return study("replay", *arguments, "--results", results.folder, "--lanes", 0)


def key_of(ran: FinishedRun) -> str:
    trials = read_run(ran.results).trials
    return next(each.key for each in trials if (each.setting, each.repeat) == ("filters=2", 1))


def tamper_first(ran: FinishedRun, table: str, **changes: object) -> None:
    """Change the first row's training, in one table."""
    key = key_of(ran)
    tamper(ran.results, ran.run_id, table, changes, lambda row: row["key"] == key)


def assert_every_row_is_equal(results: Results) -> None:
    trials, before = read_run(results).trials, read_everything(results.folder)
    done = replay(results, "--json", *{each.key for each in trials})
    assert done.code == 0, done.out
    found = [
        (row["key"], row["verdict"], row["reason"], row["found"]["weights_sha256"])
        for row in json.loads(done.out)
    ]
    assert found == [(each.key, "equal", "", each.weights_sha256) for each in trials]
    assert read_everything(results.folder) == before


def test_every_row_is_equal_prefixes_early_stops_and_schedules_too(changed: FinishedRun):
    trials = read_run(changed.results).trials
    assert any(each.epochs_run and each.epochs_run < each.epochs for each in trials)  # patience has ended one
    assert len({each.key for each in trials}) < len(trials)  # one is a prefix of another
    assert {"cosine", "constant"} == {each.schedule for each in trials}
    assert_every_row_is_equal(changed.results)


def test_every_row_of_the_held_out_protocol_is_equal(tmp_path: Path, server: None):
    text = SWEEPS.replace("name: toy", "name: toy\nprotocol: held-out").replace(
        "test_images: 200", "test_images: 200, held_out_images: 100"
    )
    ended = run_study(write_toy(tmp_path, text), "--exercises", "2,6", folder=tmp_path)
    assert ended.code == 0, ended.err
    results = Results(tmp_path / "results")
    assert {each.held_out_images for each in read_run(results).trials} == {100}
    assert_every_row_is_equal(results)


def test_rows_are_told_as_a_table_and_a_line(toy_run: FinishedRun):
    done = replay(toy_run.results, "--random", 2, "--seed", 4, "--trial", FIRST)
    assert done.code == 0, done.out
    assert FIRST in done.out
    last = done.out.splitlines()[-1]
    assert last.startswith(f"run {toy_run.run_id}: ") and last.endswith(" equal")


def test_a_draw_says_its_seed_and_can_be_repeated(toy_run: FinishedRun):
    drawn = replay(toy_run.results, "--random", 2, "--json")
    seed = drawn.err.partition("--seed ")[2].split()[0]
    again = replay(toy_run.results, "--random", 2, "--json", "--seed", seed)
    assert json.loads(drawn.out) == json.loads(again.out)


def test_a_row_that_was_changed_is_named_and_not_trained(changed: FinishedRun):
    tamper_first(changed, "trials", learning_rate=0.02)
    done = replay(changed.results, "--trial", FIRST)
    assert done.code == 1
    fault = "learning_rate is 0.02 in `trials` and 0.01 in `trainings`"
    assert f"{FIRST}: differs: contradictory: {fault}" in done.out
    assert "replaying" not in done.err


def test_a_hash_that_was_changed_wherever_it_stands_is_found_by_training(changed: FinishedRun):
    for table in ("trials", "epochs"):
        tamper_first(changed, table, weights_sha256="e" * 64)
    done = replay(changed.results, "--trial", FIRST)
    assert done.code == 1
    assert "weights_sha256 was eeeeeeeeee…, now " in done.out
    assert "and no recorded input differs" in done.out


def test_a_row_of_another_processor_may_differ_within_the_tolerance(changed: FinishedRun):
    accuracy = (read_run(changed.results).trials[0].test_accuracy or 0.0) + 0.005
    for table in ("trials", "epochs"):
        tamper_first(changed, table, weights_sha256="e" * 64, test_accuracy=accuracy)
    tamper_first(changed, "trainings", processor="An abacus")
    done = replay(changed.results, key_of(changed))
    assert done.code == 0, done.out
    assert ": within tolerance: weights_sha256 was eeeeeeeeee…" in done.out
    assert "first differing input: processor: An abacus → " in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to replay: give keys, --trial or --random N; there are 2/filters=2/1"),
        (("--seed", 1, "--trial", FIRST), "--seed: 1 needs a draw; give --random N, too"),
    ],
)
def test_what_cannot_be_replayed_is_bad_input(
    toy_run: FinishedRun, arguments: tuple[object, ...], message: str
):
    done = replay(toy_run.results, *arguments)
    assert done.code == 2
    assert message in done.err


@pytest.mark.slow
def test_ctrl_c_ends_it_with_130_and_leaves_nothing_running(changed: FinishedRun, tmp_path: Path):
    tamper_first(changed, "trials", epochs=1000, epochs_run=1000)
    tamper(changed.results, changed.run_id, "epochs", {"key": "gone"})
    arena = Arena(tmp_path / "arena")
    with stopping(arena.start("replay", "--trial", FIRST, "--results", changed.results.folder)) as command:
        # The command, multiprocessing's tracker, and a lane.
        wait_until(lambda: len(arena.processes()) >= 3, arena.said)
        assert "replaying 1 row by 1 training on 1 CPU lane" in arena.said()
        os.killpg(command.pid, signal.SIGINT)
        assert command.wait(WAIT_SECONDS) == 130, arena.said()
    assert "stopped; nothing was written" in arena.said()
    assert "Traceback" not in arena.said()
    arena.wait_until_gone()  # multiprocessing's tracker ends by itself, once its pipe is closed
