"""Rows chosen by key, by name and at random; recipes read from them, and what contradicts them."""

from pathlib import Path

import pytest

from storage.results import Results
from storage.tables.published import list_runs, publish, read_run
from storage.tables.rows_of_work import TrialRow
from study.conclusions.replay import Recipe
from study.errors import InputError
from study.records.record import StopRule
from study.status import Status
from tasks.training.replay import choose_rows, name_trial, read_recipes
from tests.rows import RUN_ID, make_trials
from tests.small_run import changed, make_small_study, make_tables
from tests.tampered import tamper

LATER = "20260302-120000-abcd"


@pytest.fixture
def published(tmp_path: Path) -> Results:
    place = Results(tmp_path / "results")
    publish_run(place, RUN_ID)
    return place


def publish_run(place: Results, run_id: str) -> None:
    publish(place, make_tables(run_id))
    for table in ("trials", "trainings", "runs"):
        tamper(place, run_id, table, {"engine": "tensorflow"})


def recipes(results: Results, run_id: str = RUN_ID) -> list[Recipe]:
    tables = read_run(results, run_id)
    return read_recipes(tables.trials, tables, list_runs(results))


def test_every_row_makes_its_own_key_and_its_own_stop_rule(published: Results):
    found = recipes(published)
    assert len(found) == 20
    assert all(each.training.key == each.key and not each.faults for each in found)
    assert {each.training.rules for each in found} == {(StopRule(epochs=n),) for n in (1, 2, 5, 10, 20)}


def test_the_inputs_are_those_recorded_in_the_run_and_its_training(published: Results):
    inputs = recipes(published)[0].inputs
    assert inputs["processor"] == "A processor with two cores"
    assert (inputs["uncommitted changes"], inputs["kind of device"], inputs["device"]) == ("no", "CPU", "CPU")


def test_what_another_run_trained_has_that_runs_commit(published: Results):
    publish_run(published, LATER)
    tamper(published, RUN_ID, "runs", {"git_commit": "e" * 40, "git_diff_sha256": "f" * 64})
    tamper(published, LATER, "trials", {"trained_by": RUN_ID, "reused": True})
    found = recipes(published, LATER)[0].inputs
    assert (found["git commit"], found["uncommitted changes"]) == ("e" * 40, "f" * 64)


def test_of_a_run_that_is_gone_the_commit_is_not_known(published: Results):
    tamper(published, RUN_ID, "trials", {"trained_by": "20200101-000000-gone", "reused": True})
    assert recipes(published)[0].inputs["git commit"] == "not recorded"


@pytest.mark.parametrize(
    ("table", "changes", "fault"),
    [
        ("trials", {"seed": 9}, "seed is 9 in `trials` and 1 in `trainings`"),
        ("trials", {"learning_rate": 0.5}, "learning_rate is 0.5 in `trials` and 0.01 in `trainings`"),
        ("trainings", {"filters": 64}, "filters is 32 in `trials` and 64 in `trainings`"),
        ("trials", {"value": 7.0}, "epochs is 1, and the exercise's value 7"),
        ("trials", {"protocol": "held-out"}, "protocol is held-out in `trials` and lab in `runs`"),
        (
            "runs",
            {"data_fingerprint": "e" * 64},
            "data_fingerprint is 0123456789… in `trials` and eeeeeeeeee…",
        ),
        ("trials", {"weights_sha256": "e" * 64}, "weights_sha256 is eeeeeeeeee… in `trials` and "),
        ("epochs", {"test_accuracy": 0.5}, "and 0.5 in `epochs`"),
        ("trials", {"epochs_run": 3}, "epochs_run is 3; with epochs 1 the losses in `epochs` make it 1"),
        ("trials", {"model_version": "7"}, "its columns make the key "),
        ("runs", {"device": "GPU"}, "its columns make the key "),
    ],
)
def test_what_was_changed_in_one_table_is_named(
    published: Results, table: str, changes: dict[str, object], fault: str
):
    tamper(published, RUN_ID, table, changes)
    assert fault in "; ".join(recipes(published)[0].faults)


