"""Rows of every table with plausible values, from trainings that are simulated, not run.

Accuracies lie near what the lab study gives, so that figures and reports look as they will. Trials and epochs
tell one story: a trial reads a prefix of a simulated training, by the study's own rules. The same arguments
always give the same rows.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from storage.tables.published import RunTables
from storage.tables.rows_of_findings import (
    AgreementRow,
    ComparisonRow,
    FinalRow,
    ModelRow,
    NightRow,
    PictureRow,
    SummaryRow,
)
from storage.tables.rows_of_work import EpochRow, RunRow, TrainingRow, TrialRow
from study.conclusions.chosen_model import ChosenModel, ConfusedPair, NewImage, SavedFile
from study.fashion_mnist import CLASS_NAMES
from study.plan.plan import Training, Trial, candidate_trials, compile_plan, key_of, list_trials, training_key
from study.records.record import Epoch, Segment, Source, StopRule, TrainingRecord
from study.spec.bands import Cell
from study.spec.published import PublishedAverage
from study.spec.setting import Hyperparameters
from study.spec.study import Study
from study.spec.study_file import read_study
from study.status import RunStatus, Status
from tasks.optimum.choose import compare_candidates
from tasks.tables.findings import compare_run_with_published, compare_settings
from tasks.tables.recorded import describe_pictures, list_models, list_pictures
from tasks.tables.rows import Outcome, RunContext, aggregate_trials, list_epochs, list_trainings
from tasks.tables.summaries import summarise_trials
from tests import simulated

RUN_ID = "20260301-120000-abcd"
FINGERPRINT = "0123456789abcdef" * 4
COMMIT = "89abcdef" * 5
VERSIONS = {"python": "3.11.9", "tensorflow": "2.21.0", "keras": "3.15.0"}
COMBINATION = {"filters": 64, "dense_units": 256, "epochs": 20, "dropout": 0.4}
SOURCE = Source(
    protocol="lab", data=FINGERPRINT, held_out_images=0, model="1", tensorflow=VERSIONS["tensorflow"],
    device="CPU",
)  # fmt: skip
STARTED_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

FailedTrial = tuple[int, float | None, int]
"""Exercise, value and repeat of a trial that failed."""


def make_study() -> Study:
    """The lab study as it ships."""
    return read_study("lab")


def make_trials(
    study: Study | None = None,
    *,
    readings: Mapping[Cell, Sequence[float]] | None = None,
    failed: Collection[FailedTrial] = (),
    found: Sequence[Trial] = (),
) -> list[TrialRow]:
    """The trials of a study (the lab study by default), and those of what its search has found.

    `readings` replaces test accuracies (fractions) of a setting, by exercise and value, repeat by repeat;
    `failed` names trials that failed.
    """
    study, rows = study or make_study(), []
    trials = (*_all_trials(study), *found)
    outcomes = _train(study, trials)
    for trial in trials:
        key = key_of(trial, make_source(study))
        given = (readings or {}).get((trial.exercise, trial.value), ())
        outcome = outcomes[key]
        if (trial.exercise, trial.value, trial.repeat) in failed:
            outcome = Outcome(outcome.training, None, "KilledWorker: lane 0 died 4 times", attempts=4)
        (row,) = aggregate_trials.fn(_context(study), [trial], {key: outcome})
        changes = {"test_accuracy": given[trial.repeat - 1]} if trial.repeat <= len(given) else {}
        rows.append(row.model_copy(update=changes))
    return rows


def make_summary(
    trials: Sequence[TrialRow] | None = None, averages: Mapping[Cell, PublishedAverage] | None = None
) -> list[SummaryRow]:
    """The summary of these trials (`make_trials()` by default), beside the published averages if any."""
    trials = make_trials() if trials is None else trials
    study = make_study()
    return summarise_trials.fn(study, study.data.test_images, trials, averages or {})


def make_lab_tables(study: Study) -> RunTables:
    """The tables of a run of a study, as one without a search and a model leaves them."""
    trials = make_trials(study)
    return RunTables(
        make_run(study, trials),
        trials,
        make_trainings(study),
        make_epochs(study),
        make_summary(trials),
        comparisons=make_comparisons(study, trials),
        agreement=make_agreement(study, trials),
    )


def make_finals(study: Study, trials: Sequence[TrialRow]) -> list[FinalRow]:
    """The candidates of the optimum among these trials, each against the kept one."""
    return compare_candidates.fn(study, RUN_ID, trials)


def make_comparisons(study: Study, trials: Sequence[TrialRow]) -> list[ComparisonRow]:
    """Every pair of settings of these trials."""
    return compare_settings.fn(study, RUN_ID, trials)


def make_agreement(study: Study, trials: Sequence[TrialRow]) -> list[AgreementRow]:
    """These trials held against what the study names as published."""
    return compare_run_with_published.fn(study, RUN_ID, trials, make_epochs(study))


def make_epochs(study: Study | None = None) -> list[EpochRow]:
    """The epochs of every training of a study, as long as its longest trial; see `make_chosen_model`."""
    study = study or make_study()
    return list_epochs.fn(_context(study), _train(study, _all_trials(study)))


def make_record(training: Training, epochs: Sequence[Epoch], run_id: str = RUN_ID) -> TrainingRecord:
    """The record of a training that one run trained in one go."""
    return TrainingRecord(
        key=training.key, label=training.label, hyperparameters=training.hyperparameters, seed=training.seed,
        schedule_epochs=training.schedule_epochs, source=training.source, train_images=60_000,
        evaluation_images=10_000, epochs=tuple(epochs), segments=(make_segment(epochs, run_id),),
        kept_weights=(len(epochs),), optimizer_sha256="0" * 64,
    )  # fmt: skip


def make_segment(epochs: Sequence[Epoch], run_id: str = RUN_ID) -> Segment:
    """The segment of a run that trained these epochs."""
    return Segment(
        epochs=len(epochs), run_id=run_id, lane="lane-0", device="CPU", startup_seconds=1.5,
        processor="A processor with two cores", finished_at=STARTED_AT + timedelta(minutes=1),
        lane_seconds=1.5 + sum(epoch.seconds + epoch.evaluation_seconds for epoch in epochs),
        peak_bytes=1_000_000_000, versions=VERSIONS,
    )  # fmt: skip


def make_trainings(study: Study | None = None) -> list[TrainingRow]:
    """The trainings of a study, each predicted to take a tenth more than it took."""
    study = study or make_study()
    return list_trainings.fn(_context(study), _train(study, _all_trials(study)))


def _context(study: Study) -> RunContext:
    return RunContext(RUN_ID, study, make_source(study), COMMIT)


def _train(study: Study, trials: tuple[Trial, ...]) -> dict[str, Outcome]:
    """Simulate the trainings that these trials read; by key."""
    outcomes = {}
    for training in compile_plan(study, trials, make_source(study)).trainings:
        epochs = simulated.train(training.hyperparameters, training.seed)[: training.most_epochs]
        record = make_record(training, epochs)
        outcomes[training.key] = Outcome(training, record, None, 1, 1.1 * record.segments[0].lane_seconds)
    return outcomes


def make_nights(verdicts: Mapping[int, str], run_id: str = RUN_ID, by: float = 0.0) -> list[NightRow]:
    """A night's verdicts by exercise, against the run of the day before; accuracies are off `by` so much."""
    return [_night(number, verdict, run_id, by) for number, verdict in verdicts.items()]


