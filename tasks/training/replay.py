"""Turn published rows into recipes, with all columns that decide weights, and train them again."""

import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from pydantic import ValidationError

from storage.results import Results, open_results
from storage.tables import EpochRow, Row, RunRow, RunTables, TrainingRow, TrialRow
from study.conclusions import (
    NOT_RECORDED,
    Provenance,
    Readings,
    Recipe,
    Replay,
    judge,
    list_facts,
    why_not_trained,
)
from study.errors import InputError
from study.plan import Job, Training
from study.records import Segment, Source, StopRule, TrainingRecord, name_keras
from study.spec import Hyperparameters, NetworkFile, Setting
from study.status import Status
from study.wording import count, name_setting, plain, shortened, shown
from tasks.data import Dataset
from tasks.engines import choose_engine, hash_lock, processor_name, read_commit
from tasks.lanes import Lanes
from tasks.tables import read_setting
from tasks.training.train_on_lanes import MODEL_VERSION, Diverged, attempt

RUN_ID = "replay"
"""Name of the run in records, which are not kept."""


@dataclass(frozen=True)
class Retraining:
    """Recipes that read one training, and that training, long enough for all of them."""

    training: Training
    recipes: tuple[Recipe, ...]
    images: Dataset

    @property
    def seconds(self) -> float:
        """Return the time of the longest of them."""
        return max(recipe.seconds for recipe in self.recipes)


def sort_out(
    recipes: Sequence[Recipe], dataset: Dataset, kind: str, network: NetworkFile | None = None
) -> tuple[list[Replay], list[Retraining]]:
    """Return verdicts on recipes that need no training, and the trainings of the others, longest first.

    Rows of a network of one's own are trained with the given one, if it is the same.

    Raises:
        InputError: this dataset cannot have a recipe's numbers of images.
    """
    refused: list[Replay] = []
    by_key: defaultdict[str, list[Recipe]] = defaultdict(list)
    for recipe in recipes:
        today = list_inputs(recipe, _images_of(recipe, dataset), kind)
        if reason := why_not_trained(recipe, today) or _unlike_network(recipe, network):
            refused.append(judge(recipe, today, None, reason))
        else:
            by_key[recipe.key].append(recipe)
    retrainings = [_merge(group, _images_of(group[0], dataset), network) for group in by_key.values()]
    return refused, sorted(retrainings, key=lambda each: -each.seconds)


def _unlike_network(recipe: Recipe, network: NetworkFile | None) -> str:
    """Say why the network of a recipe is not at hand; empty if it is, or if it is the lab's."""
    recorded = recipe.training.source.network
    if recorded is None or recorded == network:
        return ""
    if network is None:
        return (
            f"not trained: {recorded.name} is code, which results do not hold; give its study, --study FILE"
        )
    return (
        f"not trained: {network.name} of the study has the SHA-256 {network.sha256[:12]}, recorded is "
        f"{recorded.name} with {recorded.sha256[:12]}"
    )


