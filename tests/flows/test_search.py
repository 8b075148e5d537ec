"""A toy study that searches, through the real command: the DAG's generations, finals and tables."""

from collections import defaultdict
from pathlib import Path

import psutil
import pytest

from storage.tables.published import RunTables, list_runs, read_run
from storage.tables.rows_of_findings import SearchRow
from tests.chaos import Arena, hit, stopping
from tests.small_run import changed
from tests.waiting import WAIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

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


def search_of(tables: RunTables) -> list[SearchRow]:
    """The candidates of a run, without what differs between equal searches."""
    return [changed(each, training_seconds=0.0, run_id="") for each in tables.search]


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    """Where a run was on two lanes."""
    made = Arena(tmp_path_factory.mktemp("searching"), SEARCHING)
    assert made.run_study("--lanes", 2) == 0, made.said()
    return made


@pytest.fixture(scope="module")
def run_id(arena: Arena) -> str:
    """That run."""
    return list_runs(arena.results)[0].run_id


@pytest.fixture(scope="module")
def searched(arena: Arena, run_id: str) -> RunTables:
    """The tables of that run."""
    return read_run(arena.results, run_id)


def test_every_candidate_is_a_row_and_the_budget_is_kept(searched: RunTables):
    assert sum(each.origin == "suggested" for each in searched.search) == 14
    assert [each.filters for each in searched.search if each.origin == "sweep"] == [2, 4]
    assert {each.state for each in searched.search} == {"stopped", "completed"}
    assert any(each.finalist for each in searched.search)


def test_what_the_sweeps_trained_is_gone_on_with_not_trained_again(searched: RunTables):
    seeds = {each.key: each.epochs_trained for each in searched.search if each.origin == "sweep"}
    assert set(seeds) == {each.key for each in searched.trials if (each.exercise, each.seed) == (2, 1)}
    assert seeds == {each.key: each.epochs_trained for each in searched.trainings if each.key in seeds}


def test_finalists_and_candidates_are_compared_on_the_same_ten_fresh_seeds(searched: RunTables):
    seeds = defaultdict(list)
    for each in searched.trials:
        if each.exercise == 7:
            seeds[each.setting].append(each.seed)
    assert {"baseline", "finalist 1"} <= set(seeds)
    assert all(each == list(range(10001, 10011)) for each in seeds.values())
    assert {each.seed for each in searched.search}.isdisjoint(range(10001, 10011))
    assert [each.setting for each in searched.finals] == list(seeds)


def test_the_kept_candidate_is_the_best_on_validation_and_its_model_is_saved(searched: RunTables):
    of_exercise = [each for each in searched.summary if each.exercise == 7]
    best = max(of_exercise, key=lambda each: each.mean_validation_accuracy or 0.0).setting
    assert [each.setting for each in searched.finals if each.kept] == [best]
    assert [each.candidate for each in searched.models] == [best]


def test_a_second_run_searches_the_same_and_trains_nothing(arena: Arena, searched: RunTables):
    assert arena.run("plan", arena.study) == 0
    assert "its finalists: " in arena.printed()
    assert "read from earlier runs" in arena.printed()
    assert "the search: " not in arena.printed(), "it is at its end"
    assert arena.run_study("--exercises", "2,7") == 0, arena.said()
    again = read_run(arena.results)
    assert again.run.run_id != searched.run.run_id
    assert again.run.epochs_trained == 0
    assert search_of(again) == search_of(searched)


def test_a_search_on_one_lane_that_is_killed_goes_on_and_finds_the_same_as_on_two(
    searched: RunTables, tmp_path: Path
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
    assert (resumed.run.lanes, resumed.run.resumed) == (1, 1)
    assert search_of(resumed) == search_of(searched)