def make_chosen_model(study: Study | None = None) -> ChosenModel:
    """The model chosen: the combination; its key is in `make_epochs()`, its files are not on disk."""
    study = study or make_study()
    setting = study.baseline.with_changes(COMBINATION)
    last = simulated.train(setting.hyperparameters, study.seed)[setting.epochs - 1]
    confusion = simulated.confusion()
    accuracy = sum(row[index] for index, row in enumerate(confusion)) / sum(map(sum, confusion))
    return ChosenModel(
        candidate="combination", setting=setting, seed=study.seed,
        key=training_key(setting.hyperparameters, study.seed, make_source(study)), epochs_run=setting.epochs,
        validation_accuracy=last.validation_accuracy, test_accuracy=accuracy, reloaded_test_accuracy=accuracy,
        files=("Fashion_MNIST_model.keras", "Fashion_MNIST_model.h5"), files_agree=True,
        confusion=confusion, confused=_confused(confusion),
        saved=(_saved(".keras", "Keras"), _saved(".h5", "HDF5")),
        new_image=NewImage(
            test_index=0, true_class="Ankle boot", predicted_class="Ankle boot",
            probabilities=(0.0, 0.0, 0.0, 0.0, 0.0, 0.004, 0.0, 0.011, 0.0, 0.985),
        ),
    )  # fmt: skip


def _saved(suffix: str, kind: str) -> SavedFile:
    """An export that agrees with the trained model."""
    return SavedFile(
        name=f"Fashion_MNIST_model{suffix}", format=kind, size_bytes=1_000_000, largest_difference=0.0,
        same_classes=10_000, images=10_000,
    )  # fmt: skip


def make_models(chosen: ChosenModel) -> list[ModelRow]:
    """The row of a saved model."""
    return list_models(RUN_ID, "lab", chosen)


def make_pictures(study: Study, sheet: Path) -> list[PictureRow]:
    """The rows of the pictures drawn of images."""
    return list_pictures(RUN_ID, study.name, describe_pictures(study, sheet))


