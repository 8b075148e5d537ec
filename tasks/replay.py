"""Train recipes again on lanes, without Prefect and without the cache of trainings, and judge each."""

import logging
from collections import defaultdict
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache

from study.errors import Conclusive, InputError
from study.plan import Training
from study.recipe import Inputs, Readings, Recipe
from study.replay import Replay, give_up, judge, refuse
from study.training_record import TrainingRecord
from study.wording import shortened
from tasks.dataset import Dataset
from tasks.devices import Device, choose_devices, list_gpus
from tasks.lane_work import LanesClosed
from tasks.lanes import Lanes
from tasks.local_lanes import InProcessLane, LocalLanes
from tasks.native_library import NativeUnavailable, prepare_native_library
from tasks.provenance import library_versions, processor_name, read_commit
from tasks.run_training import Trained, run_training
from tasks.train import MODEL_VERSION, RETRIES

logger = logging.getLogger(__name__)

RUN_ID = "replay"
"""Stands for the run in records, none of which is kept."""


@dataclass(frozen=True)
class Job:
    """Recipes that read one training, and that training, long enough for all of them."""

    training: Training
    recipes: tuple[Recipe, ...]
    today: Inputs

    @property
    def seconds(self) -> float:
        """What the longest of them took."""
        return max(recipe.seconds for recipe in self.recipes)


def devices_for(kind: str, lanes: int | None) -> list[Device]:
    """Lanes on the kind of device that was recorded; on what there is if this machine has none of it.

    Raises:
        InputError: the number of lanes is not allowed.
    """
    return choose_devices(lanes, find_gpus=list_gpus if kind == "GPU" else list)


def describe_today(recipe: Recipe, dataset: Dataset, kind: str) -> Inputs:
    """The inputs that training a recipe here would have, before its lane says on what it trained.

    Args:
        recipe: What to train.
        dataset: The whole dataset.
        kind: Kind of the lanes' devices.

    Raises:
        InputError: the recipe's numbers of images are none of this dataset.
    """
    commit, engine = read_commit(), recipe.training.source.engine
    reason = _why_not(engine)
    return Inputs(
        data=dataset.first(recipe.train_images, recipe.test_images).fingerprint,
        model=MODEL_VERSION,
        engine=engine if reason is None else f"{engine} cannot be used here: {reason}",
        kind=kind,
        versions=library_versions(engine) if reason is None else recipe.inputs.versions,
        device=recipe.inputs.device,
        processor=processor_name(),
        git_commit=commit.name,
        changes=commit.diff_sha256 or (None if commit.dirty is None else "yes" if commit.dirty else "no"),
    )


def sort_out(recipes: Sequence[Recipe], dataset: Dataset, kind: str) -> tuple[list[Replay], list[Job]]:
    """Verdicts on recipes that need no training, and the trainings of the others, longest first."""
    refused: list[Replay] = []
    waiting: defaultdict[str, list[Recipe]] = defaultdict(list)
    surroundings: dict[str, Inputs] = {}
    for recipe in recipes:
        today = describe_today(recipe, dataset, kind)
        verdict = refuse(recipe, today)
        if verdict is not None:
            refused.append(verdict)
        else:
            waiting[recipe.key].append(recipe)
            surroundings[recipe.key] = today
    jobs = [_merge(group, surroundings[key]) for key, group in waiting.items()]
    return refused, sorted(jobs, key=lambda job: -job.seconds)


def replay_jobs(
    jobs: Sequence[Job], dataset: Dataset, devices: Sequence[Device], in_process: bool = False
) -> Generator[tuple[Job, list[Replay], float], None, None]:
    """Train the jobs on lanes, or in this process; give each with its verdicts and seconds as it ends.

    Close it, and nothing is left running.
    """
    # The lanes are closed before the threads are waited for, which then have nothing more to wait for.
    with (
        ThreadPoolExecutor(len(devices)) as pool,
        InProcessLane() if in_process else LocalLanes(devices) as lanes,
    ):
        pending: dict[Future[Trained], Job] = {pool.submit(_train, job, dataset, lanes): job for job in jobs}
        for done in as_completed(pending):
            yield pending[done], *_conclude(pending[done], done)


def _train(job: Job, dataset: Dataset, lanes: Lanes) -> Trained:
    images = dataset.first(job.recipes[0].train_images, job.recipes[0].test_images)
    for attempt in range(RETRIES):
        try:
            return lanes.run(job.training.label, run_training, job.training, images, RUN_ID)
        except (Conclusive, InputError, LanesClosed):
            raise
        except Exception as error:
            logger.warning("%s: attempt %d failed: %s", job.training.label, attempt + 1, error)
    return lanes.run(job.training.label, run_training, job.training, images, RUN_ID)


def _conclude(job: Job, done: "Future[Trained]") -> tuple[list[Replay], float]:
    error = done.exception()
    if isinstance(error, LanesClosed):
        raise error
    if error is not None:
        reason = shortened(f"{type(error).__name__}: {error}", 200)
        return [give_up(recipe, job.today, reason) for recipe in job.recipes], 0.0
    record = done.result().record
    segment = record.segments[-1]
    seen = {"device": segment.device, "processor": segment.processor, "versions": segment.versions}
    today = job.today.model_copy(update=seen)
    return [_judge(recipe, record, today) for recipe in job.recipes], segment.lane_seconds


def _judge(recipe: Recipe, record: TrainingRecord, today: Inputs) -> Replay:
    reading = record.read(recipe.training.rules[0])
    if reading is None:
        return give_up(recipe, today, record.diverged or "it ended early")
    last = reading.last
    readings = {name: getattr(last, name) for name in Readings.model_fields if name != "epochs_run"}
    return judge(recipe, Readings(epochs_run=last.epoch, **readings), today)


def _merge(recipes: Sequence[Recipe], today: Inputs) -> Job:
    rules = tuple(dict.fromkeys(rule for recipe in recipes for rule in recipe.training.rules))
    return Job(recipes[0].training.model_copy(update={"rules": rules}), tuple(recipes), today)


@cache
def _why_not(engine: str) -> str | None:
    """Why an engine cannot be used here; None if it can."""
    if engine != "native":
        return None
    try:
        prepare_native_library()
    except NativeUnavailable as error:
        return str(error)
    return None
