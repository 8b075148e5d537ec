"""Recipes read from published tables, of every version of the schema, and what contradicts them."""

from pathlib import Path

import pytest

from storage.place import Results
from storage.tables import list_runs, publish, read_run, rows_of
from study.errors import InputError
from study.recipe import Recipe
from study.stopping import StopRule
from tasks.read_recipe import read_recipe, read_tables
from tests.frames import RUN_ID
from tests.small_run import make_tables
from tests.tampered import tamper

LATER = "20260302-120000-abcd"


@pytest.fixture
def published(tmp_path: Path) -> Results:
    place = Results(tmp_path / "results")
    publish(place, make_tables(RUN_ID))
    return place


def recipes(results: Results, run_id: str = RUN_ID) -> list[Recipe]:
    frames = read_run(results, run_id)
    tables = read_tables(frames, list_runs(results))
    return [read_recipe(row, tables) for row in rows_of(frames.trials)]


def test_every_row_makes_its_own_key_and_its_own_stop_rule(published: Results):
    found = recipes(published)
    assert len(found) == 20
    assert all(each.training.key == each.key and not each.faults for each in found)
    assert {each.training.rules for each in found} == {(StopRule(epochs=n),) for n in (1, 2, 5, 10, 20)}


def test_what_another_run_trained_has_that_runs_commit(published: Results):
    publish(published, make_tables(LATER))
    tamper(published, RUN_ID, "runs", {"git_commit": "e" * 40, "git_diff_sha256": "f" * 64})
    tamper(published, LATER, "trials", {"trained_by": RUN_ID, "reused": True})
    found = recipes(published, LATER)[0].inputs
    assert (found.git_commit, found.changes) == ("e" * 40, "f" * 64)


def test_of_a_run_that_is_gone_the_commit_is_not_known(published: Results):
    tamper(published, RUN_ID, "trials", {"trained_by": "20200101-000000-gone", "reused": True})
    assert recipes(published)[0].inputs.git_commit is None


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
        ({"versions": "[1]"}, "column 'versions' holds '\\[1\\]', which is no JSON object"),
    ],
)
def test_what_no_training_could_have_had_is_bad_input(
    published: Results, changes: dict[str, object], message: str
):
    tamper(published, RUN_ID, "trials", changes)
    with pytest.raises(InputError, match=message):
        recipes(published)
