"""`study replay` on toy runs: their rows come out to the bit, and whatever was changed in them is named."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.command_line import Invocation, app
from storage.place import Results
from storage.tables import read_run
from study.errors import InputError
from tests.aged_runs import read_everything
from tests.tampered import tamper
from tests.toy import TOY, write_toy

STUDY = Path(sys.executable).with_name("study")

MORE = """
  - {number: 3, kind: sweep, title: Cosine, question: How many epochs of cosine?, parameter: epochs,
     values: [1, 2], repeats: 1, fixed: {schedule: cosine, augmentation: shift, averaging: 0.5}}
  - {number: 5, kind: sweep, title: Rate, question: Which learning rate?, parameter: learning_rate,
     values: [0.05, 0.1], repeats: 2, fixed: {epochs: 9, patience: 1}}
  - {number: 7,"""
"""Beside prefixes: a schedule, under which no training is a prefix, and patience that does run out."""

FIRST = "2/filters=2/1"


@dataclasses.dataclass(frozen=True)
class Ran:
    """A published run whose kept trainings are gone."""

    results: Results
    run_id: str

    def copied(self, folder: Path) -> "Ran":
        """The same run, to be changed."""
        shutil.copytree(self.results.tables, folder / "tables")
        return Ran(Results(folder), self.run_id)


def run_toy(folder: Path, *options: str) -> Ran:
    study = write_toy(folder, TOY.replace("\n  - {number: 7,", MORE))
    command = [str(STUDY), "run", str(study), "--results", str(folder / "results"), *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    results = Results(folder / "results")
    shutil.rmtree(results.trainings)
    return Ran(results, str(read_run(results).run["run_id"]))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def changed(toy: Ran, tmp_path: Path) -> Ran:
    return toy.copied(tmp_path / "results")


def replay(ran: Ran, *arguments: object) -> Result:
    line = ["replay", *map(str, arguments), "--results", str(ran.results.folder), "--lanes", "2"]
    return CliRunner().invoke(app, line, obj=Invocation())


def key_of(ran: Ran) -> str:
    trials = read_run(ran.results).trials
    return str(trials.loc[(trials["setting"] == "filters=2") & (trials["repeat"] == 1), "key"].iloc[0])


def tamper_first(ran: Ran, table: str, **changes: object) -> None:
    """Change the first row's training, in one table."""
    key = key_of(ran)
    tamper(ran.results, ran.run_id, table, changes, lambda row: row["key"] == key)


def elsewhere(ran: Ran, accuracy_by: float) -> None:
    """The first row as another processor might have left it."""
    accuracy = float(read_run(ran.results).trials["test_accuracy"].iloc[0]) + accuracy_by
    for table in ("trials", "epochs"):
        tamper_first(ran, table, weights_sha256="e" * 64, test_accuracy=accuracy)
    tamper_first(ran, "trainings", processor="An abacus")


def assert_every_row_is_equal(ran: Ran) -> None:
    trials, before = read_run(ran.results).trials, read_everything(ran.results.folder)
    done = replay(ran, "--json", *trials["key"].unique())
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [(row["key"], row["verdict"], row["reason"]) for row in rows] == [
        (key, "equal", "") for key in trials["key"]
    ]
    assert [row["found"]["weights_sha256"] for row in rows] == list(trials["weights_sha256"])
    assert [row["found"]["epochs_run"] for row in rows] == list(trials["epochs_run"])
    assert read_everything(ran.results.folder) == before


def test_every_row_is_equal_prefixes_early_stops_and_schedules_too(toy: Ran):
    trials = read_run(toy.results).trials
    assert (trials["epochs_run"] < trials["epochs"]).any()  # patience has ended one
    assert trials["key"].nunique() < len(trials)  # one is a prefix of another
    assert {"cosine", "constant"} == set(trials["schedule"])
    assert_every_row_is_equal(toy)


def test_every_row_of_the_held_out_protocol_is_equal(tmp_path: Path):
    folder = tmp_path / "held"
    folder.mkdir()
    text = TOY.replace("name: toy", "name: toy\nprotocol: held-out").replace(
        "test_images: 200", "test_images: 200, held_out_images: 100"
    )
    study = write_toy(folder, text)
    command = [str(STUDY), "run", str(study), "--results", str(folder / "results"), "--exercises", "2,6"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    results = Results(folder / "results")
    shutil.rmtree(results.trainings)
    assert set(read_run(results).trials["held_out_images"]) == {100}
    assert_every_row_is_equal(Ran(results, str(read_run(results).run["run_id"])))


def test_rows_are_told_as_a_table_and_a_line(toy: Ran):
    done = replay(toy, "--random", 2, "--seed", 4, "--trial", FIRST)
    assert done.exit_code == 0, done.output
    assert FIRST in done.output
    last = done.stdout.splitlines()[-1]
    assert last.startswith(f"run {toy.run_id}: ") and last.endswith(" equal")


def test_a_draw_says_its_seed_and_can_be_repeated(toy: Ran):
    drawn = replay(toy, "--random", 2, "--json")
    seed = drawn.stderr.partition("--seed ")[2].split()[0]
    again = replay(toy, "--random", 2, "--json", "--seed", seed)
    assert json.loads(drawn.stdout) == json.loads(again.stdout)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"seed": 9}, "seed is 9 in `trials` and 1 in `trainings`"),
        ({"learning_rate": 0.02}, "learning_rate is 0.02 in `trials` and 0.01 in `trainings`"),
        ({"weights_sha256": "e" * 64}, "weights_sha256 is eeeeeeeeee… in `trials` and "),
    ],
)
def test_a_row_that_was_changed_is_named_and_not_trained(
    changed: Ran, changes: dict[str, object], fault: str
):
    tamper_first(changed, "trials", **changes)
    done = replay(changed, "--trial", FIRST)
    assert done.exit_code == 1
    assert f"{FIRST}: differs: contradictory: {fault}" in done.output
    assert "replaying" not in done.output


