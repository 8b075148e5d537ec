"""Train what the plan asks for: on a lane, retried, and kept at once under its key."""

import logging
import math
import platform
import resource
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from storage.place import Results
from storage.trainings import (
    Arrays,
    Checkpoint,
    find_training,
    hash_weights,
    read_checkpoint,
    read_weights,
    save_training,
)
from study.errors import InputError
from study.plan import Source, Training
from study.schedule import learning_rate_at
from study.spec import Study
from study.stopping import StopRule, needs_more
from study.training_record import Epoch, Segment, TrainingRecord
from tasks.dataset import Dataset, split_held_out
from tasks.lanes import Lanes, LanesClosed
from tasks.provenance import processor_name
from tasks.quiet import silenced_stderr

if TYPE_CHECKING:
    from tasks.engine import Images, Trainer

logger = logging.getLogger(__name__)

MODEL_VERSION = "1"
"""Counts up with every change to model or training code that changes the weights: it is part of every key."""

RETRIES = 2
"""Further attempts of a training that raised or whose lane died."""


@dataclass(frozen=True)
class Trained:
    """A training as a lane gives it back: its record, weights after epochs to be kept, optimizer's state."""

    record: TrainingRecord
    weights: dict[int, Arrays]
    optimizer: Arrays


class Diverged(RuntimeError):
    """The loss is no longer a finite number; the same seed would diverge again, so it is not retried."""


