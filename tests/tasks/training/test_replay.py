"""Recipes sorted out and trained on real lanes: merged by key, and what fails is a verdict."""

from pathlib import Path

import numpy as np
import pytest

from storage.results import open_results
from storage.trainings import hash_weights, save_training
from study.conclusions.replay import Recipe, Replay
from study.plan.plan import Training
from study.records.record import Segment, StopRule
from study.spec.setting import Hyperparameters
from tasks.data.dataset import Dataset
from tasks.engines import engine as choose_engine
from tasks.engines.native_library import NativeUnavailable
from tasks.engines.provenance import library_versions, processor_name
from tasks.lanes.devices import Device
from tasks.lanes.local import InProcessLane, LocalLanes
from tasks.lanes.process import Attempt, LaneDied
from tasks.training import replay, train_on_lanes
from tasks.training.one_training import run_training
from tasks.training.train_on_lanes import MODEL_VERSION
from tests.engines import ENGINE
from tests.study.conclusions.test_replay import make_recipe

KIND = Device("CPU").kind


@pytest.fixture(autouse=True)
def _retries_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_on_lanes, "RETRY_SECONDS", [0.0, 0.0])


def make(dataset: Dataset, epochs: int = 1, engine: str = ENGINE, **changes: object) -> Recipe:
    """A recipe of this dataset and of today, whose recorded readings nothing gives."""
    template = make_recipe(images=dataset.test_count)
    source = template.training.source.model_copy(
        update={"data": dataset.fingerprint, "engine": engine, "model": MODEL_VERSION}
    )
    training = Training(
        hyperparameters=Hyperparameters(filters=2),
        seed=1,
        source=source,
        rules=(StopRule(epochs=epochs),),
        label=f"epochs={epochs}",
    )
    update = {"training": training, "key": training.key, "train_images": dataset.train_count}
    recipe = template.model_copy(update={**update, "trial": f"4/epochs={epochs}/1"})
    versions = {"versions": library_versions(engine), "device": KIND, "processor": processor_name()}
    inputs = replay.list_inputs(recipe, dataset, KIND, Segment.model_construct(**versions))
    return recipe.model_copy(update={"inputs": inputs, **changes})


def run(retrainings: list[replay.Retraining]) -> list[Replay]:
    found = replay.retrain(retrainings, LocalLanes([Device("CPU")]))
    return [each for _, judged, _ in found for each in judged]


def test_recipes_of_one_training_are_trained_once_each_reading_its_own_epoch(dataset: Dataset):
    refused, retrainings = replay.sort_out([make(dataset, 1), make(dataset, 2)], dataset, KIND)
    assert (refused, len(retrainings)) == ([], 1)
    found = run(retrainings)
    assert [each.found.epochs_run for each in found if each.found] == [1, 2]
    assert {each.verdict for each in found} == {"differs"}
    assert "and no recorded input differs" in found[0].reason


def test_longer_trainings_come_first(dataset: Dataset):
    short = make(dataset, seconds=1.0)
    seeded = short.training.model_copy(update={"seed": 2})
    long = make(dataset, training=seeded, key="another", seconds=9.0)
    _, retrainings = replay.sort_out([short, long], dataset, KIND)
    assert [each.seconds for each in retrainings] == [9.0, 1.0]


def test_what_is_of_another_model_is_refused_and_not_trained(dataset: Dataset):
    recipe = make(dataset)
    other = recipe.model_copy(update={"inputs": {**recipe.inputs, "model version": "0"}})
    refused, retrainings = replay.sort_out([other], dataset, KIND)
    assert retrainings == []
    assert f"model version: 0 → {MODEL_VERSION}" in refused[0].reason


def test_an_engine_that_cannot_be_used_here_is_named(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail() -> None:
        raise NativeUnavailable("there is no C++ compiler")

    recipe = make(dataset)
    source = recipe.training.source.model_copy(update={"engine": "native"})
    native = recipe.model_copy(
        update={
            "training": recipe.training.model_copy(update={"source": source}),
            "inputs": {**recipe.inputs, "engine": "native"},
        }
    )
    monkeypatch.setattr(choose_engine, "prepare_native_library", fail)
    choose_engine._why_not.cache_clear()
    refused, retrainings = replay.sort_out([native], dataset, KIND)
    choose_engine._why_not.cache_clear()
    assert retrainings == []
    assert refused[0].reason == "not trained, as it would be another training: engine: native → tensorflow"
    assert "the native engine cannot be used: there is no C++ compiler" in caplog.text


def test_a_row_of_a_gpu_is_not_trained_on_a_cpu(dataset: Dataset):
    recipe = make(dataset)
    other = recipe.model_copy(update={"inputs": {**recipe.inputs, "kind of device": "GPU"}})
    refused, _ = replay.sort_out([other], dataset, KIND)
    assert "kind of device: GPU → CPU" in refused[0].reason


def test_a_training_that_fails_each_time_is_a_verdict_and_the_others_go_on(dataset: Dataset):
    sound, broken = make(dataset), make(dataset, trial="2/broken/1")
    unusable = broken.training.model_copy(
        update={"hyperparameters": None, "label": "broken", "key": "0" * 16}
    )
    retrainings = [
        replay.Retraining(sound.training, (sound,), dataset),
        replay.Retraining(unusable, (broken,), dataset),
    ]
    found = {each.trial: each for each in run(retrainings)}
    assert found["2/broken/1"].reason.startswith("not trained: AttributeError: ")
    assert found["4/epochs=1/1"].found is not None


def test_a_lane_that_dies_costs_an_attempt_and_no_verdict(dataset: Dataset):
    recipe = make(dataset)
    with InProcessLane() as lanes:
        run_once, failures = lanes._run_on, iter([LaneDied("lane-0 died")])

        def die_first(attempt: Attempt) -> object:
            for failure in failures:
                raise failure
            return run_once(attempt)

        lanes._run_on = die_first  # type: ignore[method-assign]
        ((_, (found,), seconds),) = replay.retrain(
            [replay.Retraining(recipe.training, (recipe,), dataset)], lanes
        )
    assert found.found is not None and seconds > 0


def test_of_a_training_that_diverges_the_epochs_before_are_read(dataset: Dataset, tmp_path: Path):
    short, long = make(dataset, 2), make(dataset, 3)
    trained = run_training(short.training, dataset, replay.RUN_ID)
    broken = [np.full_like(each, np.nan) for each in trained.weights[2]]
    last = trained.record.epochs[1].model_copy(update={"weights_sha256": hash_weights(broken)})
    record = trained.record.model_copy(update={"epochs": (trained.record.epochs[0], last)})
    results = open_results(tmp_path)
    save_training(results, record, {2: broken}, trained.optimizer)
    retraining = replay._merge([short, long], dataset)
    diverged = replay._train(retraining, results, InProcessLane())
    read, failure = replay._read(short, diverged)
    assert read is not None and read.epochs_run == 2 and failure == ""
    assert replay._read(long, diverged) == (None, "not trained: the loss is nan in epoch 3")
