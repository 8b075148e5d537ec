"""Train once, in one process, from the start or from a checkpoint: the work of a lane."""

import logging
import math
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from storage.trainings import Arrays, Checkpoint, hash_weights
from study.plan import Training
from study.records import Epoch, Segment, TrainingRecord, needs_more
from study.spec import EngineName, learning_rate_at
from tasks.data import Dataset, split_held_out
from tasks.engines import Placed, Score, Trainer, library_versions, load_engine, processor_name
from tasks.lanes import lane_name, report_progress


class AveragingTrainer:
    """Trains another trainer, of any engine, and shows the average of its weights in their place.

    After the first epoch the average is the weights, after each later one `decay * average + (1 - decay) *
    weights`, in float32. It begins with weights, not with zeros, so that there is no bias to correct; the
    first epoch's stay in it with a share of `decay ** (epochs - 1)`.

    Averages of SGD's iterates: Polyak and Juditsky 1992; of a network's weights once an epoch: Izmailov et
    al. 2018, "Averaging Weights Leads to Wider Optima and Better Generalization" (SWA), with equal weights.
    Keras's `use_ema` decays as here, but with every step, where its 0.99 forgets within a tenth of an epoch.
    """

    def __init__(self, trainer: Trainer, decay: float) -> None:
        self.size = trainer.size
        self._trainer, self._decay = trainer, decay
        self._weights: Arrays = []
        self._momenta: Arrays = []
        self._average: Arrays | None = None

    def warm_up(self, images: Any) -> float:
        """Make the other trainer ready."""
        return self._trainer.warm_up(images)

    def start(self, seed: int) -> None:
        """Begin a training; there is no average yet."""
        self._trainer.start(seed)
        self._weights, self._momenta, self._average = self._trainer.weights(), self._trainer.momenta(), None

    def resume(self, weights: Arrays, momenta: Arrays) -> None:
        """Continue a training from its average, and its momenta followed by its weights."""
        self._average, count = weights, len(weights)
        self._momenta, self._weights = momenta[:-count], momenta[-count:]
        self._trainer.resume(self._average, self._momenta)

    def train_epoch(
        self, images: Any, seed: int, epoch: int, learning_rate: float, most: int | None = None
    ) -> tuple[Score, float]:
        """Train one epoch from the weights, not from their average; add the result to the average."""
        self._trainer.resume(self._weights, self._momenta)
        score, seconds = self._trainer.train_epoch(images, seed, epoch, learning_rate, most)
        self._weights, self._momenta = self._trainer.weights(), self._trainer.momenta()
        self._average = mix(self._average, self._weights, self._decay)
        self._trainer.resume(self._average, self._momenta)
        return score, seconds

    def evaluate(self, images: Any) -> Score:
        """Score the average on all images."""
        return self._trainer.evaluate(images)

    def weights(self) -> Arrays:
        """Return the average; before the first epoch the weights."""
        return self._weights if self._average is None else self._average

    def momenta(self) -> Arrays:
        """Return the state to resume from: the other trainer's, then the weights themselves."""
        return [*self._momenta, *self._weights]


def mix(average: Arrays | None, weights: Arrays, decay: float) -> Arrays:
    """Return the next average: the weights if there is none yet."""
    if average is None:
        return weights
    return [decay * old + (1 - decay) * new for old, new in zip(average, weights, strict=True)]


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """A training as a lane returns it: its record, the weights to keep by epoch, the optimizer's state."""

    record: TrainingRecord
    weights: dict[int, Arrays]
    optimizer: Arrays
    last: Arrays | None = None
    """The weights after the last epoch, if the training has not ended."""


class _LossNotFinite(Exception):
    """The loss is no longer a finite number."""


