"""Both engines train the published model, as Keras does; what a seed decides is the same for both."""

import os
from typing import Any

import numpy as np
import pytest

from study.image_facts import ImageFacts
from study.spec.setting import Hyperparameters
from tasks.data.dataset import Dataset, scale_pixels
from tasks.engines.engine import load_engine, silenced_stderr
from tasks.engines.keras_engine import make_optimizer
from tasks.engines.networks import build_network
from tasks.engines.seeds import (
    describe,
    draw_initial_weights,
    draw_transformations,
    dropout_keys,
    epoch_order,
    transform,
)
from tests.engines import ENGINES, EVERY_ENGINE, needs_native

SMALL = Hyperparameters(filters=4, dense_units=8)
FEW = Hyperparameters(filters=3, dense_units=5)
WIDE_KERNEL = Hyperparameters(filters=3, dense_units=8, kernel_size=5, batch_size=7)
EVEN_KERNEL = Hyperparameters(filters=17, dense_units=70, kernel_size=2, batch_size=100)
OPTIMIZERS = [SMALL.model_copy(update={"optimizer": name, "weight_decay": decay, "learning_rate": 0.002})
              for name, decay in (("sgd", 0.1), ("adam", 0.0), ("adamw", 0.1), ("rmsprop", 0.0))]  # fmt: skip
AUGMENTED = [SMALL.model_copy(update={"augmentation": how}) for how in ("flip", "shift", "flip-shift")]


def start(engine: str, hyperparameters: Hyperparameters = SMALL, seed: int = 1) -> Any:
    trainer, _ = load_engine(engine).open_trainer(hyperparameters)
    trainer.start(seed)
    return trainer


def keras_inputs(images: np.ndarray) -> np.ndarray:
    return scale_pixels(np.asarray(images))[..., np.newaxis]


def fit_by_keras(hyperparameters: Hyperparameters, dataset: Dataset, seed: int) -> list[np.ndarray]:
    images, labels = dataset.train()
    order = epoch_order(len(labels), seed, epoch=1)
    if hyperparameters.augmentation != "none":
        images = augment_one_by_one(np.asarray(images), hyperparameters.augmentation, seed)
    model = build_network(hyperparameters)
    model.set_weights(draw_initial_weights(hyperparameters, seed))
    model.compile(make_optimizer(hyperparameters), "sparse_categorical_crossentropy")
    batch = hyperparameters.batch_size
    model.fit(keras_inputs(images)[order], labels[order], batch_size=batch, shuffle=False, verbose=0)
    return model.get_weights()


