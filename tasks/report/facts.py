"""The facts of a run, in words: protocol, data, machine, compute, code and seeds."""

import json

import pandas as pd

from storage.tables import RunFrames
from study.spec import Study
from study.wording import count, duration, plain

Line = tuple[str, str]
"""A term and its text."""

MAX_NAMED = 10
"""Most trainings whose failed attempts are named; the table `trainings` has all."""


def list_facts(study: Study, frames: RunFrames) -> tuple[Line, ...]:
    """List the facts that a reader needs to judge and to reproduce the numbers."""
    run = frames.run
    lanes = count(int(run["lanes"]), "lane")
    started = run["started_at"].strftime("%Y-%m-%d %H:%M UTC")
    return (
        ("Accuracy", _protocol(study, frames)),
        ("Model", _model(study)),
        ("Baseline", _baseline(study)),
        ("Data", f"{run['data_source']}; SHA-256 {run['data_fingerprint']}"),
        ("Machine", f"{lanes} on {run['device']}; processor: {run['processor']}; {run['engine']} engine"),
        ("Time", f"started {started}; wall time {duration(float(run['wall_seconds']))}{_resumed(frames)}"),
        ("Predicted", _prediction(frames)),
        ("Trainings", _trainings(frames)),
        ("Attempts", _attempts(frames)),
        ("Seeds", _seeds(frames)),
        ("Versions", ", ".join(f"{name} {version}" for name, version in json.loads(run["versions"]).items())),
        ("Code", _code(run["git_commit"], run["git_dirty"])),
    )


def _protocol(study: Study, frames: RunFrames) -> str:
    train, test = int(frames.run["train_images"]), int(frames.run["test_images"])
    read = f"read after a trial's last epoch, on {count(test, 'test image')}"
    if study.protocol == "lab":
        return (
            f"{read}. Trained on {count(train, 'image')}; the test images are also the validation images, "
            "as in the published readings (protocol “lab”)."
        )
    held_out = study.data.held_out_images
    return (
        f"{read}. Trained on {count(train - held_out, 'image')}; {held_out:,} others are set aside for "
        "validation, and every choice is made on those (protocol “held-out”)."
    )


def _model(study: Study) -> str:
    base = study.baseline
    side = base.kernel_size
    return (
        f"Conv2D({base.filters}, {side}×{side}, ReLU), max-pooling 2×2, dropout if any, "
        f"Dense({base.dense_units}, ReLU), Dense(10, softmax); SGD with momentum {plain(base.momentum)}; "
        f"batches of {base.batch_size}; categorical cross-entropy; pixels divided by 255."
    )


def _baseline(study: Study) -> str:
    base = study.baseline
    stop = f", stopped early with patience {base.patience}" if base.patience else ""
    changes = [
        f"exercise {each.number}: {', '.join(f'{name} {plain(value)}' for name, value in each.fixed.items())}"
        for each in study.sweeps
        if each.fixed
    ]
    return (
        f"learning rate {plain(base.learning_rate)}, dropout {plain(base.dropout)}, "
        f"{count(base.epochs, 'epoch')}{stop}, unless the exercise varies it"
        f"{' (' + '; '.join(changes) + ')' if changes else ''}."
    )


def _trainings(frames: RunFrames) -> str:
    run = frames.run
    return (
        f"{count(int(run['trainings']), 'training')} for {count(int(run['trials']), 'trial')}, "
        f"{int(run['reused_trainings']):,} read from earlier runs. "
        f"{count(int(run['epochs_trained']), 'epoch')} trained in this run; {int(run['epochs_asked']):,} "
        "were asked for, and trials that differ only in epochs read one training."
    )


def _attempts(frames: RunFrames) -> str:
    retried = frames.trainings[frames.trainings["failed_attempts"].notna()]
    if retried.empty:
        return "every training succeeded at its first."
    named = "; ".join(
        f"{row['training']} ({row['failed_attempts']})" for row in retried.head(MAX_NAMED).to_dict("records")
    )
    further = f"; and {len(retried) - MAX_NAMED} others" if len(retried) > MAX_NAMED else ""
    return (
        f"of {count(len(frames.trainings), 'training')}, {len(retried)} had attempts that failed: "
        f"{named}{further}. A training that succeeds at a later attempt has the same weights."
    )


def _resumed(frames: RunFrames) -> str:
    times = int(frames.run["resumed"])
    return f" since it was resumed, {count(times, 'time')} in all" if times else ""


def _prediction(frames: RunFrames) -> str:
    run = frames.run
    low, high = duration(float(run["predicted_low_seconds"])), duration(float(run["predicted_high_seconds"]))
    said = f"{duration(float(run['predicted_seconds']))} before it ran, 95% interval {low} to {high}"
    taken, makespan = float(run["lane_seconds"]), float(run["makespan_seconds"])
    if taken == 0:
        return f"{said}; nothing was trained."
    error = float(run["wall_seconds"]) / float(run["predicted_seconds"]) - 1
    excess = makespan / float(run["makespan_bound_seconds"]) - 1
    return (
        f"{said}; the wall time was {abs(error):.0%} {'longer' if error > 0 else 'shorter'}. Time of all "
        f"lanes: predicted {duration(float(run['predicted_lane_seconds']))}, took {duration(taken)}. The "
        f"trainings took {duration(makespan)}, {excess:.1%} above what no order of them on these lanes could "
        "go below."
    )


def _seeds(frames: RunFrames) -> str:
    seeds = frames.trials["seed"]
    if seeds.empty:
        return "none used."
    return f"{seeds.min()} to {seeds.max()}, one for each repeat and the same for every setting."


def _code(commit: str | float | None, dirty: bool | float | None) -> str:
    if pd.isna(commit):  # pandas reads a missing text as NaN
        return "commit not recorded."
    changes = ", with uncommitted changes" if not pd.isna(dirty) and dirty else ""
    return f"commit {commit}{changes}."
