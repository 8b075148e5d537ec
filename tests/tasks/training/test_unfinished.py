"""The state of a training is kept until it ends: the next attempt continues it, to the same bits."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.results import Results
from storage.trainings import list_keys, read_records, verify_training
from study.plan.plan import Training
from study.records.record import StopRule, TrainingRecord
from study.spec.setting import Hyperparameters
from study.spec.study_file import read_study
from tasks.data.dataset import Dataset
from tasks.engines.engine import load_engine
from tasks.lanes.local import InProcessLane
from tasks.lanes.process import Attempt, LaneDied
from tasks.training import train_on_lanes
from tasks.training.one_training import run_training
from tasks.training.train_on_lanes import train
from tests.engines import needs_native
from tests.tasks.training.test_train_on_lanes import job_of, make_training, runs

SMALL: dict[str, Any] = {"filters": 4, "dense_units": 8}
PLAIN = Hyperparameters(**SMALL)
RANDOM = Hyperparameters(**SMALL, dropout=0.3, augmentation="flip-shift", averaging=0.7)
SCHEDULED = Hyperparameters(**SMALL, dropout=0.3, schedule="cosine")
ADAM = Hyperparameters(**SMALL, dropout=0.3, averaging=0.7, optimizer="adam", weight_decay=0.01)
OWN = """
import keras

def build(input_shape, classes, *, dropout: float = 0.3):
    images = keras.Input(input_shape)
    outputs = keras.layers.Conv2D(3, 5, strides=4, activation="relu")(images)
    outputs = keras.layers.Flatten()(keras.layers.BatchNormalization()(outputs))
    outputs = keras.layers.Dropout(dropout)(outputs)
    return keras.Model(images, keras.layers.Dense(classes, activation="softmax")(outputs))
"""
STUDY = """
name: mine
title: Mine
model: network.py:build
exercises: [{number: 2, kind: sweep, title: T, question: Q?, parameter: dropout, values: [0.3], repeats: 1}]
"""


class DyingLane(InProcessLane):
    """A lane that dies when it is called for the n-th time; each attempt begins with a new engine."""

    def __init__(self) -> None:
        super().__init__()
        self.dies_at = 0

    def _run_on(self, attempt: Attempt) -> Any:
        attempt.calls += 1
        if attempt.calls == 1:
            load_engine.cache_clear()
        if attempt.calls == self.dies_at:
            raise LaneDied("it died")
        return super()._run_on(attempt)


class Runs:
    """Trains with results of its own, on a lane that hands over its state after each epoch."""

    def __init__(self, dataset: Dataset, results: Results) -> None:
        self.dataset, self.results, self.lane = dataset, results, DyingLane()

    def finish(self, training: Training, run_id: str, fresh: bool = False) -> TrainingRecord:
        self.lane.dies_at = 0
        return train.fn(job_of(training), self.dataset, self.results, self.lane, run_id, fresh)

    def die(self, training: Training, run_id: str, after: int = 2, fresh: bool = False) -> None:
        """Train a number of epochs, in which the lane hands over a number of states."""
        self.lane.dies_at = after + 1
        with pytest.raises(LaneDied):
            train.fn(job_of(training), self.dataset, self.results, self.lane, run_id, fresh)

    @property
    def unfinished(self) -> list[str]:
        return list_keys(self.results.unfinished)


@pytest.fixture
def trains(dataset: Dataset, results: Results, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.setattr(train_on_lanes, "KEPT_SECONDS", 0.0)
    return Runs(dataset, results)


def lab(hyperparameters: Hyperparameters, engine: str) -> Callable[[Path], Training]:
    def make(_: Path) -> Training:
        training = make_training(hyperparameters, ends=[2, 4], engine=engine)
        budget = 4 if hyperparameters.schedule == "cosine" else None
        return training.model_copy(update={"schedule_epochs": budget})

    return make


def own(folder: Path) -> Training:
    """The training of a network of one's own."""
    for name, text in (("network.py", OWN), ("mine.yaml", STUDY)):
        (folder / name).write_text(text, encoding="utf-8")
    study = read_study(str(folder / "mine.yaml"))
    assert study.model
    setting = study.baseline.with_changes({"optimizer": "rmsprop", "learning_rate": 0.001}).hyperparameters
    training = make_training(setting, ends=[2, 4])
    source = training.source.model_copy(update={"network": study.model.source}).of(setting)
    return training.model_copy(update={"source": source})


NATIVE = [
    pytest.param(lab(each, "native"), marks=needs_native, id=f"native {name}")
    for name, each in (("plain", PLAIN), ("random and averaged", RANDOM), ("scheduled", SCHEDULED))
]
TENSORFLOW = [
    pytest.param(lab(RANDOM, "tensorflow"), id="tensorflow random and averaged"),
    pytest.param(lab(ADAM, "native"), id="keras adam averaged", marks=pytest.mark.slow),
    pytest.param(own, id="keras own network"),
]


