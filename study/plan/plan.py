"""Compile a study to the trainings that answer it: nothing is trained twice, and no repeat is merged."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from study.fact import Fact
from study.records import Source, StopRule
from study.spec import Hyperparameters, Setting, Study
from study.wording import plain


@dataclass(frozen=True)
class Trial:
    """A setting and a repeat: one row of the `trials` table.

    `value` is the setting's level in its sweep, or None for a candidate of the optimum exercise.
    """

    exercise: int
    parameter: str
    value: float | None
    name: str
    repeat: int
    seed: int
    setting: Setting

    @property
    def rule(self) -> StopRule:
        """Return how long the trial trains."""
        return StopRule(epochs=self.setting.epochs, patience=self.setting.patience)


class Training(Fact):
    """The unit of compute: one seed of some hyperparameters, trained as long as any trial needs."""

    hyperparameters: Hyperparameters
    seed: int
    source: Source
    schedule_epochs: int | None = None
    """The epoch budget its schedule is stretched over; None if every shorter training is a prefix."""
    rules: tuple[StopRule, ...]
    label: str

    @cached_property
    def key(self) -> str:
        """Return the hash that names the training: everything that changes its weights, nothing else."""
        return training_key(self.hyperparameters, self.seed, self.source, self.schedule_epochs)

    @property
    def most_epochs(self) -> int:
        """Return the longest epoch budget of its trials."""
        return max(rule.epochs for rule in self.rules)


@dataclass(frozen=True)
class Plan:
    """The trials of a study and the trainings that answer them, in the order of the study."""

    trials: tuple[Trial, ...]
    trainings: tuple[Training, ...]
    source: Source

    @cached_property
    def exercises(self) -> dict[str, tuple[int, ...]]:
        """Return the exercises that read each training, by key."""
        found: defaultdict[str, set[int]] = defaultdict(set)
        for trial in self.trials:
            found[key_of(trial, self.source)].add(trial.exercise)
        return {key: tuple(sorted(numbers)) for key, numbers in found.items()}

    @property
    def epochs_asked(self) -> int:
        """Count the epochs if every trial were trained on its own and none stopped early."""
        return sum(trial.setting.epochs for trial in self.trials)


def training_key(
    hyperparameters: Hyperparameters, seed: int, source: Source, schedule_epochs: int | None = None
) -> str:
    """Hash the inputs that decide a training's weights: 16 hexadecimal digits of a SHA-256 of canonical JSON.

    Later additions do not enter the hash at their original values: the engine TensorFlow, a schedule that is
    constant in time (with the epoch budget that only others use), no augmentation, no averaging, SGD without
    weight decay, and no version of Keras where it does not train.
    """
    source = source.of(hyperparameters)
    described = source.model_dump(exclude={"images", "engine", "keras", "network"})
    earlier = hyperparameters.model_dump(
        exclude={"schedule", "augmentation", "averaging", "optimizer", "weight_decay", "network_parameters"}
    )
    content = {**earlier, "seed": seed, **described}
    if source.engine != "tensorflow":
        content["engine"] = source.engine
    if source.keras:
        content["keras"] = source.keras
    if source.network is not None:
        own = dict(hyperparameters.network_parameters)
        named = {"function": source.network.function, "sha256": source.network.sha256}
        content |= {"network": named, "network_parameters": own}
    if schedule_epochs is not None:
        content |= {"schedule": hyperparameters.schedule, "schedule_epochs": schedule_epochs}
    if hyperparameters.augmentation != "none":
        content["augmentation"] = hyperparameters.augmentation
    if hyperparameters.averaging:
        content["averaging"] = hyperparameters.averaging
    if not hyperparameters.is_accelerated:
        content |= {"optimizer": hyperparameters.optimizer, "weight_decay": hyperparameters.weight_decay}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def key_of(trial: Trial, source: Source) -> str:
    """Return the key of the training that a trial reads."""
    setting = trial.setting
    return training_key(setting.hyperparameters, trial.seed, source, setting.schedule_epochs)


def list_trials(study: Study) -> tuple[Trial, ...]:
    """List every trial of the study that is known before anything is trained."""
    swept = [
        Trial(
            each.number,
            each.varies,
            level,
            each.setting_name(level),
            repeat,
            study.seed_of(repeat),
            setting,
        )
        for each in study.sweeps
        for level, setting in each.settings(study.baseline).items()
        for repeat in range(1, each.repeats + 1)
    ]
    candidates = study.optimum.candidates if study.optimum else {}
    named = [
        trial
        for name, changes in candidates.items()
        for trial in candidate_trials(study, name, study.baseline.with_changes(changes))
    ]
    return tuple(swept + named)


def candidate_trials(study: Study, name: str, setting: Setting) -> tuple[Trial, ...]:
    """List the trials of one candidate of the optimum exercise, one for each of its repeats.

    If the study searches, their seeds are fresh: none of them has taken part in a choice before.
    """
    if study.optimum is None:
        return ()
    seed_of = study.seed_of if study.optimum.search is None else study.fresh_seed_of
    return tuple(
        Trial(study.optimum.number, "candidate", None, name, repeat, seed_of(repeat), setting)
        for repeat in range(1, study.optimum.repeats + 1)
    )


def combination_trials(study: Study, combination: Setting) -> tuple[Trial, ...]:
    """List the trials of the combination of each sweep's best value, and of its variants."""
    named = study.optimum.combinations if study.optimum is not None else {}
    return tuple(
        trial
        for name, changes in named.items()
        for trial in candidate_trials(study, name, combination.with_changes(changes))
    )