def augment_one_by_one(images: np.ndarray, how: str, seed: int) -> np.ndarray:
    """The images of the first epoch, in the order of the files."""
    drawn = map(describe, draw_transformations(len(images), seed, epoch=1))
    return np.concatenate(
        [
            transform(image[np.newaxis], flips and "flip" in how, *(("shift" in how) * at for at in shift))
            for image, (flips, *shift) in zip(images, drawn, strict=True)
        ]
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("hyperparameters", [SMALL, WIDE_KERNEL, EVEN_KERNEL, *AUGMENTED])
def test_an_epoch_equals_one_of_keras_fit_on_the_same_order(
    dataset: Dataset, hyperparameters: Hyperparameters, engine: str
):
    trainer = start(engine, hyperparameters, seed=3)
    images = load_engine(engine).place(*dataset.train())
    trainer.train_epoch(images, seed=3, epoch=1, learning_rate=hyperparameters.learning_rate)
    for ours, theirs in zip(trainer.weights(), fit_by_keras(hyperparameters, dataset, 3), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-5)


@pytest.mark.parametrize("hyperparameters", [SMALL, AUGMENTED[2], *OPTIMIZERS])
def test_the_general_engine_has_every_optimizer_of_keras_fit(
    dataset: Dataset, hyperparameters: Hyperparameters
):
    test_an_epoch_equals_one_of_keras_fit_on_the_same_order(dataset, hyperparameters, "keras")


def test_the_model_is_the_published_one():
    assert build_network(Hyperparameters()).count_params() == 87_034
    shapes = [each.shape for each in draw_initial_weights(Hyperparameters(), seed=1)]
    assert shapes == [each.shape for each in build_network(Hyperparameters()).get_weights()]


def test_initial_weights_are_spread_as_keras_spreads_them():
    large = Hyperparameters(filters=64, dense_units=128)
    ours, theirs = draw_initial_weights(large, seed=1), build_network(large).get_weights()
    for mine, kerass in zip(ours, theirs, strict=True):
        assert mine.dtype == kerass.dtype
        assert np.abs(mine).max() == pytest.approx(np.abs(kerass).max(), rel=0.05)
        assert mine.std() == pytest.approx(kerass.std(), rel=0.15)


@pytest.mark.parametrize("engine", EVERY_ENGINE)
def test_the_last_batch_counts_in_training_and_in_evaluation(dataset: Dataset, engine: str):
    images, labels = dataset.test()
    trainer, odd = start(engine), load_engine(engine).place(images[:197], labels[:197])
    model = build_network(SMALL)
    model.set_weights(trainer.weights())
    probabilities = model.predict_on_batch(keras_inputs(images[:197]))
    right = probabilities[np.arange(197), labels[:197]]
    score = trainer.evaluate(odd)
    assert score.accuracy == pytest.approx(float((probabilities.argmax(axis=1) == labels[:197]).mean()))
    assert score.loss == pytest.approx(float(-np.log(right).mean()), rel=1e-5)
    trained, _ = trainer.train_epoch(odd, seed=1, epoch=1, learning_rate=1e-9)
    assert trained.loss == pytest.approx(score.loss, rel=1e-4)
    assert trained.accuracy == pytest.approx(score.accuracy)


@pytest.mark.parametrize("engine", EVERY_ENGINE)
def test_chosen_images_are_those_that_are_trained_on_and_evaluated(dataset: Dataset, engine: str):
    images, labels = dataset.train()
    chosen = np.array([5, 3, 400, 77, 12])
    place = load_engine(engine).place
    by_index, by_copy = place(images, labels, chosen), place(images[chosen], labels[chosen])
    weights = []
    for placed in (by_index, by_copy):
        trainer = start(engine)
        trainer.train_epoch(placed, seed=1, epoch=1, learning_rate=0.01)
        weights.append(trainer.weights())
    assert len(by_index) == 5
    assert trainer.evaluate(by_index) == trainer.evaluate(by_copy)
    assert all(np.array_equal(one, other) for one, other in zip(*weights, strict=True))


@needs_native
def test_both_engines_learn_alike_from_augmented_images(dataset: Dataset):
    chosen, weights = np.arange(639, 0, -2), []
    for engine in ("tensorflow", "native"):
        trainer = start(engine, AUGMENTED[2])
        trainer.train_epoch(load_engine(engine).place(*dataset.train(), chosen), 1, 1, learning_rate=0.01)
        weights.append(trainer.weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=5e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_images_of_an_epoch_are_augmented_as_in_the_whole_of_it(dataset: Dataset, engine: str):
    images = load_engine(engine).place(*dataset.train())
    scores = [
        start(engine, each).train_epoch(images, 1, 1, learning_rate=1e-9, most=64)[0]
        for each in (AUGMENTED[2], SMALL)
    ]
    assert scores[0] != scores[1]
    again, _ = start(engine, AUGMENTED[2]).train_epoch(images, 1, 1, learning_rate=1e-9, most=64)
    assert again == scores[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_dropout_drops_the_fraction_asked_and_scales_the_rest(dataset: Dataset, engine: str):
    # One image whose pooled numbers are all one: the gradient at the weights of the only hidden unit that
    # counts is the dropped image, times a constant.
    trainer = start(engine, Hyperparameters(filters=32, dense_units=8, dropout=0.3, batch_size=1))
    weights = [np.zeros_like(each) for each in trainer.weights()]
    weights[1][:] = weights[4][0, 0] = 1.0
    weights[3][0] = 1e-9
    zeros = [np.zeros_like(each) for each in weights]
    images = load_engine(engine).place(*dataset.train())

    def gradient(epoch: int) -> np.ndarray:
        trainer.resume(weights, zeros)
        trainer.train_epoch(images, seed=1, epoch=epoch, learning_rate=1.0, most=1)
        return trainer.momenta()[2][:, 0]

    first, second = gradient(1), gradient(2)
    assert np.array_equal(first, gradient(1))
    assert not np.array_equal(first == 0, second == 0)
    for each in (first, second):
        assert (each == 0).mean() == pytest.approx(0.3, abs=0.03)  # 5408 draws: five standard deviations
        assert len(np.unique(each)) == 2
    bias = trainer.momenta()[3][0]
    assert np.abs(second).max() == pytest.approx(abs(bias) / 0.7, rel=1e-5)


@pytest.mark.parametrize("engine", EVERY_ENGINE)
def test_nothing_is_dropped_when_evaluating(dataset: Dataset, engine: str):
    plain = start(engine)
    dropping = start(engine, SMALL.model_copy(update={"dropout": 0.5}))
    images = load_engine(engine).place(*dataset.test())
    assert plain.evaluate(images) == dropping.evaluate(images)


@pytest.mark.parametrize("broken", range(6))
@pytest.mark.parametrize("engine", EVERY_ENGINE)
def test_a_weight_that_is_no_number_shows_in_the_loss(dataset: Dataset, engine: str, broken: int):
    trainer = start(engine)
    weights = trainer.weights()
    weights[broken].reshape(-1)[-1] = np.nan
    trainer.resume(weights, trainer.momenta())
    images = load_engine(engine).place(*dataset.test())
    score, _ = trainer.train_epoch(images, seed=1, epoch=1, learning_rate=0.01)
    assert np.isnan(score.loss)


def test_every_epoch_has_an_order_of_its_own_with_every_image_once():
    first, second = epoch_order(100, 1, 1), epoch_order(100, 1, 2)
    assert sorted(first) == sorted(second) == list(range(100))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, epoch_order(100, 2, 1))


def test_every_seed_has_initial_weights_and_every_epoch_of_it_dropout_keys_of_its_own():
    assert len({draw_initial_weights(SMALL, seed)[0].tobytes() for seed in range(100)}) == 100
    assert len({dropout_keys(seed, epoch) for seed in range(50) for epoch in range(1, 21)}) == 1000


def test_in_tensorflow_compiling_is_not_counted_as_training(dataset: Dataset):
    engine = load_engine("tensorflow")
    images = engine.place(*dataset.test())
    trainer: Any
    trainer, is_new = engine.open_trainer(FEW)
    assert is_new
    trainer.warm_up(images)
    trainer.start(seed=1)
    trainer.train_epoch(images, seed=1, epoch=1, learning_rate=0.1)
    assert trainer._compiled_epoch.experimental_get_tracing_count() == 1


def test_in_tensorflow_rates_are_inputs_of_one_compiled_shape():
    engine = load_engine("tensorflow")
    with_dropout = FEW.model_copy(update={"dropout": 0.2})
    assert engine.open_trainer(with_dropout)[1]
    rates = {"dropout": 0.4, "learning_rate": 0.5, "schedule": "cosine", "averaging": 0.9}
    other = with_dropout.model_copy(update={**rates, "augmentation": "flip"})
    trainer, is_new = engine.open_trainer(other)
    assert not is_new
    assert trainer.hyperparameters == other


def test_native_messages_go_nowhere_inside_and_come_through_after(capfd: pytest.CaptureFixture[str]):
    with silenced_stderr():
        os.write(2, b"oneDNN custom operations are on\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_an_error_inside_is_raised_and_standard_error_comes_back(capfd: pytest.CaptureFixture[str]):
    with pytest.raises(ImportError, match="no such thing"), silenced_stderr():
        raise ImportError("no such thing")
    os.write(2, b"back\n")
    assert capfd.readouterr().err == "back\n"


@pytest.mark.parametrize("augmentation", ["none", "flip-shift"])
@pytest.mark.parametrize("name", ["tensorflow", "keras"])
def test_images_of_any_size_and_number_of_classes_are_trained_on_as_keras_does(name: str, augmentation: str):
    generator = np.random.default_rng(3)
    images = ImageFacts(height=9, width=12, channels=3, class_names=("a", "b", "c"))
    pixels = generator.integers(0, 256, (70, 9, 12, 3), np.uint8)
    labels = generator.integers(0, 3, 70, np.uint8)
    hyperparameters = SMALL.model_copy(update={"augmentation": augmentation})
    engine = load_engine(name)
    trainer, _ = engine.open_trainer(hyperparameters, 1, images)
    placed = engine.place(pixels, labels)
    trainer.start(1)
    trainer.train_epoch(placed, 1, 1, hyperparameters.learning_rate)
    shown = pixels if augmentation == "none" else augment_one_by_one(pixels, augmentation, seed=1)
    model = build_network(hyperparameters, images)
    model.set_weights(draw_initial_weights(hyperparameters, 1, images))
    model.compile(make_optimizer(hyperparameters), "sparse_categorical_crossentropy")
    order = epoch_order(70, 1, epoch=1)
    model.fit(scale_pixels(shown)[order], labels[order], batch_size=32, shuffle=False, verbose=0)
    for found, expected in zip(trainer.weights(), model.get_weights(), strict=True):
        assert np.allclose(found, expected, atol=1e-5)
    assert trainer.evaluate(placed).accuracy == pytest.approx(
        (model.predict(scale_pixels(pixels), verbose=0).argmax(axis=1) == labels).mean()
    )
