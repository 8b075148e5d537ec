"""A network of one's own trains as Keras trains it, to the same bits, and only from the text read."""

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from storage.tables import SearchRow
from storage.trainings import hash_weights
from study.errors import InputError
from study.fashion_mnist import FASHION_IMAGES
from study.plan.cost import multiply_adds, parameter_count
from study.plan.plan import Training
from study.records.record import Source, StopRule
from study.spec.network import Network
from study.spec.setting import Hyperparameters, Setting
from study.spec.study_file import read_study
from tasks.data.dataset import Dataset, scale_pixels
from tasks.engines.engine import load_engine
from tasks.engines.keras_engine import make_optimizer
from tasks.engines.networks import build_network, count_size
from tasks.engines.seeds import epoch_order
from tasks.lanes.devices import Device
from tasks.lanes.local import LocalLanes
from tasks.tables.columns import hyperparameter_columns
from tasks.tables.readings import read_setting
from tasks.training.one_training import Checkpoint, run_training

BUILD = """
import keras
from blocks import block

def build(input_shape, classes, *, width: int = 3, dropout: float = 0.0, penalty: float = 0.0):
    images = keras.Input(input_shape)
    outputs = keras.layers.Flatten()(block(images, width, penalty))
    outputs = keras.layers.Dropout(dropout)(outputs)
    return keras.Model(images, keras.layers.Dense(classes, activation="softmax")(outputs))
"""
BLOCKS = """
import keras

def block(inputs, width, penalty):
    penalty = keras.regularizers.L2(penalty)
    outputs = keras.layers.Conv2D(width, 5, strides=4, kernel_regularizer=penalty, use_bias=False)(inputs)
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(outputs))
"""
STUDY = """
name: mine
title: Mine
model: network.py:build
exercises: [{number: 2, kind: sweep, title: T, question: Q?, parameter: width, values: [1], repeats: 1}]
"""