def compile_plan(study: Study, trials: tuple[Trial, ...], source: Source, sharing: bool = True) -> Plan:
    """Merge trials that can read one training: equal hyperparameters and seed, whatever their epochs.

    With a learning rate that is constant in time, a shorter training is a prefix of a longer one. With any
    other schedule the epoch budget decides the weights, and only trials of one budget share. Without sharing,
    every trial has its own training: to compare costs, not to be trained.
    """
    readers: dict[tuple[Hyperparameters, int, int | None, int], list[StopRule]] = defaultdict(list)
    for number, trial in enumerate(trials):
        setting = trial.setting
        alone = 0 if sharing else number
        readers[setting.hyperparameters, trial.seed, setting.schedule_epochs, alone].append(trial.rule)
    trainings = [
        Training(
            hyperparameters=hyperparameters,
            seed=seed,
            source=source.of(hyperparameters),
            schedule_epochs=schedule_epochs,
            rules=tuple(sorted(set(rules), key=lambda rule: (rule.epochs, rule.patience or 0))),
            label=training_label(hyperparameters, study.baseline, schedule_epochs, seed),
        )
        for (hyperparameters, seed, schedule_epochs, _), rules in readers.items()
    ]
    return Plan(trials, tuple(trainings), source)


def training_label(
    hyperparameters: Hyperparameters, baseline: Setting, schedule_epochs: int | None, seed: int
) -> str:
    """Name a training by its differences from the baseline and its seed: "filters=64 seed=3"."""
    values, before = hyperparameters.values, baseline.values
    changes = [f"{name}={plain(each)}" for name, each in values.items() if each != before[name]]
    budget = "" if schedule_epochs is None else f" epochs={schedule_epochs}"
    return f"{' '.join(changes) or 'baseline'}{budget} seed={seed}"


MAX_TASK_RUNS = 2000
"""The most task runs for the trainings of one phase: 2,000 mapped tasks strain a Prefect server."""

LEAST_SECONDS = 0.02
"""The least seconds that a training counts for in a batch: reading a kept one took 16 ms
(`benchmarks/orchestration.py`, its task run included)."""


def pack(seconds: Sequence[float], most: int = MAX_TASK_RUNS) -> list[range]:
    """Pack trainings into batches of about equal length; if there are few, of one training each.

    A batch ends where the sum of all up to it passes a multiple of an even share. So it is longer than that
    share by less than its last training; with the longest first, a training longer than a share is alone.

    Returns:
        The places of each batch's trainings, in order.
    """
    if len(seconds) <= most:
        return [range(place, place + 1) for place in range(len(seconds))]
    counted = [max(each, LEAST_SECONDS) for each in seconds]
    share, before, starts, last = sum(counted) / most, 0.0, list[int](), -1
    for place, each in enumerate(counted):
        # The sum may be rounded to just beyond the last share.
        number = min(int(before / share), most - 1)
        if number != last:
            starts.append(place)
        last, before = number, before + each
    return [range(start, end) for start, end in zip(starts, [*starts[1:], len(seconds)], strict=True)]