@pytest.mark.parametrize("make", [*NATIVE, *TENSORFLOW])
def test_an_attempt_that_continues_another_ends_with_the_bits_of_a_quiet_one(
    trains: Runs, tmp_path: Path, make: Callable[[Path], Training]
):
    training = make(tmp_path)
    quiet = run_training(training, trains.dataset, "quiet").record
    trains.die(training, "run", after=3)
    assert trains.unfinished == [training.key]
    record = trains.finish(training, "run")
    assert [each.weights_sha256 for each in record.epochs] == [each.weights_sha256 for each in quiet.epochs]
    assert record.validation_losses == quiet.validation_losses
    assert record.optimizer_sha256 == quiet.optimizer_sha256
    assert record.kept_weights == quiet.kept_weights == (2, 4)
    assert verify_training(trains.results, record.key) == record
    assert runs(record) == [("run", 3), ("run", 1)]
    assert record.attempts_by("run") == 2
    assert trains.unfinished == []


def test_patience_counts_the_epochs_of_the_attempt_before(trains: Runs):
    fast = PLAIN.model_copy(update={"learning_rate": 0.2})
    training = make_training(fast).model_copy(update={"rules": (StopRule(epochs=30, patience=2),)})
    quiet = run_training(training, trains.dataset, "quiet").record
    assert 1 < len(quiet.epochs) < 30
    trains.die(training, "run", after=len(quiet.epochs) - 1)  # one of the two epochs without a lower loss
    record = trains.finish(training, "run")
    assert record.validation_losses == quiet.validation_losses
    assert record.kept_weights == quiet.kept_weights


def test_a_lane_that_hands_over_its_state_makes_one_attempt_of_one_segment(trains: Runs):
    record = trains.finish(make_training(RANDOM, ends=[4]), "run")
    quiet = run_training(make_training(RANDOM, ends=[4]), trains.dataset, "quiet").record
    (segment,) = record.segments
    assert (segment.epochs, segment.attempts) == (4, 1)
    assert segment.lane_seconds > sum(each.seconds for each in record.epochs)
    assert record.epochs[-1].weights_sha256 == quiet.epochs[-1].weights_sha256
    assert trains.unfinished == []


def test_a_training_that_ends_within_a_minute_is_handed_over_once(dataset: Dataset, results: Results):
    trains = Runs(dataset, results)
    trains.lane.dies_at = 2
    train.fn(job_of(make_training(ends=[3])), dataset, results, trains.lane, "run")
    assert not results.unfinished.folder.exists()


def test_a_later_run_continues_what_a_killed_one_left_and_readers_do_not_see_it(
    trains: Runs, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    training = make_training(ends=[4])
    trains.die(training, "killed")
    assert list_keys(trains.results) == list(read_records(trains.results)) == []
    record = trains.finish(training, "later")
    assert runs(record) == [("killed", 2), ("later", 2)]
    assert record.kept_weights == (4,)
    assert "test seed=1: continues an attempt that ended after epoch 2" in caplog.text


def test_an_extended_training_continues_the_attempt_to_extend_it(trains: Runs):
    trains.finish(make_training(ends=[1]), "first")
    trains.die(make_training(ends=[2, 4]), "second")
    record = trains.finish(make_training(ends=[2, 4]), "second")
    assert runs(record) == [("first", 1), ("second", 2), ("second", 1)]
    assert record.kept_weights == (1, 2, 4)
    assert verify_training(trains.results, record.key) == record


def test_a_fresh_run_continues_only_what_it_trained_itself(trains: Runs):
    training = make_training(ends=[4])
    trains.die(training, "old")
    trains.die(training, "fresh", after=1, fresh=True)
    assert runs(trains.finish(training, "fresh", fresh=True)) == [("fresh", 1), ("fresh", 3)]


def test_a_shorter_training_neither_reads_nor_removes_what_a_longer_one_waits_for(trains: Runs):
    trains.die(make_training(ends=[4]), "killed")
    assert runs(trains.finish(make_training(ends=[1]), "short")) == [("short", 1)]
    record = trains.finish(make_training(ends=[4]), "later")
    assert runs(record) == [("killed", 2), ("later", 2)]
    assert verify_training(trains.results, record.key) == record


@pytest.mark.parametrize("name", ["record.json", "weights-2.npz", "optimizer-2.npz"])
def test_a_damaged_state_is_told_of_and_not_used(trains: Runs, caplog: pytest.LogCaptureFixture, name: str):
    training = make_training(ends=[3])
    trains.die(training, "killed")
    path = trains.results.unfinished.trainings / training.key / name
    path.write_bytes(path.read_bytes()[:100])
    record = trains.finish(training, "later")
    assert runs(record) == [("later", 3)]
    assert f"{path} is damaged" in caplog.text
    assert trains.unfinished == []


@pytest.mark.slow
def test_an_object_store_keeps_the_state_too(
    dataset: Dataset, s3_results: Results, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(train_on_lanes, "KEPT_SECONDS", 0.0)
    trains, training = Runs(dataset, s3_results), make_training(ends=[2, 4])
    trains.die(training, "killed", after=3)
    assert trains.unfinished == [training.key]
    record = trains.finish(training, "later")
    assert runs(record) == [("killed", 3), ("later", 1)]
    assert verify_training(s3_results, record.key) == record
    assert trains.unfinished == []