Write = Callable[..., tuple[Network, Setting]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a study of a network of its own, and return the network and the baseline."""

    def write(build: str = BUILD, blocks: str = BLOCKS) -> tuple[Network, Setting]:
        for name, text in (("network.py", build), ("blocks.py", blocks), ("mine.yaml", STUDY)):
            (tmp_path / name).write_text(text, encoding="utf-8")
        study = read_study(str(tmp_path / "mine.yaml"))
        assert study.model
        return study.model, study.baseline

    return write


def make_training(network: Network, setting: Setting, epochs: int, seed: int = 1) -> Training:
    source = Source(
        protocol="lab", data="data", held_out_images=0, model="1", tensorflow="2", device="CPU",
        engine="native", network=network.source,
    ).of(setting.hyperparameters)  # fmt: skip
    return Training(
        hyperparameters=setting.hyperparameters, seed=seed, source=source, rules=(StopRule(epochs=epochs),),
        label=f"mine seed={seed}",
    )  # fmt: skip


def hashes(trained: Any) -> list[str]:
    return [epoch.weights_sha256 for epoch in trained.record.epochs]


def start(network: Network, hyperparameters: Hyperparameters, seed: int = 1) -> Any:
    trainer, _ = load_engine("keras").open_trainer(hyperparameters, 1, FASHION_IMAGES, network.source)
    trainer.start(seed)
    return trainer


def test_an_epoch_equals_one_of_keras_fit_penalties_and_moving_averages_included(
    dataset: Dataset, write: Write
):
    network, setting = write()
    h = setting.with_changes({"penalty": 0.1, "optimizer": "adam", "learning_rate": 0.003}).hyperparameters
    trainer, images = start(network, h, seed=3), load_engine("keras").place(*dataset.train())
    model = build_network(h, FASHION_IMAGES, network)
    model.set_weights(trainer.weights())
    model.compile(make_optimizer(h), "sparse_categorical_crossentropy")
    pixels, labels = map(np.asarray, dataset.train())
    order = epoch_order(len(labels), 3, epoch=1)
    inputs = scale_pixels(pixels)[order][..., np.newaxis]
    model.fit(inputs, labels[order], batch_size=32, shuffle=False, verbose=0)
    trainer.train_epoch(images, seed=3, epoch=1, learning_rate=0.003)
    for ours, theirs in zip(trainer.weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    outputs = model.predict_on_batch(scale_pixels(np.asarray(dataset.test()[0]))[..., np.newaxis])
    right = outputs[np.arange(len(outputs)), dataset.test()[1]]
    score = trainer.evaluate(load_engine("keras").place(*dataset.test()))
    assert score.loss == pytest.approx(float(-np.log(right).mean()), rel=1e-3)


CHANGES = {"dropout": 0.3, "optimizer": "rmsprop", "learning_rate": 0.001, "averaging": 0.5}


def test_a_longer_training_continues_a_shorter_one_bit_for_bit(dataset: Dataset, write: Write):
    network, setting = write()
    setting = setting.with_changes(CHANGES)
    whole = run_training(make_training(network, setting, 4), dataset, "whole")
    run_training(
        make_training(network, setting.with_changes({"learning_rate": 0.1}), 1, seed=5), dataset, "x"
    )
    first = run_training(make_training(network, setting, 2), dataset, "first")
    checkpoint = Checkpoint(first.record, first.weights[2], first.optimizer)
    extended = run_training(make_training(network, setting, 4), dataset, "second", checkpoint)
    assert hashes(first) == hashes(whole)[:2]
    assert hashes(extended) == hashes(whole)
    assert len(set(hashes(whole))) == 4
    assert hash_weights(extended.optimizer) == hash_weights(whole.optimizer)
    assert extended.record.validation_losses == whole.record.validation_losses


@pytest.mark.slow
def test_another_process_trains_the_same_bits(dataset: Dataset, write: Write):
    network, setting = write()
    training = make_training(network, setting.with_changes(CHANGES), 2)
    here = run_training(training, dataset, "here")
    with LocalLanes([Device("CPU")]) as lanes:
        there = lanes.run("there", run_training, training, dataset, "there")
    assert hashes(here) == hashes(there)


def test_each_seed_draws_weights_of_its_own_whatever_other_threads_draw(write: Write):
    network, setting = write()
    enough = threading.Event()
    other_thread = threading.Thread(target=lambda: [random.random() for _ in iter(enough.is_set, True)])
    other_thread.start()
    drawn = [hash_weights(start(network, setting.hyperparameters, seed).weights()) for seed in (1, 1, 2)]
    enough.set()
    other_thread.join()
    assert drawn[0] == drawn[1] != drawn[2]


def build(network: Network, setting: Setting) -> keras.Model:
    return build_network(setting.hyperparameters, FASHION_IMAGES, network.source)


def test_a_changed_text_is_refused_and_read_again_it_is_another_network(write: Write, tmp_path: Path):
    network, setting = write()
    before = build(network, setting).count_params()
    (tmp_path / "blocks.py").write_text(BLOCKS.replace("width, 5", "width + 1, 5"), encoding="utf-8")
    stale = network.model_copy(update={"function": "build_again"})  # not loaded in this process yet
    with pytest.raises(InputError, match=r"network.py:.+ has the SHA-256 \w{12}, expected is \w{12}; run"):
        build(stale, setting)
    network, setting = write(blocks=BLOCKS.replace("width, 5", "width + 1, 5"))
    assert build(network, setting).count_params() > before


def test_code_is_not_found_by_what_results_say(write: Write):
    network, setting = write()
    from_results = Network.model_validate_json(network.model_copy(update={"sha256": "0"}).model_dump_json())
    with pytest.raises(InputError, match="is code beside a study; results hold its hash only: name"):
        build(from_results, setting)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("classes, activation", "classes + 1, activation", r"output has the shape \(None, 11\); needed"),
        ('activation="softmax"', 'activation="relu"', "outputs are no probabilities; end with"),
        ("return keras.Model", "return str", "TypeError: "),
        ("    images = ", "    raise OSError('no')\n    images = ", "called with width=3, dropout=0.0"),
        ("import keras", "import no_such_module_here", "cannot be imported: ModuleNotFoundError"),
        ("from blocks import block", "import importlib\nblock = importlib.import_module('blocks').block",
         "imports .+blocks.py, which no import statement of network.py names; name it"),
    ],
)  # fmt: skip
def test_a_network_that_cannot_be_made_is_refused_with_the_reason(
    write: Write, old: str, new: str, message: str
):
    network, setting = write(BUILD.replace(old, new, 1))
    with pytest.raises(InputError, match=f"network.py:build.+{message}"):
        build(network, setting)


@pytest.mark.parametrize("arguments", ["width: int = 3", "dropout: float = 0.0"])
def test_a_setting_is_read_back_from_its_columns(tmp_path: Path, arguments: str):
    (tmp_path / "network.py").write_text(f"def build(s, c, *, {arguments}): pass", encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(STUDY.replace("width", "epochs"), encoding="utf-8")
    study = read_study(str(tmp_path / "mine.yaml"))
    columns = hyperparameter_columns(study.baseline, study)
    assert (columns["filters"], columns["kernel_size"], columns["dense_units"]) == (0, 0, 0)
    assert read_setting(SearchRow.model_construct(**columns)) == study.baseline


def test_the_counts_of_layers_are_those_of_the_lab_s_formulas(write: Write):
    lab = Hyperparameters(filters=4, dense_units=8, kernel_size=5)
    size = count_size(build_network(lab))
    assert (size.parameters, size.multiply_adds) == (parameter_count(lab), multiply_adds(lab))
    network, setting = write()
    own = count_size(build(network, setting))
    assert own.multiply_adds == 6 * 6 * 25 * 3 + 108 * 10
    assert (
        own.activations == 784 + 3 * 108 + 2 * 108 + 10
    )  # input; convolution, normalised, ReLU; flat, dropped
    assert own.parameters == 75 + 4 * 3 + 109 * 10
