"""A toy study through the real command, the real flow, real lanes and Prefect's own temporary server."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import pandas as pd
import psutil
import pytest

from storage.place import Results
from storage.tables import list_runs, read_run
from study.plan import compile_plan, list_trials
from study.run_start import RunOptions
from study.study_file import read_study
from tasks.dataset import load_dataset
from tasks.train import describe_source
from tests.engines import ENGINE
from tests.toy import TOY, write_toy

STUDY = Path(sys.executable).with_name("study")
FAILING_SEED = 2


@dataclass(frozen=True)
class Ran:
    """A finished command and where its results are."""

    code: int
    out: str
    err: str
    results: Results
    study: Path


def run(*arguments: object, folder: Path, timeout: float = 240) -> tuple[int, str, str]:
    done = subprocess.run(
        [STUDY, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def processes_that_mention(text: str) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline()) + " " + process.environ().get("PREFECT_HOME", "")
        except (psutil.Error, OSError):
            continue
        # Where another test had lanes in this process, Python's resource tracker stays with it.
        is_tracker = "resource_tracker" in line and process.ppid() == os.getpid()
        if text in line and process.pid != os.getpid() and not is_tracker:
            found.append(line)
    return found


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The toy study, run in a folder of its own with one training that cannot be kept."""
    folder = tmp_path_factory.mktemp("toy")
    study = write_toy(folder)
    results = Results(folder / "results")
    spec = read_study(str(study))
    source = describe_source(spec, load_dataset().first(640, 200), "CPU", ENGINE)
    plan = compile_plan(spec, list_trials(spec), source)
    doomed = next(each for each in plan.trainings if each.label == f"filters=2 seed={FAILING_SEED}")
    results.trainings.mkdir(parents=True)
    (results.trainings / doomed.key).write_text("a file where a folder is needed: saving fails each time")
    return Ran(*run("run", study, "--results", results.folder, "--lanes", 2, folder=folder), results, study)


@pytest.fixture(scope="module")
def mended(toy: Ran) -> Ran:
    """The same study run again after the cause of the failure is gone."""
    for path in toy.results.trainings.iterdir():
        if path.is_file():
            path.unlink()
    return Ran(
        *run("run", toy.study, "--results", toy.results.folder, folder=toy.study.parent),
        toy.results,
        toy.study,
    )


def test_a_failed_training_fails_its_trial_only_and_the_exit_code_says_so(toy: Ran):
    trials = read_run(toy.results).trials
    failed = trials[trials["status"] == "failed"]
    assert toy.code == 1, toy.err
    assert list(zip(failed["exercise"], failed["setting"], failed["seed"], strict=True)) == [
        (2, "filters=2", 2)
    ]
    assert len(trials) == 14


def test_a_failed_trial_is_a_row_with_its_reason_and_its_attempts(toy: Ran):
    trials = read_run(toy.results).trials
    row = trials[trials["status"] == "failed"].iloc[0]
    assert "FileExistsError" in row["reason"] or "NotADirectoryError" in row["reason"]
    assert row["attempts"] == 3
    assert pd.isna(row["test_accuracy"])


def test_the_terminal_names_the_failures_and_the_report(toy: Ran):
    run_id = read_run(toy.results).run["run_id"]
    assert "1 of 14 trials failed:" in toy.err
    assert "exercise 2 filters=2 seed=2:" in toy.err
    assert f"report: {toy.results.report(run_id)}" in toy.out
    assert "remaining" in toy.err
    assert "Traceback" not in toy.err


def test_the_report_page_stands_alone_and_says_that_a_trial_failed(toy: Ran):
    run_id = read_run(toy.results).run["run_id"]
    page = toy.results.report(run_id).read_text(encoding="utf-8")
    assert "1 of 14 trials FAILED" in page
    assert "data:image/png;base64," in page
    assert "How many filters?" in page


def test_running_again_trains_only_what_is_missing(mended: Ran):
    runs = list_runs(mended.results)
    last = runs.iloc[-1]
    assert mended.code == 0, mended.err
    assert last["failed_trials"] == 0
    assert last["trainings"] - last["reused_trainings"] == 1
    assert last["status"] == "completed"


@pytest.fixture(scope="module")
def damaged(mended: Ran) -> Ran:
    """The same study run a third time, after two of its trainings were damaged."""
    trainings = read_run(mended.results).trainings
    first, second = trainings["key"].iloc[[0, 3]]
    (mended.results.trainings / first / "record.json").write_text("{")
    next((mended.results.trainings / second).glob("weights-*.npz")).write_bytes(b"")
    command = ("run", mended.study, "--results", mended.results.folder)
    return Ran(*run(*command, folder=mended.study.parent), mended.results, mended.study)


