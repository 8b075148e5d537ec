"""`study cache`: list and prune the kept trainings."""

import json
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

import pytest

from storage.place import Results, open_results
from storage.trainings import hash_weights, list_keys, save_training
from study.plan import Source, Training, training_key
from study.setting import Hyperparameters
from study.stopping import StopRule
from tasks.train import MODEL_VERSION
from tests import simulated
from tests.command import study
from tests.frames import make_record

TODAY = Source(
    protocol="lab", data="d", held_out_images=0, model=MODEL_VERSION,
    tensorflow=metadata.version("tensorflow"), device="CPU",
)  # fmt: skip


def run(results: Results, *arguments: object) -> tuple[int, str]:
    done = study("cache", *arguments, "--results", results.folder)
    assert done.err == ""
    return done.code, done.out


def keep(results: Results, seed: int, source: Source = TODAY, days: int = 0) -> str:
    """Keep a simulated training that was finished so many days ago; return its key."""
    training = Training(
        hyperparameters=Hyperparameters(),
        seed=seed,
        source=source,
        rules=(StopRule(epochs=2),),
        label=f"baseline seed={seed}",
    )
    record = make_record(training, simulated.train(training.hyperparameters, seed)[:2])
    then = datetime.now(UTC) - timedelta(days=days)
    segment = record.segments[0].model_copy(update={"finished_at": then})
    update = {"segments": (segment,), "kept_weights": (), "optimizer_sha256": hash_weights([])}
    save_training(results, record.model_copy(update=update), {}, [])
    return training.key


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return open_results(tmp_path / "results")


def test_kept_trainings_are_listed_with_their_size(results: Results):
    keys = [keep(results, seed) for seed in (1, 2)]
    code, out = run(results, "list")
    assert code == 0
    assert all(key in out for key in keys)
    assert "baseline seed=2" in out
    assert "2 trainings, 0.0 MB in" in out


def test_an_empty_cache_is_no_error(results: Results):
    assert run(results, "list") == (0, f"0 trainings, 0.0 MB in {results.trainings}\n")


def test_damage_is_found_said_and_pruned(results: Results):
    sound, bad, unfinished = keep(results, 1), keep(results, 2), keep(results, 3)
    path = results.trainings / bad / "record.json"
    envelope = json.loads(path.read_text())
    envelope["record"]["epochs"][0]["test_accuracy"] = 0.5
    path.write_text(json.dumps(envelope))
    (results.trainings / unfinished / "record.json").unlink()
    code, out, _ = study("verify", "--results", results.folder)
    assert code == 1
    again = "; the next run that needs it trains it again\n"
    assert f"{path} is damaged: its checksum does not fit{again}" in out
    assert f"{results.trainings / unfinished} has no record: it was never finished{again}" in out
    assert "3 kept trainings: 1 sound, 2 damaged\n" in out
    assert "2 not readable (`study verify` says why)" in run(results, "list")[1]
    code, out = run(results, "prune", "--damaged")
    assert (code, out.startswith("removed 2 trainings, ")) == (0, True)
    assert list_keys(results) == [sound]


def test_a_dry_run_removes_nothing(results: Results):
    keep(results, 1)
    _, out = run(results, "prune", "--all", "--dry-run")
    assert out.startswith("would remove 1 training, ")
    assert len(list_keys(results)) == 1


def test_what_no_version_of_today_can_read_is_stale(results: Results):
    today = keep(results, 1)
    keep(results, 1, TODAY.model_copy(update={"tensorflow": "2.0"}))
    keep(results, 1, TODAY.model_copy(update={"model": "0"}))
    run(results, "prune", "--stale")
    assert list_keys(results) == [today] == [training_key(Hyperparameters(), 1, TODAY)]


def test_old_trainings_are_pruned_by_age(results: Results):
    young = keep(results, 1, days=29)
    keep(results, 2, days=31)
    run(results, "prune", "--older-than", "30d")
    assert list_keys(results) == [young]


def test_everything_can_be_removed(results: Results):
    keep(results, 1)
    run(results, "prune", "--all")
    assert list_keys(results) == []
