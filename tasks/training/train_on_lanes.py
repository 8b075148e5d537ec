"""Train a plan's trainings on lanes, with retries; keep each at once under its key; batch thousands."""

import logging
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

from prefect.tasks import exponential_backoff
from prefect.utilities.math import clamped_poisson_interval
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from storage.locks import waiting_lock
from storage.results import Results
from storage.trainings import (
    Arrays,
    find_training,
    hash_weights,
    read_weights,
    save_training,
)
from study.errors import Conclusive, InputError, LanesLost, ResultsUnwritable
from study.plan import Job, Training
from study.records import Source, StopRule, TrainingRecord, name_keras
from study.spec import EngineName, NetworkFile, Study
from tasks.data import Dataset
from tasks.lanes import Lanes, LanesClosed
from tasks.step import step
from tasks.training.one_training import Trained, run_training
from tasks.training.unfinished import UnfinishedTraining, is_by

logger = logging.getLogger(__name__)

MODEL_VERSION = "2"
"""Raise it with every change of code that changes the weights: it is part of every key."""

RETRIES = 2
"""Further attempts of a training that raised, hung, or whose lane died."""

RETRY_SECONDS = exponential_backoff(backoff_factor=2)(RETRIES)
"""Seconds before each of them..."""

RETRY_JITTER = 0.5
"""...plus or minus up to this fraction."""

KEPT_SECONDS = 60.0
"""Seconds of training after which a lane hands over its state, once an epoch has ended, to be kept."""

HANG_FACTOR = 10.0
"""A training counts as hung after this many predicted epochs without progress..."""

HANG_SECONDS = 600.0
"""...and at least this long: on two cores with ten busy programs beside, epochs took twelve times as long as
predicted, and sound lanes were killed after 120 s."""


class Diverged(Conclusive):
    """The loss is no longer a finite number; the same seed would diverge again, so it is not retried."""

    def __init__(self, record: TrainingRecord) -> None:
        super().__init__(f"{record.diverged} of {record.label}")
        self.record = record
        """The training up to the epoch before."""


def describe_source(study: Study, dataset: Dataset, device: str, engine: EngineName) -> Source:
    """Return the facts that, besides hyperparameters and seed, decide the weights of a study's trainings."""
    return Source(
        protocol=study.protocol,
        data=dataset.fingerprint,
        held_out_images=study.data.held_out_images if study.protocol == "held-out" else 0,
        model=MODEL_VERSION,
        tensorflow=metadata.version("tensorflow") if engine == "tensorflow" else "",
        device=device,
        engine=engine,
        keras=name_keras(metadata.version("keras"), metadata.version("tensorflow")),
        images=dataset.facts,
        network=study.model.source if study.model else None,
    )


def is_worth_retrying(error: BaseException) -> bool:
    """Say whether a training that failed with this error may succeed when retried."""
    return not isinstance(error, (Conclusive, InputError, LanesClosed, LanesLost))


def _should_retry(_task: Any, _run: Any, state: Any) -> bool:
    return is_worth_retrying(state.result(raise_on_failure=False))


@step(
    "train",
    "train {job.training.label}",
    retries=RETRIES,
    retry_delay_seconds=RETRY_SECONDS,
    retry_jitter_factor=RETRY_JITTER,
    retry_condition_fn=_should_retry,
)
def train(
    job: Job, dataset: Dataset, results: Results, lanes: Lanes, run_id: str, fresh: bool = False
) -> TrainingRecord:
    """Return the record of a training: read from an earlier run, resumed, or trained; and keep it.

    Its predicted epoch decides when it counts as hung. A fresh run trains what earlier runs have, and never
    the same twice.

    Raises:
        Diverged: the loss is no longer a finite number; the record has the epochs before.
        LaneDied: the lane died; trying again is worth it.
        LaneHung: it made no progress and was killed; trying again is worth it.
        LanesLost: there was no lane, and none came in time.
        ResultsUnwritable: it cannot be kept, and neither can any other.
    """
    training = job.training

    def tell_waiting() -> None:
        logger.info("%s: another run trains it now; waiting for it", training.label)

    with waiting_lock(results, training.key, tell_waiting, lambda: lanes.is_closed):
        record = kept = find_training(results, training.key)
        if fresh and not is_by(kept, run_id):
            record = None
        if record is not None and record.answers(training.rules):
            logger.info("%s: read from run %s", training.label, record.segments[-1].run_id)
        else:
            state = UnfinishedTraining(training, results, record, run_id, fresh)
            record = _keep(results, _train(job, dataset, lanes, run_id, state), kept)
            state.remove()
    if record.diverged is not None and not all(record.read(rule) for rule in training.rules):
        raise Diverged(record)
    return record


