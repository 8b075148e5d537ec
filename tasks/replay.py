"""Train recipes again as a run does, but for Prefect and for what earlier runs have kept; judge each."""

import tempfile
from collections import defaultdict
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from tenacity import Retrying, retry_if_exception, stop_after_attempt

from storage.place import Results, open_results
from study.changes import Provenance, list_facts
from study.forecast import Job
from study.plan import Training
from study.replay import Readings, Recipe, Replay, judge, why_not_trained
from study.training_record import Segment, TrainingRecord
from study.wording import shortened
from tasks.choose_engine import choose_engine
from tasks.dataset import Dataset
from tasks.lanes import Lanes
from tasks.provenance import hash_lock, processor_name, read_commit
from tasks.train import MODEL_VERSION, RETRIES, Diverged, is_worth_retrying, train

RUN_ID = "replay"
"""Stands for the run in records, none of which is kept."""


@dataclass(frozen=True)
class Retraining:
    """Recipes that read one training, and that training, long enough for all of them."""

    training: Training
    recipes: tuple[Recipe, ...]
    images: Dataset

    @property
    def seconds(self) -> float:
        """What the longest of them took."""
        return max(recipe.seconds for recipe in self.recipes)


def sort_out(recipes: Sequence[Recipe], dataset: Dataset, kind: str) -> tuple[list[Replay], list[Retraining]]:
    """Verdicts on recipes that need no training, and the trainings of the others, longest first.

    Args:
        recipes: The rows.
        dataset: The whole dataset.
        kind: Kind of the lanes' devices.

    Raises:
        InputError: a recipe's numbers of images are none of this dataset.
    """
    refused: list[Replay] = []
    by_key: defaultdict[str, list[Recipe]] = defaultdict(list)
    for recipe in recipes:
        today = list_inputs(recipe, _images_of(recipe, dataset), kind)
        if reason := why_not_trained(recipe, today):
            refused.append(judge(recipe, today, None, reason))
        else:
            by_key[recipe.key].append(recipe)
    retrainings = [_merge(group, _images_of(group[0], dataset)) for group in by_key.values()]
    return refused, sorted(retrainings, key=lambda each: -each.seconds)


def list_inputs(recipe: Recipe, images: Dataset, kind: str, trained: Segment | None = None) -> dict[str, str]:
    """Today's inputs of a recipe; until it is trained, what its lane will say is as it was recorded.

    A row of the native engine is of another one, TensorFlow, where the native one cannot be used.
    """
    commit, engine = read_commit(), recipe.training.source.engine
    here = Provenance(
        git_commit=commit.name,
        git_dirty=commit.dirty,
        git_diff_sha256=commit.diff_sha256,
        versions=trained.versions if trained else {},
        data_fingerprint=images.fingerprint,
        device=kind,
        engine=engine if engine == "tensorflow" else choose_engine("auto", kind),
        processor=trained.processor if trained else processor_name(),
        lock_sha256=hash_lock(),
        study_definition="{}",
    )
    known = {**list_facts(here), "model version": MODEL_VERSION}
    return {**known, "device": trained.device} if trained else {**recipe.inputs, **known}


def retrain(
    retrainings: Sequence[Retraining], lanes: Lanes
) -> Generator[tuple[Retraining, list[Replay], float], None, None]:
    """Train on lanes; give each training with its verdicts and seconds (0 if it failed) as it ends.

    Close it, and nothing is left running.
    """
    # The lanes are closed before the threads are waited for, which then have nothing more to wait for.
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(lanes.most) as pool, lanes:
        results = open_results(scratch)
        pending = {pool.submit(_train, each, results, lanes): each for each in retrainings}
        for done in as_completed(pending):
            yield pending[done], *_conclude(pending[done], done, lanes.kind)


def _train(each: Retraining, results: Results, lanes: Lanes) -> TrainingRecord:
    job = Job(each.training, None, each.training.most_epochs, each.seconds, spread=0.0)
    attempt = Retrying(
        stop=stop_after_attempt(1 + RETRIES), retry=retry_if_exception(is_worth_retrying), reraise=True
    )
    try:
        record: TrainingRecord = attempt(train.fn, job, each.images, results, lanes, RUN_ID)
    except Diverged as error:
        return error.record
    return record


def _conclude(each: Retraining, done: "Future[TrainingRecord]", kind: str) -> tuple[list[Replay], float]:
    error = done.exception()
    record = None if error else done.result()
    trained = record.segments[-1] if record else None
    failure = f"not trained: {shortened(f'{type(error).__name__}: {error}', 200)}"
    replays = [
        judge(
            recipe,
            list_inputs(recipe, each.images, kind, trained),
            *(_read(recipe, record) if record else (None, failure)),
        )
        for recipe in each.recipes
    ]
    return replays, trained.lane_seconds if trained else 0.0


def _read(recipe: Recipe, record: TrainingRecord) -> tuple[Readings | None, str]:
    """What a recipe reads of the training; or why there is nothing to read."""
    reading = record.read(recipe.training.rules[0])
    if reading is None:
        return None, f"not trained: {record.diverged}"
    last = reading.last
    readings = {name: getattr(last, name) for name in Readings.model_fields if name != "epochs_run"}
    return Readings(epochs_run=last.epoch, **readings), ""


def _merge(recipes: Sequence[Recipe], images: Dataset) -> Retraining:
    rules = tuple(dict.fromkeys(rule for recipe in recipes for rule in recipe.training.rules))
    return Retraining(recipes[0].training.model_copy(update={"rules": rules}), tuple(recipes), images)


def _images_of(recipe: Recipe, dataset: Dataset) -> Dataset:
    return dataset.first(recipe.train_images, recipe.test_images)
