"""Training: seeded bit for bit, a prefix of every longer training, and the published model."""

from collections.abc import Iterator

import numpy as np
import pytest

from storage.results import Results
from storage.trainings import Checkpoint, hash_weights, read_weights, save_training, verify_training
from study.errors import InputError
from study.plan.forecast import Job
from study.plan.plan import Training
from study.records.record import Source, StopRule, TrainingRecord
from study.spec.setting import Hyperparameters
from tasks.data.dataset import Dataset, scale_pixels
from tasks.engines.engine import load_engine
from tasks.lanes.devices import Device
from tasks.lanes.local import InProcessLane, LocalLanes
from tasks.model.build import build_model
from tasks.training.one_training import _LossNotFinite, _run_epoch, run_training
from tasks.training.train_on_lanes import Diverged, obtain_weights, train
from tests.engines import ENGINE, ENGINES

SMALL = Hyperparameters(filters=4, dense_units=8)
WITH_DROPOUT = Hyperparameters(filters=4, dense_units=8, dropout=0.3)
AVERAGED = Hyperparameters(filters=4, dense_units=8, dropout=0.3, augmentation="flip-shift", averaging=0.7)


def make_training(
    hyperparameters: Hyperparameters = SMALL,
    seed: int = 1,
    held_out: int = 0,
    *rules: StopRule,
    engine: str = ENGINE,
):
    source = Source(
        protocol="held-out" if held_out else "lab",
        data="data",
        held_out_images=held_out,
        model="1",
        tensorflow="2",
        device="CPU",
        engine=engine,
    )
    return Training(
        hyperparameters=hyperparameters,
        seed=seed,
        source=source,
        rules=rules or (StopRule(epochs=2),),
        label=f"test seed={seed}",
    )


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
def test_repeats_never_give_the_same_weights(dataset: Dataset, engine: str):
    trainings = [make_training(seed=seed, engine=engine) for seed in range(1, 6)]
    assert len({hashes(training, dataset)[-1] for training in trainings}) == 5


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("hyperparameters", [SMALL, WITH_DROPOUT, AVERAGED])
def test_a_shorter_training_is_the_first_epochs_of_a_longer_one(
    dataset: Dataset, hyperparameters: Hyperparameters, engine: str
):
    longer = hashes(make_training(hyperparameters, 1, 0, StopRule(epochs=20), engine=engine), dataset)
    shorter = hashes(make_training(hyperparameters, 1, 0, StopRule(epochs=5), engine=engine), dataset)
    assert shorter == longer[:5]
    assert len(set(longer)) == 20


def test_training_learns(dataset: Dataset):
    training = make_training(Hyperparameters(filters=8), 1, 0, StopRule(epochs=4))
    record = run_training(training, dataset, "test").record
    assert record.epochs[-1].train_loss < record.epochs[0].train_loss
    assert record.epochs[-1].validation_accuracy > 0.5


def test_in_the_lab_protocol_validation_is_the_test(dataset: Dataset):
    record = run_training(make_training(), dataset, "test").record
    assert all(epoch.validation_loss == epoch.test_loss for epoch in record.epochs)


def test_in_the_held_out_protocol_validation_is_not_the_test(dataset: Dataset):
    record = run_training(make_training(SMALL, 1, 100), dataset, "test").record
    assert all(epoch.validation_loss != epoch.test_loss for epoch in record.epochs)


def test_training_ends_when_every_trial_has_what_it_needs(dataset: Dataset):
    # So high a learning rate that the validation loss soon stops falling.
    fast = SMALL.model_copy(update={"learning_rate": 0.2})
    trained = run_training(make_training(fast, 1, 0, StopRule(epochs=30, patience=1)), dataset, "test")
    losses, weights = trained.record.validation_losses, trained.weights
    assert len(losses) < 30
    assert losses[-1] >= losses[-2]
    assert list(weights) == [len(losses)]


def test_weights_are_kept_where_each_trial_ends(dataset: Dataset, results: Results):
    training = make_training(SMALL, 1, 0, StopRule(epochs=1), StopRule(epochs=3))
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


def up_to(epochs: int, hyperparameters: Hyperparameters = SMALL) -> Training:
    return make_training(hyperparameters, 1, 0, StopRule(epochs=epochs))


def runs(record: TrainingRecord) -> list[tuple[str, int]]:
    """Each segment's run and epochs."""
    return [(segment.run_id, segment.epochs) for segment in record.segments]


def test_a_finished_training_is_read_by_a_later_run(trains: Train):
    first = trains(up_to(2), "first")
    assert trains(up_to(2), "second") == first
    assert trains.attempts == 1


def test_a_shorter_need_is_read_even_where_no_weights_were_kept(trains: Train):
    longer = trains(up_to(3), "first")
    assert trains(up_to(2), "second") == longer
    assert trains.attempts == 1
    assert longer.kept_weights == (3,)


def test_a_fresh_run_trains_again_but_not_twice(trains: Train):
    first = trains(up_to(2), "first")
    fresh = trains(up_to(2), "second", fresh=True)
    assert runs(fresh) == [("second", 2)]
    assert hashes_of(fresh) == hashes_of(first)
    assert trains(up_to(2), "second", fresh=True) == fresh
    assert trains.attempts == 2


@pytest.mark.parametrize("hyperparameters", [SMALL, WITH_DROPOUT, AVERAGED])
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


