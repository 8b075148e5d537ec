"""Training: seeded bit for bit, a prefix of every longer training, and the published model."""

import keras
import numpy as np
import pytest

from storage.place import Results
from storage.trainings import hash_weights, read_weights
from study.plan import Source, Training
from study.spec import Hyperparameters
from study.stopping import StopRule
from tasks.dataset import Dataset
from tasks.devices import Device
from tasks.engine import Images, epoch_order, open_trainer
from tasks.lanes import Lanes
from tasks.model import build_model
from tasks.preprocessing import scale_pixels
from tasks.train import Diverged, _run_epoch, run_training, train

SMALL = Hyperparameters(filters=4, dense_units=8)
WITH_DROPOUT = Hyperparameters(filters=4, dense_units=8, dropout=0.3)


def make_training(
    hyperparameters: Hyperparameters = SMALL, seed: int = 1, held_out: int = 0, *rules: StopRule
):
    source = Source(
        protocol="held-out" if held_out else "lab",
        data="data",
        held_out_images=held_out,
        model="1",
        tensorflow="2",
        device="CPU",
    )
    return Training(
        hyperparameters=hyperparameters,
        seed=seed,
        source=source,
        rules=rules or (StopRule(epochs=2),),
        label=f"test seed={seed}",
    )


def hashes(training: Training, dataset: Dataset) -> list[str]:
    record, _ = run_training(training, dataset, "test")
    return [epoch.weights_sha256 for epoch in record.epochs]


def test_the_same_trial_twice_gives_the_same_weights_in_any_process(dataset: Dataset):
    here = hashes(make_training(WITH_DROPOUT), dataset)
    hashes(make_training(WITH_DROPOUT.model_copy(update={"learning_rate": 0.1}), 5), dataset)
    again = hashes(make_training(WITH_DROPOUT), dataset)
    with Lanes([Device("CPU")]) as lanes:
        record, _ = lanes.run("elsewhere", run_training, make_training(WITH_DROPOUT), dataset, "test")
    assert here == again == [epoch.weights_sha256 for epoch in record.epochs]


def test_repeats_never_give_the_same_weights(dataset: Dataset):
    assert len({hashes(make_training(seed=seed), dataset)[-1] for seed in range(1, 6)}) == 5


@pytest.mark.parametrize("hyperparameters", [SMALL, WITH_DROPOUT])
def test_a_shorter_training_is_the_first_epochs_of_a_longer_one(
    dataset: Dataset, hyperparameters: Hyperparameters
):
    longer = hashes(make_training(hyperparameters, 1, 0, StopRule(epochs=4)), dataset)
    shorter = hashes(make_training(hyperparameters, 1, 0, StopRule(epochs=2)), dataset)
    assert shorter == longer[:2]
    assert len(set(longer)) == 4


def test_one_epoch_equals_keras_fit_on_the_same_order(dataset: Dataset):
    images, labels = dataset.train()
    trainer, _ = open_trainer(SMALL)
    trainer.start(SMALL, seed=3)
    trainer.train_epoch(Images.place(images, labels), seed=3, epoch=1)

    order = epoch_order(len(labels), seed=3, epoch=1)
    model = build_model(SMALL, seed=3)
    model.compile(
        keras.optimizers.SGD(SMALL.learning_rate, momentum=SMALL.momentum), "sparse_categorical_crossentropy"
    )
    inputs = scale_pixels(np.asarray(images))[..., np.newaxis]
    model.fit(inputs[order], labels[order], batch_size=SMALL.batch_size, shuffle=False, verbose=0)
    for ours, theirs in zip(trainer.weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_the_model_is_the_published_one():
    assert build_model(Hyperparameters(), seed=1).count_params() == 87_034


def test_the_last_batch_counts_in_training_and_in_evaluation(dataset: Dataset):
    images, labels = dataset.test()
    odd = Images.place(images[:197], labels[:197])
    trainer, _ = open_trainer(SMALL)
    trainer.start(SMALL, seed=1)
    score = trainer.evaluate(odd)
    outputs = trainer.model.predict_on_batch(scale_pixels(np.asarray(images[:197]))[..., np.newaxis])
    assert score.accuracy == pytest.approx(float((outputs.argmax(axis=1) == labels[:197]).mean()))


def test_every_epoch_has_an_order_of_its_own_with_every_image_once():
    first, second = epoch_order(100, 1, 1), epoch_order(100, 1, 2)
    assert sorted(first) == sorted(second) == list(range(100))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, epoch_order(100, 2, 1))


