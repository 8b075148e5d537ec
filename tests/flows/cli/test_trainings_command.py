"""`study trainings` lists the kept trainings; `study verify` finds the damaged ones."""

import json
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

import pytest

from storage.results import Results, open_results
from storage.trainings import hash_weights, save_training
from study.plan.plan import Training
from study.records.record import Source, StopRule
from study.spec.setting import Hyperparameters
from tasks.training.train_on_lanes import MODEL_VERSION
from tests import simulated
from tests.command import study
from tests.frames import make_record

TODAY = Source(
    protocol="lab", data="d", held_out_images=0, model=MODEL_VERSION,
    tensorflow=metadata.version("tensorflow"), device="CPU",
)  # fmt: skip


def run(results: Results, *arguments: object) -> tuple[int, str]:
    done = study(*arguments, "--results", results.folder)
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
    code, out = run(results, "trainings")
    assert code == 0
    assert all(key in out for key in keys)
    assert "baseline seed=2" in out
    assert "2 trainings, 0.0 MB in" in out


def test_an_empty_cache_is_no_error(results: Results):
    assert run(results, "trainings") == (0, f"0 trainings, 0.0 MB in {results.trainings}\n")


def test_damage_is_found_and_said(results: Results):
    sound, bad, unfinished = keep(results, 1), keep(results, 2), keep(results, 3)
    path = results.trainings / bad / "record.json"
    envelope = json.loads(path.read_text())
    envelope["record"]["epochs"][0]["test_accuracy"] = 0.5
    path.write_text(json.dumps(envelope))
    (results.trainings / unfinished / "record.json").unlink()
    code, out = run(results, "verify")
    assert code == 1
    again = "; the next run that needs it trains it again\n"
    assert f"{path} is damaged: its checksum does not fit{again}" in out
    assert f"{results.trainings / unfinished} has no record: it was never finished{again}" in out
    assert "3 kept trainings: 1 sound, 2 damaged\n" in out
    code, out = run(results, "trainings")
    assert code == 0
    assert "2 not readable (`study verify` says why)" in out
    assert sound in out