def _confused(confusion: Sequence[Sequence[int]]) -> tuple[ConfusedPair, ...]:
    """The four pairs that these counts confuse most often, with made-up examples."""
    wrong = [
        (-images, true, predicted)
        for true, row in enumerate(confusion)
        for predicted, images in enumerate(row)
        if true != predicted
    ]
    return tuple(
        ConfusedPair(
            true_class=CLASS_NAMES[true],
            predicted_class=CLASS_NAMES[predicted],
            images=-images,
            of=sum(confusion[true]),
            examples=tuple(range(10 * place, 10 * place + 6)),
        )
        for place, (images, true, predicted) in enumerate(sorted(wrong)[:4])
    )


def make_run(study: Study | None = None, trials: Sequence[TrialRow] | None = None) -> RunRow:
    """The run's row in `runs`."""
    study = study or make_study()
    trials = make_trials(study) if trials is None else trials
    plan = compile_plan(study, _all_trials(study), make_source(study))
    failed = sum(trial.status == Status.FAILED for trial in trials)
    return RunRow(
        run_id=RUN_ID, study=study.name, protocol=study.protocol,
        status=RunStatus.WITH_FAILURES if failed else RunStatus.COMPLETED,
        started_at=STARTED_AT, finished_at=STARTED_AT + timedelta(minutes=42), wall_seconds=2520.0,
        exercises=",".join(str(each.number) for each in study.exercises),
        trials=len(trials), failed_trials=failed, trainings=len(plan.trainings), reused_trainings=0,
        epochs_asked=plan.epochs_asked,
        epochs_trained=sum(training.most_epochs for training in plan.trainings),
        lanes=2, device="CPU", processor="A processor with two cores", engine="tensorflow",
        train_images=study.data.train_images, test_images=study.data.test_images,
        data_fingerprint=FINGERPRINT, data_source="/data/fashion-mnist", flow_run_id=None,
        git_commit=COMMIT, git_dirty=False, versions=json.dumps(VERSIONS),
        study_definition=study.model_dump_json(), retried_trainings=0, resumed=0,
        predicted_seconds=2400.0, predicted_low_seconds=2000.0, predicted_high_seconds=2880.0,
        predicted_lane_seconds=4700.0, lane_seconds=4900.0, makespan_seconds=2480.0,
        makespan_bound_seconds=2450.0,
    )  # fmt: skip


def make_source(study: Study) -> Source:
    """What, beside hyperparameters and seed, names the study's trainings."""
    held_out = study.data.held_out_images if study.protocol == "held-out" else 0
    return SOURCE.model_copy(update={"protocol": study.protocol, "held_out_images": held_out})


def make_training(seed: int = 1, ends: Sequence[int] = (2,), **hyperparameters: Any) -> Training:
    """A training of the lab study whose trials end at some epochs, of the baseline but for these values."""
    changes = " ".join(f"{name}={value}" for name, value in hyperparameters.items()) or "baseline"
    return Training(
        hyperparameters=Hyperparameters(**hyperparameters), seed=seed, source=SOURCE,
        rules=tuple(StopRule(epochs=each) for each in ends), label=f"{changes} seed={seed}",
    )  # fmt: skip


def _all_trials(study: Study) -> tuple[Trial, ...]:
    combination = study.baseline.with_changes(COMBINATION)
    combined = bool(study.optimum and study.optimum.combine)
    return list_trials(study) + (candidate_trials(study, "combination", combination) if combined else ())


def _night(exercise: int, verdict: str, run_id: str, by: float) -> NightRow:
    is_new = verdict in ("drifted", "same within noise", "unclear")
    is_tested = verdict in ("drifted", "same within noise")
    is_compared = verdict not in ("first", "no reading")
    change = {"name": "TensorFlow", "before": "2.21.0", "now": "2.22.0"}
    return NightRow(
        run_id=run_id, study="lab", exercise=exercise, verdict=verdict,
        message=f"Exercise {exercise}: {verdict}.", trials=25, failed_trials=0,
        changed_trials=25 if is_new else 0,
        compared_with="20260228-120000-abcd" if is_compared else None,
        earlier_runs=1 if is_compared else 0, distinct_readings=25 if is_compared else 0,
        difference=by if is_compared else None,
        p_value=(1e-5 if verdict == "drifted" else 0.4) if is_tested else None,
        threshold=0.0005 if is_tested else None,
        changes=json.dumps([change] if is_new else []) if is_compared else None,
        mean_accuracy=None if verdict == "no reading" else 0.85 + 0.01 * exercise + by,
        best_accuracy=None if verdict == "no reading" else 0.86 + 0.01 * exercise + by,
        lane_seconds=600.0,
    )  # fmt: skip
