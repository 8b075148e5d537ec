"""Training: seeded bit for bit, a prefix of every longer training, and the published model."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from storage.results import Results
from storage.trainings import Checkpoint, hash_weights, read_weights, save_training, verify_training
from study.errors import InputError
from study.plan.forecast import Job
from study.plan.plan import Training
from study.records.record import Source, StopRule, TrainingRecord
from study.spec.setting import Hyperparameters
from tasks.data.dataset import Dataset
from tasks.engines.engine import load_engine
from tasks.lanes.devices import Device
from tasks.lanes.local import InProcessLane, LocalLanes
from tasks.training.one_training import AveragingTrainer, mix, run_training
from tasks.training.train_on_lanes import Diverged, obtain_weights, train
from tests.engines import ENGINE, ENGINES

SMALL = Hyperparameters(filters=4, dense_units=8)
WITH_DROPOUT = Hyperparameters(filters=4, dense_units=8, dropout=0.3)
ADAM = Hyperparameters(
    filters=4, dense_units=8, dropout=0.3, optimizer="adam", weight_decay=0.01, averaging=0.7
)
"""Only the general engine trains it."""
AVERAGED = Hyperparameters(filters=4, dense_units=8, dropout=0.3, augmentation="flip-shift", averaging=0.7)


def make_training(
    hyperparameters: Hyperparameters = SMALL,
    seed: int = 1,
    ends: Sequence[int] = (2,),
    held_out: int = 0,
    engine: str = ENGINE,
) -> Training:
    source = Source(
        protocol="held-out" if held_out else "lab", data="data", held_out_images=held_out,
        model="1", tensorflow="2", device="CPU", engine=engine,
    )  # fmt: skip
    rules = tuple(StopRule(epochs=each) for each in ends)
    label = f"test seed={seed}"
    return Training(
        hyperparameters=hyperparameters,
        seed=seed,
        source=source.of(hyperparameters),
        rules=rules,
        label=label,
    )


def up_to(epochs: int, hyperparameters: Hyperparameters = SMALL) -> Training:
    return make_training(hyperparameters, ends=[epochs])


def job_of(training: Training) -> Job:
    """A training to be done, of which nothing is known beforehand."""
    return Job(training, None, training.most_epochs, 0.0, 0.0)


def hashes(training: Training, dataset: Dataset) -> list[str]:
    return hashes_of(run_training(training, dataset, "test").record)


def hashes_of(record: TrainingRecord) -> list[str]:
    return [epoch.weights_sha256 for epoch in record.epochs]


@pytest.mark.parametrize("engine", [pytest.param("tensorflow", marks=pytest.mark.slow), ENGINES[1]])
def test_the_same_trial_twice_gives_the_same_weights_in_any_process(dataset: Dataset, engine: str):
    training = make_training(WITH_DROPOUT, engine=engine)
    other = WITH_DROPOUT.model_copy(update={"learning_rate": 0.1, "dropout": 0.5})
    here = hashes(training, dataset)
    hashes(make_training(other, 5, engine=engine), dataset)
    again = hashes(training, dataset)
    with LocalLanes([Device("CPU")]) as lanes:
        elsewhere = lanes.run("elsewhere", run_training, training, dataset, "test")
    assert here == again == hashes_of(elsewhere.record)


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_change_no_weight_and_are_told(dataset: Dataset, engine: str):
    training = make_training(AVERAGED, engine=engine)
    one, three = (run_training(training, dataset, "test", threads=threads).record for threads in (1, 3))
    assert [(epoch.weights_sha256, epoch.test_loss) for epoch in one.epochs] == [
        (epoch.weights_sha256, epoch.test_loss) for epoch in three.epochs
    ]
    assert [segment.threads for segment in (*one.segments, *three.segments)] == [1, 3]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("hyperparameters", [SMALL, WITH_DROPOUT, AVERAGED])
def test_a_shorter_training_is_the_first_epochs_of_a_longer_one(
    dataset: Dataset, hyperparameters: Hyperparameters, engine: str
):
    longer = hashes(make_training(hyperparameters, ends=[20], engine=engine), dataset)
    shorter = hashes(make_training(hyperparameters, ends=[5], engine=engine), dataset)
    assert shorter == longer[:5]
    assert len(set(longer)) == 20


def test_validation_is_the_test_in_the_lab_protocol_and_not_in_the_held_out_one(dataset: Dataset):
    lab, held_out = (
        run_training(make_training(held_out=images), dataset, "test").record.epochs for images in (0, 100)
    )
    assert all(epoch.validation_loss == epoch.test_loss for epoch in lab)
    assert all(epoch.validation_loss != epoch.test_loss for epoch in held_out)


def test_training_ends_when_every_trial_has_what_it_needs(dataset: Dataset):
    # So high a learning rate that the validation loss soon stops falling.
    fast = SMALL.model_copy(update={"learning_rate": 0.2})
    training = up_to(30, fast).model_copy(update={"rules": (StopRule(epochs=30, patience=1),)})
    trained = run_training(training, dataset, "test")
    losses, weights = trained.record.validation_losses, trained.weights
    assert len(losses) < 30
    assert losses[-1] >= losses[-2]
    assert list(weights) == [len(losses)]


def test_weights_are_kept_where_each_trial_ends(dataset: Dataset, results: Results):
    training = make_training(ends=[1, 3])
    with InProcessLane() as lanes:
        record = train.fn(job_of(training), dataset, results, lanes, "first")
        for epoch in (1, 3):
            weights = read_weights(results, record, epoch)
            assert weights is not None
            assert hash_weights(weights) == record.epochs[epoch - 1].weights_sha256


class Train:
    """Calls the task's body on one lane, with results of its own."""

    def __init__(self, dataset: Dataset, results: Results, lanes: LocalLanes) -> None:
        self.dataset, self.results, self.lanes = dataset, results, lanes

    def __call__(self, training: Training, run_id: str, fresh: bool = False) -> TrainingRecord:
        return train.fn(job_of(training), self.dataset, self.results, self.lanes, run_id, fresh)

    @property
    def attempts(self) -> int:
        """Trainings that went to a lane."""
        return sum(self.lanes.attempts.values())


