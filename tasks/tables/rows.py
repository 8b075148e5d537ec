"""Turn training records into the rows of the tables: trials, trainings and epochs."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from storage.tables import EpochRow, TrainingRow, TrialRow
from study.plan import Training, Trial, key_of
from study.records import Epoch, Source, TrainingRecord
from study.spec import Study
from study.status import Status
from tasks.step import step
from tasks.tables.columns import columns_of, hyperparameter_columns


@dataclass(frozen=True)
class Outcome:
    """The outcome of one training of a run: its record, or the reason why there is none."""

    training: Training
    record: TrainingRecord | None
    reason: str | None
    attempts: int
    predicted_seconds: float | None = None
    """Predicted seconds of a lane; None if it was not known beforehand."""
    failed_attempts: tuple[str, ...] = ()
    """Why attempts failed, in order."""

    @property
    def epochs(self) -> tuple[Epoch, ...]:
        """Return the epochs that this run's trials read; the training may have continued for others."""
        if self.record is None:
            return ()
        if self.record.diverged is not None:
            return self.record.epochs
        readings = [self.record.read(rule) for rule in self.training.rules]
        return self.record.epochs[: max((each.last.epoch for each in readings if each), default=0)]

    def following(self, earlier: "Outcome") -> "Outcome":
        """Merge this outcome with that of the same training for earlier trials of the run."""
        rules = tuple(dict.fromkeys((*earlier.training.rules, *self.training.rules)))
        return Outcome(
            self.training.model_copy(update={"rules": rules, "label": earlier.training.label}),
            self.record or earlier.record,
            self.reason,
            self.attempts or earlier.attempts,
            (earlier.predicted_seconds or 0.0) + (self.predicted_seconds or 0.0),
            self.failed_attempts,
        )

    def lane_seconds(self, run_id: str) -> float:
        """Return the seconds that lanes were busy with it in a run."""
        segments = self.record.segments if self.record else ()
        return sum(segment.lane_seconds for segment in segments if segment.run_id == run_id)


@dataclass(frozen=True)
class RunContext:
    """The facts that the rows of one run share."""

    run_id: str
    study: Study
    source: Source
    git_commit: str | None


@step("aggregate", "aggregate {stage}")
def aggregate_trials(
    context: RunContext, trials: Sequence[Trial], outcomes: Mapping[str, Outcome], stage: str = "trials"
) -> list[TrialRow]:
    """Return a row for each trial, in the order of the study; a failed trial is a row with its reason.

    `outcomes` are by key of the training, `stage` is the aggregated part of the run, for people.
    """
    return [_trial_row(context, trial, outcomes[key_of(trial, context.source)]) for trial in trials]


@step("list epochs")
def list_epochs(context: RunContext, outcomes: Mapping[str, Outcome]) -> list[EpochRow]:
    """Return a row for each epoch of each training, by label and epoch."""
    return [
        EpochRow(
            **epoch.model_dump(),
            run_id=context.run_id,
            study=context.study.name,
            key=each.training.key,
            training=each.training.label,
            seed=each.training.seed,
        )
        for each in _by_label(outcomes)
        for epoch in each.epochs
    ]


@step("list trainings")
def list_trainings(context: RunContext, outcomes: Mapping[str, Outcome]) -> list[TrainingRow]:
    """Return a row for each training, by label: its predicted and actual time.

    Not in the plan's order, which depends on the machine's speed: equal results give equal files.
    """
    return [_training_row(context, outcome) for outcome in _by_label(outcomes)]


def _by_label(outcomes: Mapping[str, Outcome]) -> list[Outcome]:
    return sorted(outcomes.values(), key=lambda each: (each.training.label, each.training.key))


def _trial_row(context: RunContext, trial: Trial, outcome: Outcome) -> TrialRow:
    row, record = _asked_row(context, trial, outcome), outcome.record
    reading = None if record is None else record.read(trial.rule)
    if record is None or reading is None:
        return row(status=Status.FAILED, reason=outcome.reason, reused=False)
    segment = record.segment_of(reading.last.epoch)
    target = reading.epoch_reaching(context.study.target_accuracy)
    return row(
        **reading.last.model_dump(exclude={"epoch", "seconds", "evaluation_seconds"}),
        status=Status.COMPLETED,
        reading=f"{record.key}:{reading.last.epoch}",
        epochs_run=reading.last.epoch,
        training_seconds=reading.training_seconds,
        converged=reading.converged_epoch is not None,
        convergence_epoch=reading.converged_epoch,
        convergence_seconds=reading.convergence_seconds,
        lowest_loss_epoch=reading.lowest_loss_epoch,
        lowest_loss_seconds=reading.seconds_until(reading.lowest_loss_epoch),
        target_epoch=target,
        target_seconds=reading.seconds_until(target),
        parameters=record.size.parameters if record.size else None,
        multiply_adds=record.size.multiply_adds if record.size else None,
        device=segment.device,
        reused=segment.run_id != context.run_id,
        trained_by=segment.run_id,
        versions=json.dumps(segment.versions, sort_keys=True),
    )


def _asked_row(context: RunContext, trial: Trial, outcome: Outcome) -> Callable[..., TrialRow]:
    """Return what makes a trial's row, given how the trial ended."""
    source = context.source.of(trial.setting.hyperparameters)
    return partial(
        TrialRow,
        **hyperparameter_columns(trial.setting, context.study),
        **columns_of(trial, TrialRow) | {"setting": trial.name},
        run_id=context.run_id,
        study=context.study.name,
        protocol=source.protocol,
        key=key_of(trial, source),
        attempts=outcome.attempts,
        data_fingerprint=source.data,
        held_out_images=source.held_out_images,
        model_version=source.model,
        engine=source.engine,
        git_commit=context.git_commit,
        network=source.network.name if source.network else None,
        network_sha256=source.network.sha256 if source.network else None,
    )


def _training_row(context: RunContext, outcome: Outcome) -> TrainingRow:
    training, record, epochs = outcome.training, outcome.record, outcome.epochs
    row = partial(
        TrainingRow,
        **hyperparameter_columns(training.hyperparameters, context.study),
        run_id=context.run_id,
        study=context.study.name,
        key=training.key,
        training=training.label,
        seed=training.seed,
        engine=training.source.engine,
        most_epochs=training.most_epochs,
        status=Status.COMPLETED if outcome.reason is None else Status.FAILED,
        reason=outcome.reason,
        attempts=outcome.attempts,
        failed_attempts="; ".join(outcome.failed_attempts) or None,
        predicted_seconds=outcome.predicted_seconds,
        lane_seconds=outcome.lane_seconds(context.run_id),
    )
    if record is None:
        return row(epochs_trained=0, reused=False)
    last = record.segments[-1]
    return row(
        **last.model_dump(include=_OF_SEGMENT),
        epochs=len(epochs),
        epochs_trained=record.epochs_by(context.run_id),
        reused=not record.was_trained_by(context.run_id),
        trained_by=last.run_id,
        training_seconds=sum(epoch.seconds for epoch in epochs),
        evaluation_seconds=sum(epoch.evaluation_seconds for epoch in epochs),
        versions=json.dumps(last.versions, sort_keys=True),
    )


_OF_SEGMENT = {"lane", "device", "processor", "finished_at", "startup_seconds", "peak_bytes", "threads"}
