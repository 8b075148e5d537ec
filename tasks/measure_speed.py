"""Measure how fast this machine trains: a few steps of each shape, on all lanes at once as in a run."""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from statistics import median

import numpy as np

from study.cost import Amount, Speed
from study.fashion_mnist import IMAGE_SIDE
from study.setting import Hyperparameters
from study.spec import EngineName
from tasks.engine import Placed, Trainer, load_engine
from tasks.lane_work import LanesClosed
from tasks.lanes import Lanes
from tasks.provenance import processor_name

logger = logging.getLogger(__name__)

ROUNDS = 3
"""Measurements of a shape, of which the median counts."""

ROUND_SECONDS = 0.35
"""How long one measurement of training takes."""

MEASURING_SECONDS = 2.5
"""Seconds of a lane to measure one shape, compiling included: measured on the shapes of `lab`."""


def measure_speeds(
    lanes: Lanes, engine: EngineName, shapes: Sequence[Hyperparameters], amount: Amount
) -> list[Speed]:
    """Measure several shapes, one at a time on each lane; one that fails is left out, which is logged.

    What a lane with another processor than `lanes.processor` measures is left out, too.

    Args:
        lanes: Where to measure.
        engine: What trains.
        shapes: Hyperparameters of each shape.
        amount: As many images as a training has, so that memory is read as in one.

    Raises:
        LanesClosed: the lanes were closed.
    """
    with ThreadPoolExecutor(len(lanes.devices)) as threads:
        measured = threads.map(lambda shape: _try_to_measure(lanes, engine, shape, amount), shapes)
        return [speed for speed in measured if speed is not None]


def _try_to_measure(lanes: Lanes, engine: EngineName, shape: Hyperparameters, amount: Amount) -> Speed | None:
    try:
        speed, processor = lanes.run("measure speed", measure_here, engine, shape, amount)
        return speed if processor == lanes.processor else None
    except LanesClosed:
        raise
    except Exception as error:  # whatever it is, it must not cost the run: the formula predicts instead
        logger.warning("could not measure the speed of %s: %s", shape, error)
        return None


def measure_here(engine: EngineName, shape: Hyperparameters, amount: Amount) -> tuple[Speed, str]:
    """Measure one shape in this process, and say on which processor."""
    return measure_speed(engine, shape, amount), processor_name()


def measure_speed(engine: EngineName, hyperparameters: Hyperparameters, amount: Amount) -> Speed:
    """Measure one shape in this process, on images of noise: what they show changes the time little."""
    images = _noise(engine, amount.train_images)
    evaluated = _noise(engine, min(amount.evaluation_images, 2000))
    trainer, _ = load_engine(engine).open_trainer(hyperparameters)
    trainer.warm_up(images)
    trainer.start(seed=0)

    def train(most: int) -> float:
        return trainer.train_epoch(images, seed=0, epoch=1, learning_rate=0.0, most=most)[1] / most

    batch = hyperparameters.batch_size
    per_image = train(min(4 * batch, amount.train_images))
    steps = max(4, round(ROUND_SECONDS / per_image / batch))
    most = min(steps * batch, amount.train_images)
    return Speed(
        hyperparameters=hyperparameters,
        train_seconds=median(train(most) for _ in range(ROUNDS)),
        evaluation_seconds=median(_time_evaluation(trainer, evaluated) for _ in range(ROUNDS)),
    )


def _time_evaluation(trainer: Trainer, images: Placed) -> float:
    started = time.perf_counter()
    trainer.evaluate(images)
    return (time.perf_counter() - started) / len(images)


@cache
def _noise(engine: EngineName, count: int) -> Placed:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (count, IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    return load_engine(engine).place(pixels, random.integers(0, 10, count, np.uint8))