@pytest.fixture(scope="module")
def lane() -> Iterator[LocalLanes]:
    with InProcessLane() as lanes:
        yield lanes


@pytest.fixture
def trains(dataset: Dataset, results: Results, lane: LocalLanes) -> Train:
    lane.attempts.clear()
    return Train(dataset, results, lane)


def runs(record: TrainingRecord) -> list[tuple[str, int]]:
    """Each segment's run and epochs."""
    return [(segment.run_id, segment.epochs) for segment in record.segments]


def test_a_later_run_reads_a_finished_training_and_a_shorter_one_even_where_no_weights_were_kept(
    trains: Train,
):
    longer = trains(up_to(3), "first")
    assert trains(up_to(3), "second") == trains(up_to(2), "second") == longer
    assert trains.attempts == 1
    assert longer.kept_weights == (3,)


def test_a_fresh_run_trains_again_but_not_twice(trains: Train):
    first = trains(up_to(2), "first")
    fresh = trains(up_to(2), "second", fresh=True)
    assert runs(fresh) == [("second", 2)]
    assert hashes_of(fresh) == hashes_of(first)
    assert trains(up_to(2), "second", fresh=True) == fresh
    assert trains.attempts == 2


@pytest.mark.parametrize("hyperparameters", [SMALL, WITH_DROPOUT, AVERAGED, ADAM])
def test_an_extended_training_equals_a_straight_one_bit_for_bit(
    trains: Train, dataset: Dataset, hyperparameters: Hyperparameters
):
    straight = run_training(up_to(5, hyperparameters), dataset, "straight")
    trains(up_to(2, hyperparameters), "first")
    trains(up_to(3, hyperparameters), "second")
    extended = trains(up_to(5, hyperparameters), "third")
    assert runs(extended) == [("first", 2), ("second", 1), ("third", 2)]
    assert hashes_of(extended) == hashes_of(straight.record)
    assert extended.optimizer_sha256 == straight.record.optimizer_sha256
    assert extended.validation_losses == straight.record.validation_losses
    assert extended.kept_weights == (2, 3, 5)
    assert verify_training(trains.results, extended.key) == extended


