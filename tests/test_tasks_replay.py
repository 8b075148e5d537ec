"""Recipes sorted out and trained on real lanes: merged by key, and what fails is a verdict."""

import pytest

from study.plan import Training
from study.recipe import Recipe
from study.replay import Replay
from study.setting import Hyperparameters
from study.stopping import StopRule
from tasks import replay
from tasks.dataset import Dataset
from tasks.devices import Device
from tasks.native_library import NativeUnavailable
from tests.engines import ENGINE
from tests.test_study_replay import make_recipe

KIND = Device("CPU").kind


def make(dataset: Dataset, epochs: int = 1, engine: str = ENGINE, **changes: object) -> Recipe:
    """A recipe of this dataset and of today, whose recorded readings nothing gives."""
    template = make_recipe(images=dataset.test_count)
    source = template.training.source.model_copy(
        update={"data": dataset.fingerprint, "engine": engine, "model": replay.MODEL_VERSION}
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
    inputs = replay.describe_today(recipe, dataset, KIND)
    return recipe.model_copy(update={"inputs": inputs, **changes})


def run(jobs: list[replay.Job], dataset: Dataset) -> list[Replay]:
    found = replay.replay_jobs(jobs, dataset, [Device("CPU")])
    return [each for _, judged, _ in found for each in judged]


def test_recipes_of_one_training_are_trained_once_each_reading_its_own_epoch(dataset: Dataset):
    refused, jobs = replay.sort_out([make(dataset, 1), make(dataset, 2)], dataset, KIND)
    assert (refused, len(jobs)) == ([], 1)
    found = run(jobs, dataset)
    assert [each.found.epochs_run for each in found if each.found] == [1, 2]
    assert {each.verdict for each in found} == {"differs"}
    assert "and no recorded input differs" in found[0].reason


def test_longer_trainings_come_first(dataset: Dataset):
    short = make(dataset, seconds=1.0)
    seeded = short.training.model_copy(update={"seed": 2})
    long = make(dataset, training=seeded, key="another", seconds=9.0)
    _, jobs = replay.sort_out([short, long], dataset, KIND)
    assert [job.seconds for job in jobs] == [9.0, 1.0]


def test_what_is_of_another_model_is_refused_and_not_trained(dataset: Dataset):
    inputs = make(dataset).inputs.model_copy(update={"model": "0"})
    refused, jobs = replay.sort_out([make(dataset, inputs=inputs)], dataset, KIND)
    assert jobs == []
    assert f"model version: 0 → {replay.MODEL_VERSION}" in refused[0].reason


def test_an_engine_that_cannot_be_used_here_is_named(dataset: Dataset, monkeypatch: pytest.MonkeyPatch):
    def fail() -> None:
        raise NativeUnavailable("there is no C++ compiler")

    monkeypatch.setattr(replay, "prepare_native_library", fail)
    replay._why_not.cache_clear()
    recipe = make(dataset, engine="native")
    inputs = recipe.inputs.model_copy(update={"engine": "native"})
    refused, jobs = replay.sort_out([recipe.model_copy(update={"inputs": inputs})], dataset, KIND)
    replay._why_not.cache_clear()
    assert jobs == []
    assert "engine: native → native cannot be used here: there is no C++ compiler" in refused[0].reason


def test_a_row_of_a_gpu_is_not_trained_on_a_cpu(dataset: Dataset):
    inputs = make(dataset).inputs.model_copy(update={"kind": "GPU"})
    refused, _ = replay.sort_out([make(dataset, inputs=inputs)], dataset, KIND)
    assert "kind of device: GPU → CPU" in refused[0].reason


def test_a_training_that_fails_each_time_is_a_verdict_and_the_others_go_on(dataset: Dataset):
    sound, broken = make(dataset), make(dataset, trial="2/broken/1")
    unusable = broken.training.model_copy(update={"hyperparameters": None, "label": "broken"})
    jobs = [
        replay.Job(sound.training, (sound,), sound.inputs),
        replay.Job(unusable, (broken,), broken.inputs),
    ]
    found = {each.trial: each for each in run(jobs, dataset)}
    assert found["2/broken/1"].reason.startswith("not trained: AttributeError: ")
    assert found["4/epochs=1/1"].found is not None