def test_training_learns(dataset: Dataset):
    record, _ = run_training(
        make_training(Hyperparameters(filters=8), 1, 0, StopRule(epochs=4)), dataset, "test"
    )
    assert record.epochs[-1].train_loss < record.epochs[0].train_loss
    assert record.epochs[-1].validation_accuracy > 0.5


def test_in_the_lab_protocol_validation_is_the_test(dataset: Dataset):
    record, _ = run_training(make_training(), dataset, "test")
    assert all(epoch.validation_loss == epoch.test_loss for epoch in record.epochs)


def test_in_the_held_out_protocol_validation_is_not_the_test(dataset: Dataset):
    record, _ = run_training(make_training(SMALL, 1, 100), dataset, "test")
    assert all(epoch.validation_loss != epoch.test_loss for epoch in record.epochs)


def test_training_ends_when_every_trial_has_what_it_needs(dataset: Dataset):
    # So high a learning rate that the validation loss soon stops falling.
    fast = SMALL.model_copy(update={"learning_rate": 0.2})
    record, weights = run_training(
        make_training(fast, 1, 0, StopRule(epochs=30, patience=1)), dataset, "test"
    )
    losses = record.validation_losses
    assert len(losses) < 30
    assert losses[-1] >= losses[-2]
    assert list(weights) == [len(losses)]


def test_weights_are_kept_where_each_trial_ends(dataset: Dataset, results: Results):
    training = make_training(SMALL, 1, 0, StopRule(epochs=1), StopRule(epochs=3))
    with Lanes([Device("CPU")]) as lanes:
        record = train.fn(training, dataset, results, lanes, "first")
        for epoch in (1, 3):
            weights = read_weights(results, record, epoch)
            assert hash_weights(weights) == record.epochs[epoch - 1].weights_sha256


def test_a_finished_training_is_read_by_a_later_run_unless_it_asks_for_fresh_ones(
    dataset: Dataset, results: Results
):
    with Lanes([Device("CPU")]) as lanes:
        first = train.fn(make_training(), dataset, results, lanes, "first")
        second = train.fn(make_training(), dataset, results, lanes, "second")
        fresh = train.fn(make_training(), dataset, results, lanes, "third", fresh=True)
        twice = train.fn(make_training(), dataset, results, lanes, "third", fresh=True)
        longer = train.fn(make_training(SMALL, 1, 0, StopRule(epochs=3)), dataset, results, lanes, "fourth")
    assert (first.run_id, second.run_id, fresh.run_id, longer.run_id) == ("first", "first", "third", "fourth")
    assert twice == fresh
    assert lanes.attempts["test seed=1"] == 3  # first, fresh, longer: not a fourth time in one run
    assert (
        first.epochs[-1].weights_sha256 == fresh.epochs[-1].weights_sha256 == longer.epochs[1].weights_sha256
    )


def test_a_loss_that_is_not_a_number_ends_the_training_with_its_reason(dataset: Dataset):
    images = Images.place(*dataset.test())
    trainer, _ = open_trainer(SMALL)
    trainer.start(SMALL, seed=1)
    trainer.model.set_weights([np.full_like(each, np.nan) for each in trainer.model.get_weights()])
    with pytest.raises(Diverged, match="diverged: the loss is nan in epoch 1 of test seed=1"):
        _run_epoch(trainer, make_training(), 1, images, images, images)


def test_compiling_is_not_counted_as_training(dataset: Dataset):
    shape = Hyperparameters(filters=3, dense_units=5)
    images = Images.place(*dataset.test())
    trainer, is_new = open_trainer(shape)
    assert is_new
    trainer.warm_up(images)
    trainer.start(shape, seed=1)
    trainer.train_epoch(images, seed=1, epoch=1)
    assert trainer._compiled_epoch.experimental_get_tracing_count() == 1