def test_a_training_that_cannot_be_gone_on_with_starts_anew(trains: Train, caplog: pytest.LogCaptureFixture):
    first = trains(up_to(2), "first")
    (trains.results.trainings / first.key / "optimizer-2.npz").unlink()
    whole = trains(up_to(3), "second")
    assert runs(whole) == [("second", 3)]
    assert hashes_of(whole)[:2] == hashes_of(first)
    assert "cannot continue this training; starting again" in caplog.text


def test_a_fresh_shorter_training_does_not_lose_the_epochs_of_a_longer_one(trains: Train):
    longer = trains(up_to(3), "first")
    fresh = trains(up_to(2), "second", fresh=True)
    assert runs(fresh) == [("second", 2)]
    kept = verify_training(trains.results, longer.key)
    assert runs(kept) == [("second", 2), ("first", 1)]
    assert hashes_of(kept) == hashes_of(longer)
    assert runs(trains(up_to(4), "third")) == [("second", 2), ("first", 1), ("third", 1)]


def test_a_training_that_does_not_repeat_bit_for_bit_is_told_of(
    trains: Train, caplog: pytest.LogCaptureFixture
):
    other = run_training(make_training(seed=2), trains.dataset, "other")
    mine = run_training(make_training(seed=1), trains.dataset, "mine").record
    disguised = other.record.model_copy(update={"key": mine.key, "seed": 1})
    save_training(trains.results, disguised, other.weights, other.optimizer)
    fresh = trains(make_training(), "fresh", fresh=True)
    assert "trained again, its weights differ from those that run other left" in caplog.text
    assert verify_training(trains.results, mine.key) == fresh


@pytest.mark.parametrize("hyperparameters", [SMALL, AVERAGED, ADAM])
def test_weights_that_were_not_kept_are_trained_again_to_the_same_bits(
    trains: Train, hyperparameters: Hyperparameters
):
    record = trains(up_to(3, hyperparameters), "first")
    inputs = (trains.dataset, trains.results, trains.lanes)
    again = obtain_weights(record.key, 2, *inputs)
    assert hash_weights(again) == record.epochs[1].weights_sha256
    assert trains.attempts == 2
    assert hash_weights(obtain_weights(record.key, 3, *inputs)) == record.epochs[2].weights_sha256
    assert trains.attempts == 2


def test_weights_of_a_training_that_is_not_there_are_asked_for_in_vain(trains: Train):
    with pytest.raises(InputError, match=r"training 0123456789abcdef is not in .+; run the study again"):
        obtain_weights("0123456789abcdef", 1, trains.dataset, trains.results, trains.lanes)


def test_a_schedule_changes_the_weights_after_the_first_epoch_and_its_budget_decides_them(dataset: Dataset):
    cosine = SMALL.model_copy(update={"schedule": "cosine"})

    def scheduled(epochs: int) -> list[str]:
        return hashes(up_to(epochs, cosine).model_copy(update={"schedule_epochs": epochs}), dataset)

    constant, two, three = hashes(up_to(3), dataset), scheduled(2), scheduled(3)
    assert constant[0] == two[0] == three[0]
    assert len({constant[1], two[1], three[1]}) == 3


def arrays(*values: float) -> list[np.ndarray]:
    return [np.array([value], np.float32) for value in values]


def start(engine: str) -> Any:
    trainer, _ = load_engine(engine).open_trainer(SMALL)
    trainer.start(seed=1)
    return trainer


