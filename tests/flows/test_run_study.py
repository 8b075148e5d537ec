"""A toy study through the command and the flow: what fails, what is trained again, and what a run leaves."""

import json
import os
import re
import shutil
import signal
import threading
from pathlib import Path
from typing import NamedTuple

import cv2
import pytest

from storage.results import Results
from storage.tables.published import list_runs, read_run
from storage.tables.rows_of_findings import SummaryRow
from storage.tables.rows_of_work import EpochRow, TrialRow
from study.plan.plan import compile_plan, list_trials
from study.spec.run_start import RunOptions
from study.spec.study_file import read_study
from tasks.data.dataset import load_dataset
from tasks.training.train_on_lanes import describe_source
from tests.chaos import Arena, stopping
from tests.command import Ended, run_study, study
from tests.engines import ENGINE
from tests.toy import SWEEPS, FinishedRun, write_toy
from tests.waiting import WAIT_SECONDS, wait_until

FAILING_SEED = 2


class Ran(NamedTuple):
    """How a run ended, and where its results are."""

    ended: Ended
    results: Results
    study: Path


def run_again(ran: Ran) -> Ran:
    ended = run_study(ran.study, "--results", ran.results.folder, folder=ran.study.parent)
    return ran._replace(ended=ended)


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory, server: None) -> Ran:
    """The toy study's sweeps, run in a folder of its own with one training that cannot be kept."""
    folder = tmp_path_factory.mktemp("toy")
    path, results = write_toy(folder, SWEEPS), Results(folder / "results")
    spec = read_study(str(path))
    source = describe_source(spec, load_dataset().first(640, 200), "CPU", ENGINE)
    plan = compile_plan(spec, list_trials(spec), source)
    doomed = next(each for each in plan.trainings if each.label == f"filters=2 seed={FAILING_SEED}")
    results.trainings.mkdir(parents=True)
    (results.trainings / doomed.key).write_text("a file where a folder is needed: saving fails each time")
    return run_again(Ran(Ended(0, "", ""), results, path))


@pytest.fixture(scope="module")
def mended(failed: Ran) -> Ran:
    """The same study run again after the cause of the failure is gone."""
    for path in failed.results.trainings.iterdir():
        if path.is_file():
            path.unlink()
    return run_again(failed)


@pytest.fixture(scope="module")
def damaged(mended: Ran) -> Ran:
    """The same study run a third time, after two of its trainings were damaged."""
    first, second = (each.key for each in read_run(mended.results).trainings[0:4:3])
    (mended.results.trainings / first / "record.json").write_text("{")
    next((mended.results.trainings / second).glob("weights-*.npz")).write_bytes(b"")
    return run_again(mended)


def nth_run(ran: Ran, number: int) -> str:
    return list_runs(ran.results)[number].run_id


def test_a_failed_training_fails_its_trial_only_and_is_a_row_with_its_reason_and_its_attempts(failed: Ran):
    trials = read_run(failed.results, nth_run(failed, 0)).trials
    (row,) = (each for each in trials if each.status == "failed")
    assert failed.ended.code == 1, failed.ended.err
    assert (row.exercise, row.setting, row.seed, len(trials)) == (2, "filters=2", 2, 12)
    assert re.search("FileExistsError|NotADirectoryError", row.reason or "")
    assert (row.attempts, row.test_accuracy) == (3, None)


def test_the_terminal_names_the_failures_and_the_report(failed: Ran):
    assert "1 of 12 trials failed:" in failed.ended.err
    assert "exercise 2 filters=2 seed=2:" in failed.ended.err
    assert f"report: {failed.results.report(nth_run(failed, 0))}" in failed.ended.out
    assert " left (" in failed.ended.err
    assert "Traceback" not in failed.ended.err


def test_the_report_page_stands_alone_and_says_that_a_trial_failed(failed: Ran):
    page = failed.results.report(nth_run(failed, 0)).read_text(encoding="utf-8")
    assert "1 of 12 trials FAILED" in page
    assert "data:image/png;base64," in page
    assert "How many filters?" in page


def test_running_again_trains_only_what_is_missing(mended: Ran):
    second = read_run(mended.results, nth_run(mended, 1)).run
    assert mended.ended.code == 0, mended.ended.err
    assert (second.failed_trials, second.status) == (0, "completed")
    assert second.trainings - second.reused_trainings == 1


def test_exactly_the_damaged_trainings_are_trained_again(damaged: Ran):
    before, last = (read_run(damaged.results, nth_run(damaged, each)).trainings for each in (1, 2))
    assert damaged.ended.code == 0, damaged.ended.err
    assert {each.key for each in last if not each.reused} == {before[0].key, before[3].key}
    assert damaged.ended.err.count("; it counts as missing and is trained again") >= 2


def test_reading_earlier_trainings_publishes_equal_tables(damaged: Ran):
    before, after = (read_run(damaged.results, nth_run(damaged, each)) for each in (1, 2))
    # Who trained it, when and how fast is all that may differ.
    circumstances = {"run_id", "reused", "trained_by", "attempts", "versions"}
    for kind in (TrialRow, EpochRow, SummaryRow):
        times = {name for name in kind.model_fields if name.endswith("seconds")}
        one, other = (
            [each.model_dump(exclude=circumstances | times) for each in getattr(tables, kind.TABLE)]
            for tables in (before, after)
        )
        assert one == other