def list_inputs(recipe: Recipe, images: Dataset, kind: str, trained: Segment | None = None) -> dict[str, str]:
    """Return a recipe's inputs as of today; facts of its lane stay as recorded until it is trained.

    If the native engine cannot be used, a row of it gets another one, TensorFlow.
    """
    commit, engine = read_commit(), recipe.training.source.engine
    here = Provenance(
        git_commit=commit.name,
        git_dirty=commit.dirty,
        git_diff_sha256=commit.diff_sha256,
        versions=trained.versions if trained else {},
        data_fingerprint=images.fingerprint,
        device=kind,
        engine=choose_engine("auto", kind) if engine == "native" else engine,
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

    Closing the generator ends all that runs.
    """
    # Close the lanes before joining the threads: the threads wait for the lanes.
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(lanes.most) as pool, lanes:
        results = open_results(scratch)
        pending = {pool.submit(_train, each, results, lanes): each for each in retrainings}
        for done in as_completed(pending):
            yield pending[done], *_conclude(pending[done], done, lanes.kind)


def _train(each: Retraining, results: Results, lanes: Lanes) -> TrainingRecord | Exception:
    job = Job(each.training, None, each.training.most_epochs, each.seconds, spread=0.0)
    result = attempt(job, each.images, results, lanes, RUN_ID)
    return result.record if isinstance(result, Diverged) else result


def _conclude(
    each: Retraining, done: "Future[TrainingRecord | Exception]", kind: str
) -> tuple[list[Replay], float]:
    result = done.exception() or done.result()
    record = result if isinstance(result, TrainingRecord) else None
    trained = record.segments[-1] if record else None
    failure = f"not trained: {shortened(f'{type(result).__name__}: {result}', 200)}"
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
    """Return what a recipe reads of the training, or why there is nothing to read."""
    reading = record.read(recipe.training.rules[0])
    if reading is None:
        return None, f"not trained: {record.diverged}"
    last = reading.last
    readings = {name: getattr(last, name) for name in Readings.model_fields if name != "epochs_run"}
    return Readings(epochs_run=last.epoch, **readings), ""


def _merge(recipes: Sequence[Recipe], images: Dataset, network: NetworkFile | None = None) -> Retraining:
    rules = tuple(dict.fromkeys(rule for recipe in recipes for rule in recipe.training.rules))
    training = recipes[0].training
    if training.source.network is not None:
        source = training.source.model_copy(update={"network": network})
        training = training.model_copy(update={"source": source})
    return Retraining(training.model_copy(update={"rules": rules}), tuple(recipes), images)


def _images_of(recipe: Recipe, dataset: Dataset) -> Dataset:
    return dataset.first(recipe.train_images, recipe.test_images)


_LISTED = 6
"""Most rows that a message lists; a study may have hundreds."""


def name_trial(trial: TrialRow) -> str:
    """Name a row of `trials` as on the command line: exercise, setting and repeat."""
    return f"{trial.exercise}/{trial.setting}/{trial.repeat}"


def choose_rows(
    trials: Sequence[TrialRow], keys: Sequence[str], names: Sequence[str], number: int | None, seed: int
) -> list[TrialRow]:
    """Return the requested completed rows, each once, in the order of the table.

    A key chooses all of its rows; keys and names may be swapped. `number` further rows are drawn: the same
    seed draws the same ones.

    Raises:
        InputError: the request is empty, or names a row that is missing or was not completed.
    """
    done = {
        name_trial(each): each for each in trials if each.status == Status.COMPLETED and each.weights_sha256
    }
    if not (keys or names or number is not None):
        raise InputError(f"nothing to replay: give keys, --trial or --random N; {_list_some(done)}")
    known = {*done, *(each.key for each in done.values())}
    for asked in (*keys, *names):
        if asked not in known:
            raise InputError(f"{shown(asked)}: no completed trial of this run; {_list_some(done)}")
    chosen = {*keys, *names, *_draw(list(done), number, seed)}
    return [each for name, each in done.items() if name in chosen or each.key in chosen]


def read_recipes(trials: Sequence[TrialRow], tables: RunTables, runs: Sequence[RunRow]) -> list[Recipe]:
    """Return recipes of completed trials, and where the run's other tables contradict them.

    Other runs may have trained what this one read.

    Raises:
        InputError: a column holds a value that no training can have.
    """
    by_id = {run.run_id: run for run in runs}
    trainings = {each.key: each for each in tables.trainings}
    epochs: defaultdict[str, list[EpochRow]] = defaultdict(list)
    for epoch in sorted(tables.epochs, key=lambda each: each.epoch):
        epochs[epoch.key].append(epoch)
    return [
        _read_recipe(
            trial,
            tables.run,
            by_id.get(trial.trained_by) if trial.trained_by else tables.run,
            trainings.get(trial.key),
            epochs[trial.key],
        )
        for trial in trials
    ]


def _list_some(done: Mapping[str, TrialRow]) -> str:
    """List some of the rows to choose from, with the key of each."""
    listed = [f"{name} ({each.key})" for name, each in done.items()]
    more = f" and {len(listed) - _LISTED:,} more" if len(listed) > _LISTED else ""
    return f"there are {', '.join(listed[:_LISTED])}{more}" if listed else "none was completed"


def _draw(names: Sequence[str], number: int | None, seed: int) -> list[str]:
    if number is None:
        return []
    if not 1 <= number <= len(names):
        raise InputError(
            f"--random: {number:,} is not allowed; the run has {count(len(names), 'completed trial')}"
        )
    return random.Random(seed).sample(names, number)


def _read_recipe(
    trial: TrialRow,
    run: RunRow,
    trainer: RunRow | None,
    training: TrainingRow | None,
    epochs: Sequence[EpochRow],
) -> Recipe:
    try:
        setting, provenance = read_setting(trial), _read_provenance(trial, run, trainer, training)
        source = _read_source(trial, provenance)
        recipe = Recipe(
            trial=name_trial(trial),
            key=trial.key,
            training=Training(
                hyperparameters=setting.hyperparameters,
                seed=trial.seed,
                source=source,
                schedule_epochs=setting.schedule_epochs,
                rules=(StopRule(epochs=setting.epochs, patience=setting.patience),),
                label=f"{name_trial(trial)} seed={trial.seed}",
            ),
            recorded=Readings.model_validate(trial, from_attributes=True),
            inputs={
                **list_facts(provenance),
                "model version": source.model,
                "device": trial.device or NOT_RECORDED,
            },
            train_images=run.train_images,
            test_images=run.test_images,
            seconds=max(trial.training_seconds or 0.0, training.lane_seconds if training else 0.0),
        )
    except ValueError as error:
        raise InputError(
            f"trial {name_trial(trial)} of run {trial.run_id}: {_explain(error)}; no run publishes this; "
            "restore its file"
        ) from error
    # The general engine trains what the run's engine cannot.
    of_run = ("protocol", "data_fingerprint", *(["engine"] if trial.engine != "keras" else []))
    faults = [
        *_name_unlike(trial, training, "trainings", ("seed", *Hyperparameters.model_fields)),
        *_name_unlike(trial, run, "runs", of_run),
        *_unlike_value(trial, setting),
        *_unlike_epochs(trial, epochs, recipe.training.rules[0]),
    ]
    if recipe.training.key != recipe.key:
        faults.append(f"its columns make the key {recipe.training.key}, recorded is {recipe.key}")
    return recipe.model_copy(update={"faults": tuple(faults)})


def _explain(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return shortened(str(error), 200)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))} is {shown(first['input'])}: {first['msg']}"


def _read_provenance(
    trial: TrialRow, run: RunRow, trainer: RunRow | None, training: TrainingRow | None
) -> Provenance:
    """Return the training's record; if another run trained it, from that run's row."""
    of_trainer = ("git_commit", "git_dirty", "git_diff_sha256", "lock_sha256")
    return Provenance(
        **{name: getattr(trainer, name, None) for name in of_trainer},
        versions=json.loads(trial.versions or "null"),
        data_fingerprint=trial.data_fingerprint,
        device=run.device,
        engine=trial.engine,
        processor=(training and training.processor) or (trainer and trainer.processor),
        study_definition="{}",
    )


def _read_source(trial: TrialRow, provenance: Provenance) -> Source:
    is_tensorflow, versions = provenance.engine == "tensorflow", provenance.versions
    is_keras = provenance.engine == "keras"
    return Source(
        protocol=trial.protocol,
        data=provenance.data_fingerprint,
        held_out_images=trial.held_out_images,
        model=trial.model_version,
        tensorflow=versions.get("tensorflow", "") if is_tensorflow else "",
        keras=name_keras(versions.get("keras", ""), versions.get("tensorflow", "")) if is_keras else "",
        device=provenance.device,
        engine=provenance.engine,
        network=_read_network(trial),
    )


def _read_network(trial: TrialRow) -> NetworkFile | None:
    """Return a row's network of one's own, which no result may say where to find."""
    if trial.network is None:
        return None
    file, _, function = trial.network.rpartition(":")
    return NetworkFile(file=file, function=function, sha256=trial.network_sha256 or "")


def _unlike_value(trial: TrialRow, setting: Setting) -> list[str]:
    names = trial.parameter.split(", ")
    if trial.value is None or not setting.values.keys() >= set(names):
        return []
    used = {name: setting.values[name] for name in names}
    if len(names) > 1 or isinstance(used[trial.parameter], str | bool):
        # The value is a place in the study; the setting's name says what stands there.
        name = name_setting(used)
        return [] if trial.setting == name else [f"its values are {name}, and its setting {trial.setting}"]
    if trial.value == used[trial.parameter]:
        return []
    return [
        f"{trial.parameter} is {_brief(used[trial.parameter])}, "
        f"and the exercise's value {_brief(trial.value)}"
    ]


def _unlike_epochs(trial: TrialRow, epochs: Sequence[EpochRow], rule: StopRule) -> list[str]:
    """List the faults: the rule stops at another epoch, or other values stand there."""
    if not epochs:
        return []
    stop, said = rule.epochs_read([each.validation_loss for each in epochs]), trial.epochs_run
    if stop is not None and stop == said:
        return _name_unlike(trial, epochs[stop - 1], "epochs", Readings.model_fields)
    patience = "" if rule.patience is None else f" and patience {rule.patience}"
    found = "are too few" if stop is None else f"make it {stop}"
    return [f"epochs_run is {said}; with epochs {rule.epochs}{patience} the losses in `epochs` {found}"]


def _name_unlike(trial: TrialRow, other: Row | None, table: str, names: Iterable[str]) -> list[str]:
    return [
        f"{name} is {_brief(mine)} in `trials` and {_brief(theirs)} in `{table}`"
        for name in names
        if hasattr(other, name) and (mine := getattr(trial, name)) != (theirs := getattr(other, name))
    ]


def _brief(value: object) -> str:
    if isinstance(value, int | float):
        return plain(value)
    return f"{value[:10]}…" if isinstance(value, str) and len(value) > 20 else str(value)
