"""Train several in one task run, one after the other: where a plan has more trainings than a server bears."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.utilities.math import clamped_poisson_interval
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from storage.place import Results
from study.errors import LanesLost, ResultsUnwritable
from study.forecast import Job
from study.training_record import TrainingRecord
from tasks.dataset import Dataset
from tasks.lane_work import LanesClosed
from tasks.lanes import Lanes
from tasks.train import RETRIES, RETRY_JITTER, RETRY_SECONDS, is_worth_retrying, train

logger = logging.getLogger(__name__)


class BatchFailed(RuntimeError):
    """Some trainings of a batch failed; what became of each has been told."""


def _name(parameters: dict[str, Any]) -> str:
    jobs: Sequence[Job] = parameters["jobs"]
    return f"train {len(jobs)} trainings from {jobs[0].training.label}"


@task(
    name="train batch",
    task_run_name=_name,  # type: ignore[arg-type]  # its type asks for more than a function has
    cache_policy=NO_CACHE,
    persist_result=False,
)
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
    """Train one after the other, each with the attempts and pauses that it has in a task run of its own.

    Args:
        jobs: What to train.
        dataset: The images and labels in use.
        results: Where finished trainings are kept.
        lanes: Where to train.
        run_id: The run that asks.
        fresh: Train even what an earlier run has.
        is_wanted: Asked before each whether it is still to be trained.
        ended: Told of each how it ended, as soon as it has.

    Raises:
        BatchFailed: some failed; the others were trained all the same.
        ResultsUnwritable: nothing more can be kept; what was to come is not attempted.
        LanesLost: nothing more can be trained, likewise.
        LanesClosed: nothing more is to be trained, likewise.
    """
    failed = []
    for job in jobs:
        if not is_wanted(job):
            continue
        result = _attempt(job, dataset, results, lanes, run_id, fresh)
        ended(job, result)
        if isinstance(result, Exception):
            failed.append(f"{job.training.label}: {result}")
    if failed:
        raise BatchFailed(f"{len(failed)} of {len(jobs)} trainings failed: {'; '.join(failed)}")


def _attempt(job: Job, *inputs: Any) -> TrainingRecord | Exception:
    """The record of a training, or why it failed for good."""
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
        # For the UI; the terminal is told by the run's end, as where it has a task run of its own.
        logger.info("%s failed for good: %r", job.training.label, error, exc_info=True)
        return error
    return record


def _pause(state: RetryCallState) -> float:
    """Seconds before the next attempt, as Prefect makes them; asked after the last attempt, too."""
    return clamped_poisson_interval(RETRY_SECONDS[min(state.attempt_number, RETRIES) - 1], RETRY_JITTER)


def _tell_retry(job: Job, state: RetryCallState) -> None:
    error = state.outcome and state.outcome.exception()
    logger.info(
        "%s failed: %r - retry %d/%d will start in %.1f s",
        job.training.label, error, state.attempt_number, RETRIES, state.upcoming_sleep,
    )  # fmt: skip