def test_every_published_run_is_in_the_history_and_sound(damaged: Ran):
    ended = study("verify", "--results", damaged.results.folder)
    assert ended.code == 0, ended
    assert "3 published runs: 3 sound, 0 damaged\n" in ended.out
    assert "1 month of the history: 1 sound, 0 damaged\n" in ended.out


def test_predicted_and_actual_times_are_recorded(toy_run: FinishedRun):
    tables = read_run(toy_run.results)
    run = tables.run
    assert run.predicted_low_seconds < run.predicted_seconds < run.predicted_high_seconds
    assert 0 < run.makespan_bound_seconds <= run.makespan_seconds < run.wall_seconds
    assert all(each.predicted_seconds for each in tables.trainings)
    assert sum(each.lane_seconds for each in tables.trainings) == pytest.approx(run.lane_seconds)


def test_what_started_a_run_what_it_was_asked_and_its_devices_are_recorded(toy_run: FinishedRun):
    run = read_run(toy_run.results).run
    assert run.trigger == "command line"
    assert json.loads(run.parameters or "") == {
        **RunOptions().model_dump(mode="json"),
        "study_file": str(toy_run.study),
        "lanes": 1,
    }
    assert json.loads(run.devices or "") == [{"kind": "CPU", "gpu": ""}]
    assert bool(run.git_dirty) == bool(run.git_diff_sha256)


def test_the_plan_after_a_run_has_nothing_to_train(toy_run: FinishedRun):
    ended = study("plan", toy_run.study, "--results", toy_run.results.folder, "--json")
    plan = json.loads(ended.out)
    assert (plan["trainings"], plan["reused_trainings"], plan["epochs_to_run"]) == (13, 13, 0)
    assert (plan["combination"]["trainings"], plan["combination"]["to_train"]) == (1, 0)
    keys = {each.key for each in read_run(toy_run.results).trials}
    assert keys >= {each["key"] for each in plan["training_list"]}


def test_the_combination_of_best_values_is_trained_and_compared(toy_run: FinishedRun):
    summary = read_run(toy_run.results).summary
    assert [each.setting for each in summary if each.exercise == 7] == ["published", "combination"]


def test_the_model_is_saved_in_every_format_with_its_card_and_predicts_the_same_when_loaded(
    toy_run: FinishedRun,
):
    folder = toy_run.results.model(toy_run.run_id)
    facts = json.loads((folder / "model.json").read_text())
    exported = {f"Fashion_MNIST_model{suffix}" for suffix in ("", ".h5", ".keras", ".tflite")}
    assert {path.name for path in folder.iterdir()} == {*exported, "model.json", "model_card.md"}
    assert (folder / "Fashion_MNIST_model" / "1" / "saved_model.pb").is_file()
    assert facts["files_agree"] is True
    assert facts["reloaded_test_accuracy"] == pytest.approx(facts["test_accuracy"])
    assert sum(map(sum, facts["confusion"])) == 200


def test_figures_are_pictures(toy_run: FinishedRun):
    paths = list(toy_run.results.figures(toy_run.run_id).glob("*.png"))
    drawn = {"first-nine", "exercise-2-accuracy", "exercise-6-curves", "learning-curves", "confusion-matrix"}
    assert drawn <= {path.stem for path in paths}
    assert all(cv2.imread(str(path)) is not None for path in paths)


@pytest.mark.slow
def test_a_model_that_cannot_be_saved_leaves_the_tables_published_and_the_run_to_be_gone_on_with(
    toy_run: FinishedRun, tmp_path: Path
):
    results = Results(tmp_path / "results")
    shutil.copytree(toy_run.results.trainings, results.trainings)

    def block() -> None:
        """Leave a file where the model's folder is needed, as soon as the run's own is there."""
        (figures,) = wait_until(lambda: list((results.folder / "runs").glob("*/figures")))
        (figures.parent / "model").touch()

    blocking = threading.Thread(target=block)
    blocking.start()
    ended = run_study(toy_run.study, "--results", results.folder)
    blocking.join()
    assert ended.code == 1, ended.err
    published = read_run(results)
    assert len(published.trials) == 20
    assert not published.models
    assert "the run failed; finished trainings are kept" in ended.err
    assert "FileExistsError" in ended.err or "NotADirectoryError" in ended.err
    next((results.folder / "runs").glob("*/model")).unlink()
    resumed = study("resume", "--results", results.folder)
    assert resumed.code == 0, resumed.err
    assert len(read_run(results).models) == 1


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on_and_a_budget_is_not_exceeded(tmp_path: Path):
    arena = Arena(tmp_path, SWEEPS.replace("[1, 3]", "[1, 1000]"))
    with stopping(arena.start("run", arena.study, "--lanes", 2)) as run:
        wait_until(lambda: run.poll() is not None or arena.finished())
        os.killpg(run.pid, signal.SIGINT)  # what a terminal sends: to every process of the group
        assert run.wait(WAIT_SECONDS) == 130, arena.said()
    assert f"finished trainings are kept in {arena.results.trainings}" in arena.said()
    assert "`study resume " in arena.said()
    assert "Traceback" not in arena.said()
    assert arena.finished()
    arena.wait_until_gone()
    kept = arena.finished()
    again = study("run", arena.study, "--results", "results", "--budget", "1s", "--lanes", 0, folder=tmp_path)
    assert "was interrupted, and `study resume` would continue it; this is a new run" in again.err
    assert again.code == 2
    assert "more than the 1.0 s allowed; nothing was trained" in again.err
    assert arena.finished() == kept
