"""How fast this machine trains: a few steps measured on its lanes, and the times of earlier trainings."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from statistics import median

from study.errors import InputError
from study.fashion_mnist import FASHION_IMAGES
from study.plan import ENGINE_COSTS, Amount, Speed, network_of
from study.records import NetworkSize, Source, TrainingRecord
from study.spec import Hyperparameters
from tasks.data import Dataset
from tasks.engines import Placed, Score, load_engine, processor_name
from tasks.lanes import Lanes, LanesClosed
from tasks.training.one_training import place_images

logger = logging.getLogger(__name__)

ROUNDS = 3
"""Measurements of a shape, of which the median counts."""

ROUND_SECONDS = 0.3
"""Shortest measurement of training: the first steps touch new memory and take up to four times as long."""

MEASURING_SECONDS = 2.5
"""Seconds of a lane to measure one shape, compiling included: measured on the shapes of `lab`."""

RECENT_TRAININGS = 200
"""Recorded trainings that correct a prediction: the latest ones."""


def measure_speeds(
    lanes: Lanes, source: Source, dataset: Dataset, shapes: Sequence[Hyperparameters]
) -> list[Speed]:
    """Measure several shapes, one at a time on each lane; log and skip one that fails.

    Measurements of a lane with another processor than `lanes.processor` are ignored, too.

    Raises:
        LanesClosed: the lanes were closed.
    """

    def measure(shape: Hyperparameters) -> Speed | None:
        try:
            speed, processor = lanes.run("measure speed", measure_speed, source, dataset, shape)
            return speed if processor == lanes.processor else None
        except LanesClosed:
            raise
        except Exception as error:  # no error here may stop the run: the formula predicts instead
            logger.warning("could not measure the speed of %s: %s", shape, error)
            return None

    with ThreadPoolExecutor(len(lanes.devices)) as threads:
        return [speed for speed in threads.map(measure, shapes) if speed is not None]


def measure_speed(source: Source, dataset: Dataset, hyperparameters: Hyperparameters) -> tuple[Speed, str]:
    """Measure one shape in this process, by the beginning of a training on the dataset.

    Noise would not do: of a learned network many units are off for an image, and the engine skips them.

    Returns:
        The speed, and the name of the processor that was measured.
    """
    engine = source.of(hyperparameters).engine
    images, _, evaluated = place_images(engine, dataset, source.held_out_images)
    trainer, _ = load_engine(engine).open_trainer(hyperparameters, 1, source.images, source.network)
    trainer.warm_up(images)
    trainer.start(seed=0)

    def train(most: int) -> float:
        return trainer.train_epoch(images, 0, 1, hyperparameters.learning_rate, most)[1]

    most = min(4 * hyperparameters.batch_size, len(images))
    while train(most) < ROUND_SECONDS and most < len(images):
        most = min(2 * most, len(images))
    speed = Speed(
        hyperparameters=hyperparameters,
        train_seconds=median(train(most) for _ in range(ROUNDS)) / most,
        evaluation_seconds=median(_time(trainer.evaluate, evaluated) for _ in range(ROUNDS)) / len(evaluated),
        size=trainer.size,
    )
    return speed, processor_name()


def _time(evaluate: Callable[[Placed], Score], images: Placed) -> float:
    started = time.perf_counter()
    evaluate(images)
    return time.perf_counter() - started


def name_machine(source: Source, processor: str) -> str:
    """Return the facts that decide a training's speed, besides its hyperparameters and the machine's load.

    The sizes of images are named if they are not Fashion-MNIST's.
    """
    trainers = {"tensorflow": f"TensorFlow {source.tensorflow}", "keras": source.keras, "native": "native"}
    is_usual = source.images.sizes == FASHION_IMAGES.sizes
    images = "" if is_usual else f" images {'x'.join(map(str, source.images.sizes))}"
    network = f" network {source.network.sha256[:16]}" if source.network else ""
    return f"{processor} {source.device} model {source.model} {trainers[source.engine]}{images}{network}"


def list_recorded_speeds(
    records: Sequence[TrainingRecord], source: Source, amount: Amount, processor: str
) -> list[Speed]:
    """Return the speeds of the latest trainings of earlier runs: same code, similar machine and data."""
    latest = sorted(records, key=lambda record: record.segments[-1].finished_at)[-RECENT_TRAININGS:]
    return [
        _speed_of(record)
        for record in latest
        # Few images stay in the processor's cache, so that each takes less.
        if record.epochs
        and amount.train_images / 2 <= record.train_images <= amount.train_images * 2
        and name_machine(record.source, processor)
        == name_machine(source.of(record.hyperparameters), processor)
        and all(segment.processor == processor for segment in record.segments)
    ]


def list_sizes(
    source: Source, records: Sequence[TrainingRecord], measured: Sequence[Speed]
) -> dict[Hyperparameters, NetworkSize]:
    """Return the sizes of a network of one's own that earlier trainings and measurements have counted."""
    alike = [each for each in records if each.source.network == source.network]
    sizes = [
        *((each.hyperparameters, each.size) for each in alike),
        *((each.hyperparameters, each.size) for each in measured),
    ]
    return {network_of(hyperparameters): size for hyperparameters, size in sizes if size}


def count_sizes(
    source: Source, networks: Sequence[Hyperparameters]
) -> list[tuple[Hyperparameters, NetworkSize]]:
    """Build networks in this process, and count their sizes; leave out those that cannot be built."""
    load_engine("keras")
    from tasks.engines import build_network, count_size  # late: Keras is imported on a lane only

    counted = []
    for each in networks:
        with suppress(InputError):  # its training will say why
            counted.append((each, count_size(build_network(each, source.images, source.network))))
    return counted


def _speed_of(record: TrainingRecord) -> Speed:
    """Return the seconds an image takes on one thread."""
    rates, epochs = ENGINE_COSTS[record.source.engine], len(record.epochs)
    speedups = [rates.speedup(record.segment_of(each.epoch).threads) for each in record.epochs]
    pairs = list(zip(record.epochs, speedups, strict=True))
    trained = sum(each.seconds * speedup for each, speedup in pairs)
    evaluated = sum(each.evaluation_seconds * speedup for each, speedup in pairs)
    return Speed(
        hyperparameters=record.hyperparameters,
        train_seconds=trained / epochs / record.train_images,
        evaluation_seconds=evaluated / epochs / record.evaluation_images,
    )