def test_k_damaged_trainings_are_k_trainings_again(trains: Train):
    wanted = [make_training(seed=seed) for seed in range(1, 5)]
    before = [trains(each, "first") for each in wanted]
    folders = [trains.results.trainings / each.key for each in wanted]
    (folders[0] / "record.json").write_text("{")
    (folders[2] / "weights-2.npz").write_bytes(b"")
    trains.lanes.attempts.clear()
    after = [trains(each, "second") for each in wanted]
    assert trains.attempts == 2
    assert [runs(each) for each in after] == [
        [("second", 2)],
        [("first", 2)],
        [("second", 2)],
        [("first", 2)],
    ]
    assert list(map(hashes_of, after)) == list(map(hashes_of, before))


@pytest.mark.parametrize("hyperparameters", [SMALL, AVERAGED])
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


def test_a_model_with_the_weights_obtained_scores_as_the_average_did(trains: Train):
    record = trains(up_to(3, AVERAGED), "first")
    images, labels = trains.dataset.test()
    model = build_model(AVERAGED)
    for epoch in (2, 3):  # trained again, and read
        model.set_weights(obtain_weights(record.key, epoch, trains.dataset, trains.results, trains.lanes))
        outputs = model.predict_on_batch(scale_pixels(np.asarray(images))[..., np.newaxis])
        accuracy = float((outputs.argmax(axis=1) == labels).mean())
        assert accuracy == pytest.approx(record.epochs[epoch - 1].test_accuracy)


def test_weights_of_a_training_that_is_not_there_are_asked_for_in_vain(trains: Train):
    with pytest.raises(InputError, match=r"training 0123456789abcdef is not in .+; run the study again"):
        obtain_weights("0123456789abcdef", 1, trains.dataset, trains.results, trains.lanes)


def test_a_schedule_changes_the_weights_after_the_first_epoch_and_its_budget_decides_them(dataset: Dataset):
    cosine = SMALL.model_copy(update={"schedule": "cosine"})

    def scheduled(epochs: int) -> list[str]:
        training = make_training(cosine, 1, 0, StopRule(epochs=epochs))
        return hashes(training.model_copy(update={"schedule_epochs": epochs}), dataset)

    constant, two, three = hashes(up_to(3), dataset), scheduled(2), scheduled(3)
    assert constant[0] == two[0] == three[0]
    assert len({constant[1], two[1], three[1]}) == 3


def test_what_is_evaluated_hashed_and_kept_is_the_average(dataset: Dataset):
    averaged = SMALL.model_copy(update={"averaging": 0.75})
    rules = (StopRule(epochs=1), StopRule(epochs=2))
    plain = run_training(make_training(SMALL, 1, 0, *rules), dataset, "test")
    trained = run_training(make_training(averaged, 1, 0, *rules), dataset, "test")
    assert hashes_of(trained.record)[0] == hashes_of(plain.record)[0]
    for average, first, second in zip(trained.weights[2], plain.weights[1], plain.weights[2], strict=True):
        np.testing.assert_allclose(average, 0.75 * first + 0.25 * second, rtol=1e-6, atol=1e-8)
    assert hashes_of(trained.record)[1] == hash_weights(trained.weights[2])
    assert hash_weights(trained.optimizer) == hash_weights([*plain.optimizer, *plain.weights[2]])
    assert trained.record.epochs[1].train_loss == plain.record.epochs[1].train_loss
    trainer, _ = load_engine(ENGINE).open_trainer(SMALL)
    trainer.resume(trained.weights[2], plain.optimizer)
    score = trainer.evaluate(load_engine(ENGINE).place(*dataset.test()))
    assert (score.loss, score.accuracy) == (
        trained.record.epochs[1].test_loss,
        trained.record.epochs[1].test_accuracy,
    )


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
    held_out = run_training(make_training(SMALL, 1, 100), dataset, "test").record
    assert (held_out.train_images, held_out.evaluation_images) == (540, 300)


def test_a_loss_that_is_not_a_number_ends_the_epoch_with_its_reason(dataset: Dataset):
    engine = load_engine(ENGINE)
    images = engine.place(*dataset.test())
    trainer, _ = engine.open_trainer(SMALL)
    trainer.start(seed=1)
    trainer.resume([np.full_like(each, np.nan) for each in trainer.weights()], trainer.momenta())
    with pytest.raises(_LossNotFinite, match="the loss is nan in epoch 1"):
        _run_epoch(trainer, make_training(), 1, images, images, images)


def plant_divergence(trains: Train) -> TrainingRecord:
    """Keep a training of two epochs from which going on diverges: SGD on this model seldom does by itself."""
    trained = run_training(up_to(2), trains.dataset, "first")
    broken = [np.full_like(each, np.nan) for each in trained.weights[2]]
    last = trained.record.epochs[1].model_copy(update={"weights_sha256": hash_weights(broken)})
    record = trained.record.model_copy(update={"epochs": (trained.record.epochs[0], last)})
    save_training(trains.results, record, {2: broken}, trained.optimizer)
    return record


def test_a_training_that_diverges_is_attempted_once_and_keeps_the_epochs_before(trains: Train):
    plant_divergence(trains)
    training = make_training(SMALL, 1, 0, StopRule(epochs=2), StopRule(epochs=4))
    with pytest.raises(Diverged, match="the loss is nan in epoch 3 of test seed=1") as raised:
        trains(training, "second")
    kept = verify_training(trains.results, training.key)
    assert raised.value.record == kept
    assert kept.read(StopRule(epochs=2)) is not None
    assert kept.read(StopRule(epochs=4)) is None
    assert trains.attempts == 1


def test_a_training_that_diverged_is_not_tried_again_by_a_later_run(trains: Train):
    plant_divergence(trains)
    for run_id in ("second", "third"):
        with pytest.raises(Diverged):
            trains(up_to(4), run_id)
    assert trains.attempts == 1
    assert len(trains(up_to(2), "fourth").epochs) == 2