def _train(job: Job, dataset: Dataset, lanes: Lanes, run_id: str, state: UnfinishedTraining) -> Trained:
    """Train on a lane, which hands over its state from time to time, to be kept."""
    label = job.training.label

    def list_inputs() -> tuple[Any, ...]:
        return job.training, dataset, run_id, state.checkpoint, job.threads, KEPT_SECONDS

    def proceed(trained: Trained) -> tuple[Any, ...] | None:
        if trained.last is None:
            return None
        state.add(trained, lanes.attempts[label])
        return list_inputs()

    epoch_seconds = job.seconds / max(1, job.epochs)
    trained = lanes.run(
        label, run_training, *list_inputs(),
        silence_seconds=max(HANG_SECONDS, HANG_FACTOR * epoch_seconds), proceed=proceed,
    )  # fmt: skip
    return state.add(trained, lanes.attempts[label])


def _keep(results: Results, trained: Trained, before: TrainingRecord | None) -> TrainingRecord:
    """Save a training, with further epochs that were kept before; return its record."""
    record = trained.record
    segment = record.segments[-1]
    if record.diverged is not None:
        logger.warning("%s: diverged: %s", record.label, record.diverged)
    else:
        accuracy = 100 * record.epochs[-1].validation_accuracy
        logger.info(
            "%s: %d epochs, %.2f%% on validation, %.1f s",
            record.label, segment.epochs, accuracy, segment.lane_seconds,
        )  # fmt: skip
    if before is not None and record.is_prefix_of(before):
        save_training(results, record.continued_by(before), trained.weights, None)
        return record
    pairs = zip(record.epochs, before.epochs if before else (), strict=False)
    if before is not None and any(mine.weights_sha256 != kept.weights_sha256 for mine, kept in pairs):
        logger.warning(
            "%s: trained again, its weights differ from those that run %s left; device or libraries do not "
            "repeat bit for bit. The new training is kept",
            record.label,
            before.segments[-1].run_id,
        )
    save_training(results, record, trained.weights, trained.optimizer)
    return record


def obtain_weights(
    key: str,
    epoch: int,
    dataset: Dataset,
    results: Results,
    lanes: Lanes,
    network: NetworkFile | None = None,
) -> Arrays:
    """Return the weights of a kept training after an epoch; train again if they were not kept.

    A network of one's own is that of the study: records do not say where it lies.

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
        source=record.source.model_copy(update={"network": network}),
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


class BatchFailed(RuntimeError):
    """Some trainings of a batch failed; the result of each has been reported."""


def _name(parameters: dict[str, Any]) -> str:
    jobs: Sequence[Job] = parameters["jobs"]
    verb = "read" if all(job.is_reused for job in jobs) else "train"
    return f"{verb} {len(jobs)} trainings from {jobs[0].training.label}"


@step("train batch", _name)
def train_batch(
    jobs: Sequence[Job],
    dataset: Dataset,
    results: Results,
    lanes: Lanes,
    run_id: str,
    fresh: bool,
    is_wanted: Callable[[Job], bool],
    ended: Callable[[Job, TrainingRecord | Exception], None],
) -> None:
    """Train one after the other, each with the attempts and pauses of a task run of its own.

    The caller says before each whether it is still wanted, and hears of the outcome of each as soon as it
    ends.

    Raises:
        BatchFailed: some failed; the others were trained all the same.
        ResultsUnwritable: nothing more can be kept; the rest is not attempted.
        LanesLost: nothing more can be trained; the rest is not attempted.
        LanesClosed: no more may be trained; the rest is not attempted.
    """
    failed = []
    for job in jobs:
        if not is_wanted(job):
            continue
        result = attempt(job, dataset, results, lanes, run_id, fresh)
        ended(job, result)
        if isinstance(result, Exception):
            failed.append(f"{job.training.label}: {result}")
    if failed:
        raise BatchFailed(f"{len(failed)} of {len(jobs)} trainings failed: {'; '.join(failed)}")


def attempt(job: Job, *inputs: Any) -> TrainingRecord | Exception:
    """Return the record of a training, or why it failed for good; `inputs` are the further ones of `train`.

    Raises:
        ResultsUnwritable: nothing more can be kept.
        LanesLost: nothing more can be trained.
        LanesClosed: no more may be trained.
    """
    try:
        record: TrainingRecord = Retrying(
            stop=stop_after_attempt(1 + RETRIES),
            wait=_pause,
            retry=retry_if_exception(is_worth_retrying),
            before_sleep=lambda state: _tell_retry(job, state),
            reraise=True,
        )(train.fn, job, *inputs)
    except (ResultsUnwritable, LanesLost, LanesClosed):
        raise
    except Exception as error:
        # For the UI; the terminal prints it at the run's end, as for a task run of its own.
        logger.info("%s failed for good: %r", job.training.label, error, exc_info=True)
        return error
    return record


def _pause(state: RetryCallState) -> float:
    """Return the seconds before the next attempt, as in Prefect; also called after the last attempt."""
    return clamped_poisson_interval(RETRY_SECONDS[min(state.attempt_number, RETRIES) - 1], RETRY_JITTER)


def _tell_retry(job: Job, state: RetryCallState) -> None:
    error = state.outcome and state.outcome.exception()
    logger.info(
        "%s failed: %r - retry %d/%d will start in %.1f s",
        job.training.label, error, state.attempt_number, RETRIES, state.upcoming_sleep,
    )  # fmt: skip
