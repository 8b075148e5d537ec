"""A toy study that searches, through the real command: the DAG's generations, finals and tables."""

from pathlib import Path

import pandas as pd
import psutil
import pytest

from storage.tables.published import RunFrames, list_runs, read_run
from tests.chaos import Arena, hit, stopping
from tests.waiting import WAIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

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


def same_search(one: RunFrames, other: RunFrames) -> bool:
    pd.testing.assert_frame_equal(one.search.drop(columns=TIMES), other.search.drop(columns=TIMES))
    return True


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    """Where a run was on two lanes."""
    made = Arena(tmp_path_factory.mktemp("searching"), SEARCHING)
    assert made.run_study("--lanes", 2) == 0, made.said()
    return made


@pytest.fixture(scope="module")
def run_id(arena: Arena) -> str:
    """That run."""
    return str(list_runs(arena.results)["run_id"].iloc[0])


@pytest.fixture(scope="module")
def searched(arena: Arena, run_id: str) -> RunFrames:
    """The tables of that run."""
    return read_run(arena.results, run_id)


def test_every_candidate_is_a_row_and_the_budget_is_kept(searched: RunFrames):
    search = searched.search
    assert (search["origin"] == "suggested").sum() == 14
    assert list(search[search["origin"] == "sweep"]["filters"]) == [2, 4]
    assert set(search["state"]) == {"stopped", "completed"}
    assert search["finalist"].notna().sum() >= 1


def test_what_the_sweeps_trained_is_gone_on_with_not_trained_again(searched: RunFrames):
    swept = searched.trials[(searched.trials["exercise"] == 2) & (searched.trials["seed"] == 1)]
    seeds = searched.search[searched.search["origin"] == "sweep"]
    assert set(seeds["key"]) == set(swept["key"])
    trainings = searched.trainings[searched.trainings["key"].isin(seeds["key"])]
    assert (
        trainings["epochs_trained"] == seeds.set_index("key").loc[trainings["key"], "epochs_trained"].values
    ).all()


def test_finalists_and_candidates_are_compared_on_the_same_ten_fresh_seeds(searched: RunFrames):
    trials = searched.trials[searched.trials["exercise"] == 7]
    seeds = {name: tuple(rows["seed"]) for name, rows in trials.groupby("setting")}
    assert {"baseline", "finalist 1"} <= set(seeds)
    assert set(seeds.values()) == {tuple(range(10001, 10011))}
    assert not set(searched.search["seed"]) & set(trials["seed"])
    assert list(searched.finals["setting"]) == list(dict.fromkeys(trials["setting"]))


def test_the_kept_candidate_is_the_best_on_validation_and_its_model_is_saved(searched: RunFrames):
    trials = searched.trials[searched.trials["exercise"] == 7]
    best = trials.groupby("setting", sort=False)["validation_accuracy"].mean().idxmax()
    assert list(searched.finals[searched.finals["kept"]]["setting"]) == [best]
    assert list(searched.models["candidate"]) == [best]


def test_the_report_tells_the_search(arena: Arena, run_id: str):
    text = arena.results.report(run_id).read_text()
    assert "The search tried 14 configurations, besides 2 settings of the sweeps" in text
    assert 'alt="Validation accuracy against parameters and training time.' in text
    assert "Every candidate of the search" in text


def test_a_second_run_searches_the_same_and_trains_nothing(arena: Arena, searched: RunFrames):
    assert arena.run("plan", arena.study) == 0
    assert "its finalists: " in arena.printed()
    assert "read from earlier runs" in arena.printed()
    assert "the search: " not in arena.printed(), "it is at its end"
    assert arena.run_study("--exercises", "2,7") == 0, arena.said()
    again = read_run(arena.results)
    assert again.run["run_id"] != searched.run["run_id"]
    assert again.run["epochs_trained"] == 0
    assert same_search(searched, again)


def test_a_search_on_one_lane_that_is_killed_goes_on_and_finds_the_same_as_on_two(
    searched: RunFrames, tmp_path: Path
):
    killed = Arena(tmp_path, SEARCHING, is_held=True)
    with stopping(killed.start("run", killed.study, "--lanes", 1, "--exercises", "2,7")) as run:
        killed.held.let(18)  # the plan's 14 trainings, and some of the search
        wait_until(killed.held.has_let_all_begin, killed.said)
        hit(psutil.Process(run.pid))
        run.wait(WAIT_SECONDS)
    killed.wait_until_gone()
    assert killed.finished() > 14
    killed.held.let_all()
    assert killed.run("resume") == 0, killed.said()
    resumed = read_run(killed.results)
    assert (resumed.run["lanes"], resumed.run["resumed"]) == (1, 1)
    assert same_search(searched, resumed)
