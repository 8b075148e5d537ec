"""Train what the plan asks for: on a lane, retried, and kept at once under its key."""

import logging
from importlib import metadata
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from storage.place import Results
from storage.trainings import (
    Arrays,
    find_training,
    hash_weights,
    read_checkpoint,
    read_weights,
    save_training,
)
from study.errors import InputError
from study.plan import Source, Training
from study.spec import Study
from study.stopping import StopRule
from study.training_record import TrainingRecord
from tasks.dataset import Dataset
from tasks.lanes import Lanes, LanesClosed
from tasks.run_training import Diverged, Trained, run_training

logger = logging.getLogger(__name__)

MODEL_VERSION = "1"
"""Counts up with every change to model or training code that changes the weights: it is part of every key."""

RETRIES = 2
"""Further attempts of a training that raised or whose lane died."""


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
