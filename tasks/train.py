"""Train what the plan asks for: on a lane, retried, and kept at once under its key."""

import logging
import math
import platform
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from storage.place import Results
from storage.trainings import Weights, find_training, hash_weights, save_training
from study.plan import Source, Training
from study.spec import Study
from study.stopping import needs_more
from study.training_record import Epoch, TrainingRecord
from tasks.dataset import Dataset, split_held_out
from tasks.lanes import Lanes, LanesClosed
from tasks.quiet import silenced_stderr

if TYPE_CHECKING:
    from tasks.engine import Images, Trainer

logger = logging.getLogger(__name__)

MODEL_VERSION = "1"
"""Counts up with every change to model or training code that changes the weights: it is part of every key."""

RETRIES = 2
"""Further attempts of a training that raised or whose lane died."""


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
    """Return the record of a training: read from an earlier run, or trained on a lane and kept.

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
    kept = find_training(results, training)
    if kept is not None and (not fresh or kept.run_id == run_id):
        logger.info("%s: read from run %s", training.label, kept.run_id)
        return kept
    record, weights = lanes.run(training.label, run_training, training, dataset, run_id)
    save_training(results, record, weights)
    last = record.epochs[-1]
    accuracy, seconds = 100 * last.validation_accuracy, sum(epoch.seconds for epoch in record.epochs)
    logger.info("%s: %d epochs, %.2f%% on validation, %.1f s", training.label, last.epoch, accuracy, seconds)
    return record


def run_training(
    training: Training, dataset: Dataset, run_id: str
) -> tuple[TrainingRecord, dict[int, Weights]]:
    """Train in this process until no trial needs another epoch.

    Returns:
        The record, and the weights after each epoch at which one of the trials ends.

    Raises:
        Diverged: the loss is no longer a finite number.
    """
    with silenced_stderr():
        from tasks.engine import open_trainer

    images, validation, test = _place_images(dataset, training.source.held_out_images)
    trainer, is_new = open_trainer(training.hyperparameters)
    startup_seconds = trainer.warm_up(images) if is_new else 0.0
    trainer.start(training.hyperparameters, training.seed)
    epochs: list[Epoch] = []
    weights: dict[int, Weights] = {}
    while needs_more(training.rules, losses := [epoch.validation_loss for epoch in epochs]):
        epochs.append(_run_epoch(trainer, training, len(epochs) + 1, images, validation, test))
        losses.append(epochs[-1].validation_loss)
        if any(rule.epochs_read(losses) == len(losses) for rule in training.rules):
            weights[len(losses)] = trainer.weights()
    record = TrainingRecord(
        key=training.key,
        label=training.label,
        hyperparameters=training.hyperparameters,
        seed=training.seed,
        epochs=tuple(epochs),
        startup_seconds=startup_seconds,
        device=_device_name(),
        lane=_lane_name(),
        finished_at=datetime.now(UTC),
        run_id=run_id,
        versions=library_versions(),
    )
    return record, weights


def _run_epoch(
    trainer: "Trainer", training: Training, epoch: int, images: "Images", validation: "Images", test: "Images"
) -> Epoch:
    trained, seconds = trainer.train_epoch(images, training.seed, epoch)
    validated = trainer.evaluate(validation)
    tested = validated if test is validation else trainer.evaluate(test)
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
        weights_sha256=hash_weights(trainer.weights()),
    )


@cache
def _place_images(dataset: Dataset, held_out: int) -> tuple["Images", "Images", "Images"]:
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
