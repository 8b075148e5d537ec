"""Averaging: the moving average is evaluated and shown, while training goes on from the weights alone."""

from typing import Any

import numpy as np
import pytest

from storage.trainings import hash_weights
from study.spec.setting import Hyperparameters
from tasks.data.dataset import Dataset
from tasks.engines.engine import load_engine
from tasks.training.one_training import AveragingTrainer, mix
from tests.engines import ENGINES

SMALL = Hyperparameters(filters=4, dense_units=8)


def arrays(*values: float) -> list[np.ndarray]:
    return [np.array([value], np.float32) for value in values]


def start(engine: str) -> Any:
    trainer, _ = load_engine(engine).open_trainer(SMALL)
    trainer.start(seed=1)
    return trainer


def test_the_first_average_is_the_weights():
    assert mix(None, arrays(1.0, 2.0), 0.9) == arrays(1.0, 2.0)


def test_each_later_average_decays_by_hand():
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