def test_a_hash_that_was_changed_wherever_it_stands_is_found_by_training(changed: Ran):
    for table in ("trials", "epochs"):
        tamper_first(changed, table, weights_sha256="e" * 64)
    done = replay(changed, "--trial", FIRST)
    assert done.exit_code == 1
    assert "weights_sha256 was eeeeeeeeee…, now " in done.output
    assert "and no recorded input differs" in done.output


def test_other_data_is_named_and_not_trained(changed: Ran):
    tamper(changed.results, changed.run_id, "runs", {"train_images": 600})
    done = replay(changed, "--random", 3)
    assert done.exit_code == 1
    assert done.output.count("not trained, as it would be another training: data fingerprint: ") == 1
    assert "3 rows replayed: 3 differs" in done.output


def test_a_row_of_another_processor_may_differ_within_the_tolerance(changed: Ran):
    elsewhere(changed, accuracy_by=0.005)
    done = replay(changed, key_of(changed))
    assert done.exit_code == 0, done.output
    assert ": within tolerance: weights_sha256 was eeeeeeeeee…" in done.output
    assert "first differing input: processor: An abacus → " in done.output


def test_a_row_of_another_processor_that_is_too_far_off_differs(changed: Ran):
    elsewhere(changed, accuracy_by=-0.4)
    done = replay(changed, "--json", "--trial", FIRST)
    assert done.exit_code == 1
    (row,) = json.loads(done.stdout)
    assert row["reason"].startswith("accuracies are 40.00 points apart, ")
    assert row["differences"][0]["name"] == "processor"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to replay: give keys, --trial or --random N; there are 2/filters=2/1"),
        (("0123456789abcdef",), "key '0123456789abcdef': no trial of this run reads it"),
        (("--trial", "2/filters=3/1"), "--trial: this run has no '2/filters=3/1'"),
        (("--seed", 1, "--trial", FIRST), "--seed: 1 is of a draw; give --random N, too"),
        (("--run", "yesterday", "--random", 1), "run 'yesterday' is not published"),
    ],
)
def test_what_cannot_be_replayed_is_bad_input(toy: Ran, arguments: tuple[object, ...], message: str):
    done = replay(toy, *arguments)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_ctrl_c_ends_it_with_130_and_leaves_nothing_running(changed: Ran):
    tamper_first(changed, "trials", epochs=1000, epochs_run=1000)
    tamper(changed.results, changed.run_id, "epochs", {"key": "gone"})
    command = [STUDY, "replay", "--trial", FIRST, "--results", changed.results.folder]
    process = subprocess.Popen(
        list(map(str, command)), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    assert "replaying 1 row by 1 training on 1 CPU lane" in process.stderr.readline()
    deadline = time.monotonic() + 60
    while len(members := session_of(process.pid)) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(members) >= 3  # the command, multiprocessing's tracker, and a lane
    os.killpg(process.pid, signal.SIGINT)
    try:
        _, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail("Ctrl-C did not end it")
    assert process.returncode == 130, err
    assert "stopped; nothing was written" in err
    assert "Traceback" not in err
    deadline = time.monotonic() + 10  # multiprocessing's tracker ends by itself, once its pipe is closed
    while session_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert session_of(process.pid) == []


def session_of(leader: int) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (OSError, psutil.Error):
            continue
    return found
