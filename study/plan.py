"""Compile a study to the trainings that answer it: nothing is trained twice, and no repeat is merged."""

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass

from study.cost import multiply_adds
from study.fact import Fact
from study.spec import Hyperparameters, Protocol, Setting, Study
from study.stopping import StopRule
from study.wording import plain


@dataclass(frozen=True)
class Trial:
    """A setting and a repeat: one row of the `trials` table.

    `value` is the parameter's value, or None for a candidate of the optimum exercise, which has a name.
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
        """How long the trial trains."""
        return StopRule(epochs=self.setting.epochs, patience=self.setting.patience)


class Source(Fact):
    """What, beside hyperparameters and seed, decides the weights: part of every key."""

    protocol: Protocol
    data: str
    """Fingerprint of the images and labels in use, hexadecimal."""
    held_out_images: int
    """Training images set aside for validation; 0 in the lab protocol."""
    model: str
    """Version of the model and training code."""
    tensorflow: str
    device: str
    """Kind of device, "CPU" or "GPU": the same seed gives other weights on another kind."""


class Training(Fact):
    """The unit of compute: one seed of some hyperparameters, trained as far as any trial needs."""

    hyperparameters: Hyperparameters
    seed: int
    source: Source
    rules: tuple[StopRule, ...]
    label: str

    @property
    def key(self) -> str:
        """The hash that names the training: everything that changes its weights, and nothing else."""
        return training_key(self.hyperparameters, self.seed, self.source)

    @property
    def most_epochs(self) -> int:
        """The longest epoch budget of its trials."""
        return max(rule.epochs for rule in self.rules)

    @property
    def work(self) -> int:
        """Multiply-adds of the whole training if nothing stops early, for one image."""
        return multiply_adds(self.hyperparameters) * self.most_epochs


@dataclass(frozen=True)
class Plan:
    """The trials of a study and the trainings that answer them, longest first."""

    trials: tuple[Trial, ...]
    trainings: tuple[Training, ...]
    source: Source

    @property
    def epochs_asked(self) -> int:
        """Epochs if every trial were trained on its own and none stopped early."""
        return sum(trial.setting.epochs for trial in self.trials)

    @property
    def most_epochs(self) -> int:
        """Epochs to train if nothing stops early."""
        return sum(training.most_epochs for training in self.trainings)


def training_key(hyperparameters: Hyperparameters, seed: int, source: Source) -> str:
    """Hash what decides a training's weights: 16 hexadecimal digits of a SHA-256 of canonical JSON."""
    content = {**hyperparameters.model_dump(), "seed": seed, **source.model_dump()}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def list_trials(study: Study) -> tuple[Trial, ...]:
    """Every trial the study asks for that is known before anything is trained."""
    swept = [
        Trial(
            each.number,
            each.parameter,
            value,
            f"{each.parameter}={plain(value)}",
            repeat,
            study.seed_of(repeat),
            setting,
        )
        for each in study.sweeps
        for value, setting in each.settings(study.baseline).items()
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
    """The trials of one candidate of the optimum exercise, one for each of its repeats."""
    if study.optimum is None:
        return ()
    return tuple(
        Trial(study.optimum.number, "candidate", None, name, repeat, study.seed_of(repeat), setting)
        for repeat in range(1, study.optimum.repeats + 1)
    )


def compile_plan(study: Study, trials: tuple[Trial, ...], source: Source) -> Plan:
    """Merge trials that can read one training: equal hyperparameters and seed, whatever their epochs.

    The learning rate is constant in time, so a shorter training is a prefix of a longer one.
    """
    readers: dict[tuple[Hyperparameters, int], set[StopRule]] = defaultdict(set)
    for trial in trials:
        readers[trial.setting.hyperparameters, trial.seed].add(trial.rule)
    trainings = [
        Training(
            hyperparameters=hyperparameters,
            seed=seed,
            source=source,
            rules=tuple(sorted(rules, key=lambda rule: (rule.epochs, rule.patience or 0))),
            label=f"{describe_changes(hyperparameters, study.baseline)} seed={seed}",
        )
        for (hyperparameters, seed), rules in readers.items()
    ]
    return Plan(trials, tuple(sorted(trainings, key=lambda each: -each.work)), source)


def describe_changes(hyperparameters: Hyperparameters, baseline: Setting) -> str:
    """Name hyperparameters by what differs from the baseline: "filters=64", or "baseline"."""
    values = hyperparameters.model_dump()
    changes = [f"{name}={plain(value)}" for name, value in values.items() if value != getattr(baseline, name)]
    return " ".join(changes) or "baseline"
