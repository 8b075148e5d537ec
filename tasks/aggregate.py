"""Turn training records into the rows of the tables: trials, epochs and summary."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean, median
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from study.plan import Source, Training, Trial, training_key
from study.published import Cell, PublishedAverage
from study.spec import Setting, Study
from study.statistics import summarise
from study.training_record import Reading, TrainingRecord

Row = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How one training of a run ended: its record, or the reason why there is none."""

    training: Training
    record: TrainingRecord | None
    reason: str | None
    attempts: int


@dataclass(frozen=True)
class Context:
    """What the rows of one run have in common."""

    run_id: str
    study: Study
    source: Source
    git_commit: str | None


@task(name="aggregate", task_run_name="aggregate {stage}", cache_policy=NO_CACHE, persist_result=False)
def aggregate_trials(
    context: Context, trials: Sequence[Trial], outcomes: Mapping[str, Outcome], stage: str = "trials"
) -> list[Row]:
    """One row for each trial, in the order of the study; a failed trial is a row with its reason.

    Args:
        context: The run.
        trials: The trials to answer.
        outcomes: How their trainings ended, by key.
        stage: What is aggregated, for people.
    """
    return [_trial_row(context, trial, outcomes[_key(context, trial)]) for trial in trials]


@task(name="list epochs", task_run_name="list epochs", cache_policy=NO_CACHE, persist_result=False)
def list_epochs(context: Context, outcomes: Mapping[str, Outcome]) -> list[Row]:
    """One row for each epoch of each training, by label and epoch."""
    trained = [(each.training, each.record) for each in outcomes.values() if each.record is not None]
    return [
        {
            "run_id": context.run_id,
            "key": record.key,
            "training": training.label,
            "seed": record.seed,
            **epoch.model_dump(),
        }
        for training, record in sorted(trained, key=lambda pair: (pair[0].label, pair[1].key))
        for epoch in record.epochs
    ]


@task(name="summarise", task_run_name="summarise", cache_policy=NO_CACHE, persist_result=False)
def summarise_trials(trials: Sequence[Row], averages: Mapping[Cell, PublishedAverage]) -> list[Row]:
    """One row for each setting: mean test accuracy with its interval, and the published average beside it."""
    settings = groupby(trials, key=lambda row: (row["exercise"], row["setting"]))
    return [_summary_row(list(rows), averages) for _, rows in settings]


def _key(context: Context, trial: Trial) -> str:
    return training_key(trial.setting.hyperparameters, trial.seed, context.source)


def _trial_row(context: Context, trial: Trial, outcome: Outcome) -> Row:
    record = outcome.record
    reading = None if record is None else record.read(trial.rule)
    return {
        "run_id": context.run_id,
        "study": context.study.name,
        "exercise": trial.exercise,
        "parameter": trial.parameter,
        "value": trial.value,
        "setting": trial.name,
        "repeat": trial.repeat,
        "seed": trial.seed,
        "protocol": context.source.protocol,
        **{name: getattr(trial.setting, name) for name in Setting.model_fields},
        "key": _key(context, trial),
        "status": "failed" if reading is None else "completed",
        "reason": outcome.reason,
        "attempts": outcome.attempts,
        "reused": record is not None and record.run_id != context.run_id,
        "data_fingerprint": context.source.data,
        "held_out_images": context.source.held_out_images,
        "model_version": context.source.model,
        "git_commit": context.git_commit,
        **_reading_columns(record, reading),
    }


def _reading_columns(record: TrainingRecord | None, reading: Reading | None) -> Row:
    if record is None or reading is None:
        return {}
    last = reading.last.model_dump(exclude={"epoch", "seconds"})
    return {
        **last,
        "epochs_run": reading.last.epoch,
        "training_seconds": reading.training_seconds,
        "converged": reading.converged_epoch is not None,
        "convergence_epoch": reading.converged_epoch,
        "convergence_seconds": reading.convergence_seconds,
        "device": record.device,
        "trained_by": record.run_id,
        "versions": json.dumps(record.versions, sort_keys=True),
    }


def _summary_row(rows: Sequence[Row], averages: Mapping[Cell, PublishedAverage]) -> Row:
    first = rows[0]
    done = [row for row in rows if row["status"] == "completed"]
    published = averages.get((first["exercise"], first["value"]))
    return {
        **{name: first[name] for name in ("run_id", "study", "exercise", "parameter", "value", "setting")},
        "trials": len(done),
        "failed_trials": len(rows) - len(done),
        "converged_trials": sum(row["converged"] for row in done),
        "published_accuracy": None if published is None else published.accuracy_pct / 100,
        **(_mean_columns(done, published) if done else {}),
    }


def _mean_columns(done: Sequence[Row], published: PublishedAverage | None) -> Row:
    spread = summarise([row["test_accuracy"] for row in done])
    times = [row["convergence_seconds"] for row in done if row["converged"]]
    several = spread.count > 1
    return {
        "mean_accuracy": spread.mean,
        "sd_accuracy": spread.standard_deviation if several else None,
        "low_accuracy": spread.low if several else None,
        "high_accuracy": spread.high if several else None,
        "minimum_accuracy": spread.minimum,
        "maximum_accuracy": spread.maximum,
        "mean_validation_accuracy": fmean(row["validation_accuracy"] for row in done),
        "mean_epochs_run": fmean(row["epochs_run"] for row in done),
        "mean_training_seconds": fmean(row["training_seconds"] for row in done),
        "median_convergence_seconds": median(times) if times else None,
        "difference": None if published is None else spread.mean - published.accuracy_pct / 100,
    }
