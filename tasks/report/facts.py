"""The facts of a run, in words: how to read its results, and how it was run."""

import json
from collections.abc import Sequence
from statistics import fmean

from storage.tables import RunRow, RunTables, SummaryRow, TrainingRow, TrialRow
from study.records import CONVERGENCE_PATIENCE
from study.spec import GridSweep, Study
from study.wording import OPTIMIZERS, count, duration, listing, plain

Line = tuple[str, str]
"""A term and its text."""

MAX_NAMED = 10
"""Most trainings whose failed attempts are named; the table `trainings` has all."""


_GRIDS = (
    "Whether the parameters of a grid interact, and what each changes on average over the other, is tested "
    "seed by seed and corrected by Holm. "
)


def explain_reading(study: Study, tables: RunTables) -> tuple[Line, ...]:
    """List what holds for every number of the report: said once, not at each table."""
    has_grid = any(isinstance(each, GridSweep) for each in study.sweeps)
    return (
        ("Readings", f"A trial is one reading: one setting, trained with one seed. {_seeds(tables.trials)}"),
        ("Accuracy", _protocol(study, tables.run)),
        ("Intervals", _intervals(tables.summary, tables.run.test_images)),
        (
            "Comparisons",
            "The best setting is compared with the others, step by step, by Games and Howell's test; budgets "
            "of epochs with the longest one, by paired t tests. At most 5% of such answers name a difference "
            f"where there is none. {_GRIDS * has_grid}Intervals of pairs are corrected for their number, "
            "those of contrasts with "
            "a control are not. The tests assume roughly normal readings. “Not significant” does not mean "
            "“equal”. In tables of pairs, marked rows differ; detectable is the smallest true difference "
            "found with 80% probability.",
        ),
        (
            "Convergence",
            f"A trial has converged when validation loss has not improved for {CONVERGENCE_PATIENCE} epochs; "
            "the time is that of the last improvement. Medians count trials that have not converged as later "
            "(Kaplan and Meier); – where too few have. Seconds are of training steps only.",
        ),
    )


def _intervals(summary: Sequence[SummaryRow], test_images: int) -> str:
    errors = [row.sampling_error for row in summary if row.sampling_error is not None]
    shift = f", by about {100 * fmean(errors):.1f} points (standard error)" if errors else ""
    return (
        f"95%, Student's t over seeds. Another set of {count(test_images, 'test image')} would shift all "
        f"accuracies together{shift}; the intervals leave that out."
    )


