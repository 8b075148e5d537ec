"""A toy study that searches, through the real command: the DAG's generations, finals and tables."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from storage.place import Results
from storage.tables import RunFrames, list_runs, read_run

STUDY = Path(sys.executable).with_name("study")
TIMES = ["training_seconds", "run_id"]

SEARCHING = """
name: searching
title: A toy study that searches
protocol: held-out
data: {train_images: 640, test_images: 200, held_out_images: 128}
baseline: {filters: 4, dense_units: 8, epochs: 1}
exercises:
  - {number: 2, kind: sweep, title: Filters, question: How many filters?, parameter: filters, values: [2, 4],
     repeats: 2}
  - number: 7
    kind: optimum
    title: Optimum
    question: What is best?
    repeats: 10
    candidates: {baseline: {}}
    search:
      space:
        filters: {low: 1, high: 6}
        learning_rate: {low: 0.001, high: 0.1, log: true}
        epochs: [1, 2, 9]
      trainings: 14
      generation: 4
      finalists: 1
  - {number: 8, kind: model, title: Model, question: Does the saved model work?}
"""


def run(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [STUDY, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


def same_search(one: RunFrames, other: RunFrames) -> bool:
    pd.testing.assert_frame_equal(one.search.drop(columns=TIMES), other.search.drop(columns=TIMES))
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("searching")
    (made / "searching.yaml").write_text(SEARCHING)
    return made


@pytest.fixture(scope="module")
def searched(folder: Path) -> Results:
    """The results of a run on two lanes."""
    done = run("run", "searching.yaml", "--lanes", 2, folder=folder)
    assert done.returncode == 0, done.stderr
    return Results(folder / "results")


def test_every_candidate_is_a_row_and_the_budget_is_kept(searched: Results):
    search = read_run(searched).search
    assert (search["origin"] == "suggested").sum() == 14
    assert list(search[search["origin"] == "sweep"]["filters"]) == [2, 4]
    assert set(search["state"]) == {"stopped", "completed"}
    assert search["finalist"].notna().sum() >= 1


def test_what_the_sweeps_trained_is_gone_on_with_not_trained_again(searched: Results):
    frames = read_run(searched)
    swept = frames.trials[(frames.trials["exercise"] == 2) & (frames.trials["seed"] == 1)]
    seeds = frames.search[frames.search["origin"] == "sweep"]
    assert set(seeds["key"]) == set(swept["key"])
    trainings = frames.trainings[frames.trainings["key"].isin(seeds["key"])]
    assert (
        trainings["epochs_trained"] == seeds.set_index("key").loc[trainings["key"], "epochs_trained"].values
    ).all()


def test_finalists_and_candidates_are_compared_on_the_same_ten_fresh_seeds(searched: Results):
    frames = read_run(searched)
    trials = frames.trials[frames.trials["exercise"] == 7]
    seeds = {name: tuple(rows["seed"]) for name, rows in trials.groupby("setting")}
    assert {"baseline", "finalist 1"} <= set(seeds)
    assert set(seeds.values()) == {tuple(range(10001, 10011))}
    assert not set(frames.search["seed"]) & set(trials["seed"])
    assert list(frames.finals["setting"]) == list(dict.fromkeys(trials["setting"]))


def test_the_kept_candidate_is_the_best_on_validation_and_its_model_is_saved(searched: Results):
    frames = read_run(searched)
    trials = frames.trials[frames.trials["exercise"] == 7]
    best = trials.groupby("setting", sort=False)["validation_accuracy"].mean().idxmax()
    assert list(frames.finals[frames.finals["kept"]]["setting"]) == [best]
    assert list(frames.models["candidate"]) == [best]


def test_the_report_tells_the_search(searched: Results):
    run_id = str(read_run(searched).run["run_id"])
    text = searched.report(run_id).read_text()
    assert "The search tried 14 configurations, beside 2 settings of the sweeps" in text
    assert 'alt="Validation accuracy against parameters and training time.' in text
    assert "Every candidate of the search" in text


def test_one_lane_makes_the_same_search_as_two(searched: Results, folder: Path):
    done = run("run", "searching.yaml", "--lanes", 1, "--results", "one", folder=folder)
    assert done.returncode == 0, done.stderr
    assert same_search(read_run(searched), read_run(Results(folder / "one")))


def test_a_second_run_searches_the_same_and_trains_nothing(searched: Results, folder: Path):
    first = list_runs(searched)["run_id"].iloc[0]
    planned = run("plan", "searching.yaml", folder=folder)
    assert "its finalists: " in planned.stdout
    assert "read from earlier runs" in planned.stdout
    assert "the search: " not in planned.stdout, "it is at its end"
    done = run("run", "searching.yaml", folder=folder)
    assert done.returncode == 0, done.stderr
    again = read_run(searched)
    assert again.run["run_id"] != first
    assert again.run["epochs_trained"] == 0
    assert same_search(read_run(searched, first), again)


def test_a_search_that_is_killed_goes_on_and_finds_the_same(searched: Results, folder: Path):
    results = Results(folder / "killed")
    command = [STUDY, "run", "searching.yaml", "--results", "killed"]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    # The plan's 14 trainings, and some of the search.
    while len(list(results.trainings.glob("*"))) < 18 and process.poll() is None:
        time.sleep(0.02)
    assert process.poll() is None, "it ended before it was killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = run("resume", "--results", "killed", folder=folder)
    assert done.returncode == 0, done.stderr
    assert same_search(read_run(searched), read_run(results))