def run_training(
    training: Training,
    dataset: Dataset,
    run_id: str,
    checkpoint: Checkpoint | None = None,
    threads: int = 1,
    most_seconds: float = math.inf,
) -> Trained:
    """Train in this process until no trial needs another epoch, from the start or from a checkpoint.

    It ends early if the loss is no longer a finite number: the record says so, and has the epochs before. It
    is interrupted after the first epoch that ends after `most_seconds`: the result has what it takes to
    continue.
    """
    report_progress()
    engine = load_engine(training.source.engine)
    images, validation, test = place_images(training.source.engine, dataset, training.source.held_out_images)
    started = time.perf_counter()  # loading the engine and placing the images happen once a lane
    trainer, is_new = engine.open_trainer(
        training.hyperparameters, threads, dataset.facts, training.source.network
    )
    startup_seconds = trainer.warm_up(images) if is_new else 0.0
    if training.hyperparameters.averaging:
        trainer = AveragingTrainer(trainer, training.hyperparameters.averaging)
    epochs, weights = _begin(trainer, training, checkpoint), dict[int, Arrays]()
    diverged, is_over = None, False
    while not is_over and needs_more(training.rules, losses := [epoch.validation_loss for epoch in epochs]):
        report_progress(len(epochs))
        try:
            epochs.append(_run_epoch(trainer, training, len(epochs) + 1, images, validation, test))
        except _LossNotFinite as error:
            diverged = str(error)
            break
        losses.append(epochs[-1].validation_loss)
        if ends_trial(training, losses):
            weights[len(losses)] = trainer.weights()
        is_over = time.perf_counter() - started >= most_seconds
    last = trainer.weights() if diverged is None and needs_more(training.rules, losses) else None
    optimizer = trainer.momenta()
    earlier = checkpoint.record if checkpoint else None
    segment = Segment(
        epochs=len(epochs) - (len(earlier.epochs) if earlier else 0),
        run_id=run_id,
        lane=lane_name(),
        device=engine.device_name(),
        processor=processor_name(),
        finished_at=datetime.now(UTC),
        startup_seconds=startup_seconds,
        lane_seconds=time.perf_counter() - started,
        peak_bytes=_peak_bytes(),
        threads=threads,
        versions=library_versions(training.source.engine),
    )
    evaluated = len(validation) + (0 if test is validation else len(test))
    record = TrainingRecord(
        key=training.key,
        label=training.label,
        hyperparameters=training.hyperparameters,
        seed=training.seed,
        schedule_epochs=training.schedule_epochs,
        source=training.source,
        train_images=len(images),
        evaluation_images=evaluated,
        epochs=tuple(epochs),
        segments=(*(earlier.segments if earlier else ()), segment),
        kept_weights=tuple(sorted({*(earlier.kept_weights if earlier else ()), *weights})),
        optimizer_sha256=hash_weights(optimizer),
        size=trainer.size,
        diverged=diverged,
    )
    return Trained(record, weights, optimizer, last)


def ends_trial(training: Training, validation_losses: Sequence[float]) -> bool:
    """Say whether a trial reads just the epochs with these losses, so that their weights are to be kept."""
    return any(rule.epochs_read(validation_losses) == len(validation_losses) for rule in training.rules)


def _begin(trainer: Trainer, training: Training, checkpoint: Checkpoint | None) -> list[Epoch]:
    """Set the trainer to the training's next epoch; return its epochs so far."""
    if checkpoint is None:
        trainer.start(training.seed)
        return []
    trainer.resume(checkpoint.weights, checkpoint.optimizer)
    return list(checkpoint.record.epochs)


def _run_epoch(
    trainer: Trainer, training: Training, epoch: int, images: Placed, validation: Placed, test: Placed
) -> Epoch:
    rate = learning_rate_at(training.hyperparameters, epoch, training.schedule_epochs)
    trained, seconds = trainer.train_epoch(images, training.seed, epoch, rate)
    started = time.perf_counter()
    validated = trainer.evaluate(validation)
    tested = validated if test is validation else trainer.evaluate(test)
    evaluation_seconds = time.perf_counter() - started
    for score in (trained, validated, tested):
        if not math.isfinite(score.loss):
            raise _LossNotFinite(f"the loss is {score.loss} in epoch {epoch}")
    logger.info(
        "epoch %d of at most %d: training loss %.4f, validation accuracy %.2f%%, %.1f s",
        epoch, training.most_epochs, trained.loss, 100 * validated.accuracy, seconds,
    )  # fmt: skip
    return Epoch(
        epoch=epoch,
        train_loss=trained.loss,
        train_accuracy=trained.accuracy,
        validation_loss=validated.loss,
        validation_accuracy=validated.accuracy,
        test_loss=tested.loss,
        test_accuracy=tested.accuracy,
        seconds=seconds,
        evaluation_seconds=evaluation_seconds,
        weights_sha256=hash_weights(trainer.weights()),
    )


@cache
def place_images(engine_name: EngineName, dataset: Dataset, held_out: int) -> tuple[Placed, Placed, Placed]:
    """Place training, validation and test images for the engine, once a lane.

    In the lab protocol validation is the test.
    """
    engine = load_engine(engine_name)
    images, labels = dataset.train()
    test = engine.place(*dataset.test())
    if held_out == 0:
        return engine.place(images, labels), test, test
    train_indices, validation_indices = split_held_out(labels, held_out)
    return (
        engine.place(images, labels, train_indices),
        engine.place(images, labels, validation_indices),
        test,
    )


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, kibibytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