def test_the_first_average_is_the_weights_and_each_later_one_decays_by_hand():
    assert mix(None, arrays(1.0, 2.0), 0.9) == arrays(1.0, 2.0)
    average = mix(arrays(1.0, 2.0), arrays(3.0, -2.0), 0.75)
    assert average == arrays(1.5, 1.0)
    assert mix(average, arrays(5.5, 1.0), 0.75) == arrays(2.5, 1.0)
    assert [each.dtype for each in average] == [np.float32, np.float32]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_average_is_shown_and_scored_and_the_weights_train_as_if_there_were_none(
    dataset: Dataset, engine: str
):
    images = load_engine(engine).place(*dataset.train())
    plain, raw = start(engine), []
    for epoch in (1, 2, 3):
        plain.train_epoch(images, 1, epoch, 0.01)
        raw.append(plain.weights())
    expected = mix(mix(raw[0], raw[1], 0.6), raw[2], 0.6)
    momenta = plain.momenta()
    plain.resume(expected, momenta)
    score = plain.evaluate(images)
    averaging = AveragingTrainer(start(engine), 0.6)
    averaging.start(seed=1)
    assert hash_weights(averaging.weights()) == hash_weights(start(engine).weights())
    for epoch in (1, 2, 3):
        averaging.train_epoch(images, 1, epoch, 0.01)
    assert hash_weights(averaging.weights()) == hash_weights(expected)
    assert hash_weights(averaging.momenta()) == hash_weights([*momenta, *raw[2]])
    assert averaging.evaluate(images) == score


def test_what_is_hashed_and_kept_is_the_average(dataset: Dataset):
    averaged = SMALL.model_copy(update={"averaging": 0.75})
    plain, trained = (
        run_training(make_training(each, ends=[1, 2]), dataset, "test") for each in (SMALL, averaged)
    )
    assert hashes_of(trained.record)[0] == hashes_of(plain.record)[0]
    for average, first, second in zip(trained.weights[2], plain.weights[1], plain.weights[2], strict=True):
        np.testing.assert_allclose(average, 0.75 * first + 0.25 * second, rtol=1e-6, atol=1e-8)
    assert hashes_of(trained.record)[1] == hash_weights(trained.weights[2])
    assert hash_weights(trained.optimizer) == hash_weights([*plain.optimizer, *plain.weights[2]])
    assert trained.record.epochs[1].train_loss == plain.record.epochs[1].train_loss


def test_an_average_that_diverges_ends_the_training_as_any_other(dataset: Dataset):
    wild = SMALL.model_copy(update={"averaging": 0.9})
    trained = run_training(up_to(2, wild), dataset, "first")
    broken = [np.full_like(each, np.nan) for each in trained.optimizer]
    checkpoint = Checkpoint(trained.record, trained.weights[2], broken)
    record = run_training(up_to(3, wild), dataset, "second", checkpoint).record
    assert record.diverged == "the loss is nan in epoch 3"
    assert hashes_of(record) == hashes_of(trained.record)


def test_a_record_says_what_it_took(dataset: Dataset):
    record = run_training(up_to(2), dataset, "test").record
    (segment,) = record.segments
    parts = segment.startup_seconds + sum(each.seconds + each.evaluation_seconds for each in record.epochs)
    assert parts < segment.lane_seconds
    assert (record.train_images, record.evaluation_images) == (640, 200)
    assert segment.peak_bytes > 10_000_000
    held_out = run_training(make_training(held_out=100), dataset, "test").record
    assert (held_out.train_images, held_out.evaluation_images) == (540, 300)


def plant_divergence(training: Training, dataset: Dataset, results: Results) -> None:
    """Keep a training of two epochs from which going on diverges: SGD on this model seldom does by itself."""
    trained = run_training(training, dataset, "first")
    broken = [np.full_like(each, np.nan) for each in trained.weights[2]]
    last = trained.record.epochs[1].model_copy(update={"weights_sha256": hash_weights(broken)})
    record = trained.record.model_copy(update={"epochs": (trained.record.epochs[0], last)})
    save_training(results, record, {2: broken}, trained.optimizer)


def test_a_training_that_diverges_is_attempted_once_in_all_runs_and_keeps_the_epochs_before(trains: Train):
    plant_divergence(up_to(2), trains.dataset, trains.results)
    training = make_training(ends=[2, 4])
    for run_id in ("second", "third"):
        with pytest.raises(Diverged, match="the loss is nan in epoch 3 of test seed=1") as raised:
            trains(training, run_id)
        assert raised.value.record == verify_training(trains.results, training.key)
    assert raised.value.record.read(StopRule(epochs=2)) is not None
    assert raised.value.record.read(StopRule(epochs=4)) is None
    assert trains.attempts == 1
    assert len(trains(up_to(2), "fourth").epochs) == 2