def test_a_seed_that_was_changed_everywhere_makes_another_key(published: Results):
    for table in ("trials", "trainings", "epochs"):
        tamper(published, RUN_ID, table, {"seed": 9})
    (fault,) = recipes(published)[0].faults
    assert fault.startswith("its columns make the key ")
    assert fault.endswith(f", recorded is {recipes(published)[0].key}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"learning_rate": -1.0},
            "trial 4/epochs=1/1 of run .*: learning_rate is -1.0: Input should be greater",
        ),
        ({"engine": "abacus"}, "engine is 'abacus'"),
        ({"versions": "[1]"}, "versions is \\[1\\]: Input should be a valid dictionary"),
        (
            {"versions": "{"},
            "of run .*: Expecting property name .*; no run publishes this",
        ),
    ],
)
def test_what_no_training_could_have_had_is_bad_input(
    published: Results, changes: dict[str, object], message: str
):
    tamper(published, RUN_ID, "trials", changes)
    with pytest.raises(InputError, match=message):
        recipes(published)


def make_rows() -> list[TrialRow]:
    """Seven completed trials of three settings and a fourth exercise, and one that failed."""
    (template, *_) = make_trials(make_small_study())
    rows = [
        changed(template, exercise=2, setting=f"filters={n}", repeat=repeat, key=f"key{n}{repeat}")
        for n in (2, 4, 8)
        for repeat in (1, 2)
    ]
    dead = {"setting": "filters=9", "key": "dead", "status": Status.FAILED, "weights_sha256": None}
    return [*rows, changed(rows[0], exercise=4, setting="epochs=1"), changed(rows[1], **dead)]


ROWS = make_rows()


def names(trials: list[TrialRow]) -> list[str]:
    return [name_trial(each) for each in trials]


@pytest.mark.parametrize(
    ("keys", "trials", "chosen"),
    [
        (["key21"], [], ["2/filters=2/1", "4/epochs=1/1"]),  # every row that reads the key
        ([], ["key42"], ["2/filters=4/2"]),  # a key given as a trial
        (["key42"], ["2/filters=4/2", "2/filters=2/1"], ["2/filters=2/1", "2/filters=4/2"]),
    ],
)
def test_each_row_that_is_asked_for_comes_once_in_the_tables_order(keys, trials, chosen):
    assert names(choose_rows(ROWS, keys, trials, None, 0)) == chosen


def test_a_seed_draws_the_same_rows_again_and_another_one_others():
    draws = [names(choose_rows(ROWS, (), (), 3, seed)) for seed in (1, 1, 2, 3)]
    assert draws[0] == draws[1]
    assert len({tuple(each) for each in draws}) > 1
    assert all(len(set(each)) == 3 for each in draws)


def test_no_failed_row_is_drawn():
    assert "2/filters=9/2" not in names(choose_rows(ROWS, (), (), 7, 0))


@pytest.mark.parametrize(
    ("keys", "trials", "number", "message"),
    [
        ((), (), None, "nothing to replay: give keys, --trial or --random N; there are 2/filters=2/1"),
        (
            ["nokey"],
            (),
            None,
            "'nokey': no completed trial of this run; there are .* and 1 more",
        ),
        (["dead"], (), None, "'dead': no completed trial of this run"),
        ((), ["filters=2"], None, "'filters=2': no completed trial of this run"),
        (
            (),
            ["2/filters=2/3"],
            None,
            "'2/filters=2/3': no completed trial of this run; there are",
        ),
        ((), ["2/filters=9/2"], None, "'2/filters=9/2': no completed trial of this run"),
        ((), (), 0, "--random: 0 is not allowed; the run has 7 completed trials"),
        ((), (), 8, "--random: 8 is not allowed; the run has 7 completed trials"),
    ],
)
def test_what_cannot_be_chosen_is_answered_with_what_can(keys, trials, number, message):
    with pytest.raises(InputError, match=message):
        choose_rows(ROWS, keys, trials, number, 0)