def describe_source(study: Study, dataset: Dataset, device: str) -> Source:
    """What, beside hyperparameters and seed, decides the weights of this study's trainings."""
    return Source(
        protocol=study.protocol,
        data=dataset.fingerprint,
        held_out_images=study.data.held_out_images if study.protocol == "held-out" else 0,
        model=MODEL_VERSION,
        tensorflow=metadata.version("tensorflow"),
        device=device,
    )


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that take part in training."""
    libraries = ("tensorflow", "keras", "numpy")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in libraries}}


def _is_worth_retrying(_task: Any, _run: Any, state: Any) -> bool:
    error = state.result(raise_on_failure=False)
    return not isinstance(error, (Diverged, LanesClosed))


@task(
    name="train",
    task_run_name="train {training.label}",
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    retry_jitter_factor=0.5,
    retry_condition_fn=_is_worth_retrying,
    cache_policy=NO_CACHE,  # our own results are the cache: Prefect's would collapse repeats
    persist_result=False,
)
def train(
    training: Training,
    dataset: Dataset,
    results: Results,
    lanes: Lanes,
    run_id: str,
    fresh: bool = False,
) -> TrainingRecord:
    """Return the record of a training: read from an earlier run, gone on with, or trained; and keep it.

    Args:
        training: What to train, and for which trials.
        dataset: The images and labels in use.
        results: Where finished trainings are kept.
        lanes: Where to train.
        run_id: The run that asks.
        fresh: Train even if an earlier run has it; what this run has trained is not trained twice.

    Raises:
        Diverged: the loss is no longer a finite number.
        LaneDied: the lane died; trying again is worth it.
    """
    kept = usable_record(find_training(results, training.key), run_id if fresh else None)
    if kept is not None and kept.answers(training.rules):
        logger.info("%s: read from run %s", training.label, kept.segments[-1].run_id)
        return kept
    checkpoint = None if kept is None else read_checkpoint(results, kept)
    trained = lanes.run(training.label, run_training, training, dataset, run_id, checkpoint)
    _keep(results, trained)
    last, segment = trained.record.epochs[-1], trained.record.segments[-1]
    logger.info(
        "%s: %d epochs, %.2f%% on validation, %.1f s",
        training.label,
        segment.epochs,
        100 * last.validation_accuracy,
        segment.lane_seconds,
    )
    return trained.record


def usable_record(kept: TrainingRecord | None, only_by: str | None) -> TrainingRecord | None:
    """What a run may use of a kept training: all of it, or only what the run named here trained itself."""
    if kept is None or only_by is None:
        return kept
    return kept if kept.epochs_by(only_by) == len(kept.epochs) else None


def _keep(results: Results, trained: Trained) -> None:
    """Save what was trained, with the further epochs that another run has kept meanwhile or before."""
    record, before = trained.record, find_training(results, trained.record.key)
    if before is not None and record.is_prefix_of(before):
        save_training(results, record.continued_by(before), trained.weights, None)
        return
    if before is not None and _disagree(record, before):
        logger.warning(
            "%s: trained again, its weights differ from those that run %s left; device or libraries do not "
            "repeat bit for bit. The new training is kept",
            record.label,
            before.segments[-1].run_id,
        )
    save_training(results, record, trained.weights, trained.optimizer)


def _disagree(one: TrainingRecord, other: TrainingRecord) -> bool:
    pairs = zip(one.epochs, other.epochs, strict=False)
    return any(mine.weights_sha256 != theirs.weights_sha256 for mine, theirs in pairs)


def obtain_weights(key: str, epoch: int, dataset: Dataset, results: Results, lanes: Lanes) -> Arrays:
    """The weights of a kept training after an epoch: read, or trained again where they were not kept.

    Raises:
        InputError: there is no such training, or training it again gives other weights.
    """
    record = find_training(results, key)
    if record is None:
        raise InputError(f"training {key} is not in {results.trainings}; run the study again")
    weights = read_weights(results, record, epoch)
    if weights is not None:
        return weights
    again = Training(
        hyperparameters=record.hyperparameters,
        seed=record.seed,
        source=record.source,
        schedule_epochs=record.schedule_epochs,
        rules=(StopRule(epochs=epoch),),
        label=record.label,
    )
    logger.info("%s: weights after epoch %d were not kept; training them again", record.label, epoch)
    weights = lanes.run(f"again: {record.label}", run_training, again, dataset, "again").weights[epoch]
    found, expected = hash_weights(weights), record.epochs[epoch - 1].weights_sha256
    if found != expected:
        raise InputError(
            f"{record.label}: trained again, its weights after epoch {epoch} have the hash {found[:12]}, "
            f"expected {expected[:12]}; run the study with --fresh on this machine"
        )
    return weights


def run_training(
    training: Training, dataset: Dataset, run_id: str, checkpoint: Checkpoint | None = None
) -> Trained:
    """Train in this process until no trial needs another epoch, from the start or from a checkpoint.

    Raises:
        Diverged: the loss is no longer a finite number.
    """
    with silenced_stderr():
        from tasks.engine import open_trainer

    images, validation, test = place_images(dataset, training.source.held_out_images)
    started = time.perf_counter()  # importing TensorFlow and placing the images happen once a lane
    trainer, is_new = open_trainer(training.hyperparameters)
    startup_seconds = trainer.warm_up(images) if is_new else 0.0
    epochs, weights = _begin(trainer, training, checkpoint)
    while needs_more(training.rules, losses := [epoch.validation_loss for epoch in epochs]):
        epochs.append(_run_epoch(trainer, training, len(epochs) + 1, images, validation, test))
        losses.append(epochs[-1].validation_loss)
        if any(rule.epochs_read(losses) == len(losses) for rule in training.rules):
            weights[len(losses)] = trainer.weights()
    optimizer = trainer.optimizer_state()
    earlier = checkpoint.record if checkpoint else None
    segment = Segment(
        epochs=len(epochs) - (len(earlier.epochs) if earlier else 0),
        run_id=run_id,
        lane=_lane_name(),
        device=_device_name(),
        processor=processor_name(),
        finished_at=datetime.now(UTC),
        startup_seconds=startup_seconds,
        lane_seconds=time.perf_counter() - started,
        peak_bytes=_peak_bytes(),
        versions=library_versions(),
    )
    evaluated = len(validation.labels) + (0 if test is validation else len(test.labels))
    record = TrainingRecord(
        key=training.key,
        label=training.label,
        hyperparameters=training.hyperparameters,
        seed=training.seed,
        schedule_epochs=training.schedule_epochs,
        source=training.source,
        train_images=len(images.labels),
        evaluation_images=evaluated,
        epochs=tuple(epochs),
        segments=(*(earlier.segments if earlier else ()), segment),
        kept_weights=tuple(sorted({*(earlier.kept_weights if earlier else ()), *weights})),
        optimizer_sha256=hash_weights(optimizer),
    )
    return Trained(record, weights, optimizer)


def _begin(
    trainer: "Trainer", training: Training, checkpoint: Checkpoint | None
) -> tuple[list[Epoch], dict[int, Arrays]]:
    """Set the trainer to where the training begins; return its epochs so far and the weights to be saved."""
    if checkpoint is None:
        trainer.start(training.hyperparameters, training.seed)
        return [], {}
    trainer.resume(checkpoint.weights, checkpoint.optimizer)
    return list(checkpoint.record.epochs), {}


def _run_epoch(
    trainer: "Trainer", training: Training, epoch: int, images: "Images", validation: "Images", test: "Images"
) -> Epoch:
    rate = learning_rate_at(training.hyperparameters, epoch, training.schedule_epochs)
    trained, seconds = trainer.train_epoch(images, training.seed, epoch, rate)
    started = time.perf_counter()
    validated = trainer.evaluate(validation)
    tested = validated if test is validation else trainer.evaluate(test)
    evaluation_seconds = time.perf_counter() - started
    if not all(math.isfinite(score.loss) for score in (trained, validated, tested)):
        raise Diverged(f"diverged: the loss is {trained.loss} in epoch {epoch} of {training.label}")
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
def place_images(dataset: Dataset, held_out: int) -> tuple["Images", "Images", "Images"]:
    """Training, validation and test images on the device, once a lane; in `lab` validation is the test."""
    from tasks.engine import Images

    images, labels = dataset.train()
    test = Images.place(*dataset.test())
    if held_out == 0:
        return Images.place(images, labels), test, test
    train_indices, validation_indices = split_held_out(labels, held_out)
    return (
        Images.place(images[train_indices], labels[train_indices]),
        Images.place(images[validation_indices], labels[validation_indices]),
        test,
    )


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, kibibytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@cache
def _device_name() -> str:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    details = tf.config.experimental.get_device_details(gpus[0])
    return f"GPU {details.get('device_name', 'unnamed')}"


def _lane_name() -> str:
    """The lane this process is; "none" outside one, as in a test."""
    from distributed import get_worker

    try:
        return str(get_worker().name)
    except ValueError:
        return "none"