def list_facts(study: Study, tables: RunTables) -> tuple[Line, ...]:
    """List the facts that a reader needs to judge and to reproduce the numbers."""
    run = tables.run
    lanes = count(run.lanes, "lane")
    started = run.started_at.strftime("%Y-%m-%d %H:%M UTC")
    resumed = f" since it was resumed, {count(run.resumed, 'time')} in all" if run.resumed else ""
    versions = json.loads(run.versions)
    return (
        ("Run", run.run_id),
        ("Model", _model(study)),
        ("Baseline", _baseline(study)),
        ("Data", f"{_images(study)}{run.data_source}; SHA-256 {run.data_fingerprint}"),
        ("Machine", f"{lanes} on {run.device}; processor: {run.processor}; {run.engine} engine"),
        ("Time", f"started {started}; wall time {duration(run.wall_seconds)}{resumed}"),
        ("Predicted", _prediction(run)),
        ("Trainings", _trainings(run)),
        ("Attempts", _attempts(tables.trainings)),
        ("Versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("Code", _code(run)),
    )


def _images(study: Study) -> str:
    return f"{study.data.images.describe()}; from " if study.data.is_own else ""


def _protocol(study: Study, run: RunRow) -> str:
    read = f"Read after a trial's last epoch, on {count(run.test_images, 'test image')}"
    if study.protocol == "lab":
        return (
            f"{read}. Trained on {count(run.train_images, 'image')}; the test images are also the validation "
            "images, as in the published readings: “validation” is the test set, and what is chosen on it "
            "looks slightly too good."
        )
    held_out = study.data.held_out_images
    return (
        f"{read}. Trained on {count(run.train_images - held_out, 'image')}; {held_out:,} others are set "
        "aside for validation, and every choice is made on those."
    )


def _model(study: Study) -> str:
    base = study.baseline
    optimizer = OPTIMIZERS[base.optimizer].format(plain(base.momentum))
    decay = f" and weight decay {plain(base.weight_decay)}" if base.weight_decay else ""
    return (
        f"{_network(study)}; {optimizer}{decay}; "
        f"batches of {base.batch_size}; categorical cross-entropy; pixels divided by 255."
    )


def _network(study: Study) -> str:
    base = study.baseline
    if study.model is not None:
        taken = [f"{name} {plain(base.values[name])}" for name in study.model.parameters]
        return f"{study.model.name} ({listing(taken)}), SHA-256 {study.model.sha256[:12]}"
    side = base.kernel_size
    return (
        f"Conv2D({base.filters}, {side}×{side}, ReLU), max-pooling 2×2, dropout if any, "
        f"Dense({base.dense_units}, ReLU), Dense({study.data.images.classes}, softmax)"
    )


def _baseline(study: Study) -> str:
    base = study.baseline
    dropout = (
        f"dropout {plain(base.dropout)}, " if not (study.model and "dropout" in study.model.missing) else ""
    )
    stop = f", stopped early with patience {base.patience}" if base.patience else ""
    changes = [
        f"exercise {each.number}: {', '.join(f'{name} {plain(value)}' for name, value in each.fixed.items())}"
        for each in study.sweeps
        if each.fixed
    ]
    return (
        f"learning rate {plain(base.learning_rate)}, {dropout}"
        f"{count(base.epochs, 'epoch')}{stop}, unless the exercise varies it"
        f"{' (' + '; '.join(changes) + ')' if changes else ''}."
    )


def _trainings(run: RunRow) -> str:
    return (
        f"{count(run.trainings, 'training')} for {count(run.trials, 'trial')}, "
        f"{run.reused_trainings:,} read from earlier runs. "
        f"{count(run.epochs_trained, 'epoch')} trained in this run; {run.epochs_asked:,} "
        "were asked for, and trials that differ only in epochs read one training."
    )


def _attempts(trainings: Sequence[TrainingRow]) -> str:
    retried = [row for row in trainings if row.failed_attempts is not None]
    if not retried:
        return "none failed."
    named = "; ".join(f"{row.training} ({row.failed_attempts})" for row in retried[:MAX_NAMED])
    further = f"; and {len(retried) - MAX_NAMED} others" if len(retried) > MAX_NAMED else ""
    return (
        f"of {count(len(trainings), 'training')}, {len(retried)} had attempts that failed: "
        f"{named}{further}. A training that succeeds at a later attempt has the same weights."
    )


def _prediction(run: RunRow) -> str:
    low, high = duration(run.predicted_low_seconds), duration(run.predicted_high_seconds)
    said = f"{duration(run.predicted_seconds)} before it ran, 95% interval {low} to {high}"
    if run.lane_seconds == 0:
        return f"{said}; nothing was trained."
    error = run.wall_seconds / run.predicted_seconds - 1
    excess = run.makespan_seconds / run.makespan_bound_seconds - 1
    return (
        f"{said}; the wall time was {abs(error):.0%} {'longer' if error > 0 else 'shorter'}. Time of all "
        f"lanes: predicted {duration(run.predicted_lane_seconds)}, took {duration(run.lane_seconds)}. The "
        f"trainings took {duration(run.makespan_seconds)}, within {excess:.1%} of the best possible "
        "schedule."
    )


def _seeds(trials: Sequence[TrialRow]) -> str:
    seeds = [row.seed for row in trials]
    if not seeds:
        return ""
    return (
        f"Repeats use the seeds {min(seeds)} to {max(seeds)}, the same for every setting. Trials that differ "
        "only in epochs read one training, and so do equal settings of several exercises: with other numbers "
        "of repeats their means differ."
    )


def _code(run: RunRow) -> str:
    if run.git_commit is None:
        return "commit not recorded."
    return f"commit {run.git_commit}{', with uncommitted changes' if run.git_dirty else ''}."