def test_exactly_the_damaged_trainings_are_trained_again(damaged: Ran):
    before, last = (
        read_run(damaged.results, each).trainings for each in list_runs(damaged.results)["run_id"][1:]
    )
    assert damaged.code == 0, damaged.err
    assert set(last.loc[~last["reused"], "key"]) == set(before["key"].iloc[[0, 3]])
    assert damaged.err.count("; it counts as missing and is trained again") >= 2


def test_reading_earlier_trainings_publishes_equal_tables(damaged: Ran):
    before, after = (read_run(damaged.results, each) for each in list_runs(damaged.results)["run_id"][1:])
    # Who trained it, when and how fast is all that may differ.
    circumstances = ["run_id", "reused", "trained_by", "attempts", "versions"]
    for table in ("trials", "epochs", "summary"):
        one, other = getattr(before, table), getattr(after, table)
        times = [name for name in one.columns if name.endswith("seconds")]
        left_out = [name for name in (*circumstances, *times) if name in one.columns]
        pd.testing.assert_frame_equal(one.drop(columns=left_out), other.drop(columns=left_out))
    assert (before.trials["weights_sha256"] == after.trials["weights_sha256"]).all()


def test_predicted_and_actual_times_are_recorded(toy: Ran):
    frames = read_run(toy.results, list_runs(toy.results)["run_id"].iloc[0])
    run = frames.run
    assert run["predicted_low_seconds"] < run["predicted_seconds"] < run["predicted_high_seconds"]
    assert 0 < run["makespan_bound_seconds"] <= run["makespan_seconds"] < run["wall_seconds"]
    done = frames.trainings[frames.trainings["status"] == "completed"]
    assert (done["predicted_seconds"] > 0).all()
    assert done["lane_seconds"].sum() == pytest.approx(run["lane_seconds"])


def test_what_started_a_run_what_it_was_asked_and_its_devices_are_recorded(toy: Ran):
    run = read_run(toy.results, list_runs(toy.results)["run_id"].iloc[0]).run
    assert run["trigger"] == "command line"
    assert json.loads(run["parameters"]) == {
        **RunOptions().model_dump(mode="json"),
        "study_file": str(toy.study),
        "lanes": 2,
    }
    assert json.loads(run["devices"]) == [{"kind": "CPU", "gpu": ""}] * 2
    assert bool(run["git_dirty"]) == pd.notna(run["git_diff_sha256"])


def test_every_published_run_is_in_the_history_and_sound(mended: Ran):
    out = run("verify", "--results", mended.results.folder, folder=mended.study.parent)
    assert out[0] == 0, out
    runs = len(list_runs(mended.results))
    assert f"{runs} published runs: {runs} sound, 0 damaged\n" in out[1]
    assert "1 month of the history: 1 sound, 0 damaged\n" in out[1]


def test_the_plan_after_a_run_has_nothing_to_train(mended: Ran):
    _, out, _ = run(
        "plan", mended.study, "--results", mended.results.folder, "--json", folder=mended.study.parent
    )
    plan = json.loads(out)
    assert (plan["trainings"], plan["reused_trainings"], plan["epochs_to_run"]) == (7, 7, 0)
    assert (plan["combination"]["trainings"], plan["combination"]["to_train"]) == (1, 0)
    assert set(read_run(mended.results).trials["key"]) >= {each["key"] for each in plan["training_list"]}


def test_a_run_over_budget_is_refused_before_anything_is_trained(tmp_path: Path):
    study = write_toy(tmp_path)
    code, _, err = run("run", study, "--results", "results", "--budget", "3s", folder=tmp_path)
    assert code == 2, err
    assert "study: --budget: predicted " in err
    assert "more than the 3.0 s allowed; nothing was trained" in err
    assert not (tmp_path / "results" / "trainings").exists()


def test_trials_that_share_a_training_share_its_key_and_repeats_never_do(mended: Ran):
    trials = read_run(mended.results).trials
    baseline = trials[(trials["filters"] == 4) & (trials["dropout"] == 0) & (trials["exercise"] < 7)]
    assert baseline.groupby("seed")["key"].nunique().tolist() == [1, 1]
    assert baseline["key"].nunique() == 2
    per_setting = trials.groupby(["exercise", "setting"])
    assert (per_setting["key"].nunique() == per_setting.size()).all()
    assert (per_setting["weights_sha256"].nunique() == per_setting.size()).all()


def test_early_stopping_reads_a_prefix(mended: Ran):
    trials = read_run(mended.results).trials
    assert trials.loc[trials["exercise"] == 6, "epochs_run"].between(2, 3).all()


def test_the_tables_are_read_with_pandas_alone(mended: Ran):
    trials = pd.read_parquet(mended.results.tables / "trials")
    runs = list_runs(mended.results)["run_id"]
    assert set(trials["run_id"]) == set(runs)
    assert len(trials) == 14 * len(runs)


def test_the_combination_of_best_values_is_trained_and_compared(mended: Ran):
    summary = read_run(mended.results).summary
    assert summary.loc[summary["exercise"] == 7, "setting"].tolist() == ["published", "combination"]


def test_the_model_is_saved_in_every_format_with_its_card_and_predicts_the_same_when_loaded(mended: Ran):
    folder = mended.results.model(read_run(mended.results).run["run_id"])
    facts = json.loads((folder / "model.json").read_text())
    assert {path.name for path in folder.iterdir()} == {
        "Fashion_MNIST_model.h5",
        "Fashion_MNIST_model.keras",
        "Fashion_MNIST_model",
        "Fashion_MNIST_model.tflite",
        "model.json",
        "model_card.md",
    }
    assert (folder / "Fashion_MNIST_model" / "1" / "saved_model.pb").is_file()
    assert facts["files_agree"] is True
    assert facts["reloaded_test_accuracy"] == pytest.approx(facts["test_accuracy"])
    assert sum(map(sum, facts["confusion"])) == 200


def test_figures_are_pictures(mended: Ran):
    folder = mended.results.figures(read_run(mended.results).run["run_id"])
    names = {path.stem for path in folder.glob("*.png")}
    assert {
        "first-nine",
        "exercise-2-accuracy",
        "exercise-6-time",
        "learning-curves",
        "confusion-matrix",
    } <= names
    assert all(cv2.imread(str(path)) is not None for path in folder.glob("*.png"))


def test_a_saved_model_classifies_an_image_from_the_command_line(mended: Ran, tmp_path: Path):
    model = mended.results.model(read_run(mended.results).run["run_id"]) / "Fashion_MNIST_model.keras"
    image = tmp_path / "boot.png"
    cv2.imwrite(str(image), load_dataset().test()[0][0])
    code, out, err = run("predict", model, image, folder=tmp_path)
    assert code == 0, err
    assert "boot.png" in out
    assert "%" in out


def test_show_prints_the_latest_summary(mended: Ran, tmp_path: Path):
    code, out, _ = run("show", "--results", mended.results.folder, folder=tmp_path)
    assert code == 0
    assert "epochs=3" in out
    assert "combination" in out


def test_no_process_is_left(mended: Ran):
    assert processes_that_mention(os.environ["PREFECT_HOME"]) == []


def test_a_model_that_cannot_be_saved_leaves_the_tables_published_and_the_run_to_be_gone_on_with(
    mended: Ran, tmp_path: Path
):
    results = Results(tmp_path / "results")
    shutil.copytree(mended.results.trainings, results.trainings)
    command = [str(STUDY), "run", str(mended.study), "--results", str(results.folder)]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list((results.folder / "runs").glob("*/figures")):
        time.sleep(0.01)
    for folder in (results.folder / "runs").iterdir():
        (folder / "model").touch()  # a file where a folder is needed
    _, err = process.communicate(timeout=240)
    assert process.returncode == 1, err
    published = read_run(results)
    assert len(published.trials) == 14
    assert published.models.empty
    assert "the run failed; finished trainings are kept" in err
    assert "FileExistsError" in err or "NotADirectoryError" in err
    next((results.folder / "runs").glob("*/model")).unlink()
    code, _, err = run("resume", "--results", results.folder, folder=tmp_path)
    assert code == 0, err
    assert len(read_run(results).models) == 1


def test_ctrl_c_stops_within_seconds_keeps_what_is_finished_and_says_how_to_go_on(tmp_path: Path):
    long = TOY.replace("values: [2, 4]", "values: [2, 4, 5, 6, 7, 8, 9, 10]").replace("[1, 3]", "[1, 300]")
    study = write_toy(tmp_path, long)
    command = [STUDY, "run", study, "--results", tmp_path / "results", "--lanes", "2"]
    process = subprocess.Popen(
        list(map(str, command)), cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    trainings = tmp_path / "results" / "trainings"
    deadline = time.monotonic() + 120
    while not list(trainings.glob("*/record.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal sends: to every process of the group
    started = time.monotonic()
    try:
        _, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"Ctrl-C did not end it: {process.communicate()[1]}")
    assert process.returncode == 130, err
    assert time.monotonic() - started < 30
    assert f"finished trainings are kept in {trainings}" in err
    assert "`study resume " in err
    assert "Traceback" not in err
    assert list(trainings.glob("*/record.json"))
    assert processes_that_mention(os.environ["PREFECT_HOME"]) == []
    _, _, err = run("run", study, "--results", "results", "--budget", "1s", folder=tmp_path)
    assert "was interrupted: `study resume` would go on with it; this is a new run" in err
