"""The contract with readers: every column of every table, its type, unit and meaning.

Accuracies are fractions of 1, times are seconds unless they are timestamps (UTC). Changes are additions only.
"""

from dataclasses import dataclass

import pyarrow as pa

SCHEMA_VERSION = "1.4.0"

_TEXT, _INT, _FLOAT, _BOOL = pa.string(), pa.int64(), pa.float64(), pa.bool_()
_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Column:
    """One column: name, type, unit (empty for none) and meaning."""

    name: str
    type: pa.DataType
    unit: str
    meaning: str
    nullable: bool = False


_RUN_ID = Column("run_id", _TEXT, "", "the run; joins every table with `runs`")

_HYPERPARAMETERS = (
    Column("filters", _INT, "", "filters of the convolution"),
    Column("kernel_size", _INT, "pixels", "side of the square kernel"),
    Column("dense_units", _INT, "", "units of the hidden dense layer"),
    Column("dropout", _FLOAT, "fraction", "dropped after the pooling"),
    Column("learning_rate", _FLOAT, "", "SGD learning rate of the first epoch"),
    Column("momentum", _FLOAT, "", "SGD momentum"),
    Column("batch_size", _INT, "images", "images a step"),
)

_SCHEDULE = Column(
    "schedule",
    _TEXT,
    "",
    "`constant`, or `cosine`: falling to 0 over the epochs; null before schema 1.1.0",
    True,
)

_ENGINE = Column("engine", _TEXT, "", "what trains: `native` or `tensorflow`; null before schema 1.4.0", True)

_SETTING = (
    *_HYPERPARAMETERS,
    Column("epochs", _INT, "epochs", "most epochs to train"),
    Column("patience", _INT, "epochs", "early stopping on validation loss; null: none", nullable=True),
)

_PLACE = (
    Column("study", _TEXT, "", "name of the study"),
    Column("exercise", _INT, "", "number of the exercise"),
    Column("parameter", _TEXT, "", "what the exercise varies; `candidate` for the optimum"),
    Column("value", _FLOAT, "", "the parameter's value; null for a candidate", nullable=True),
    Column("setting", _TEXT, "", "the setting's name, such as `filters=64` or `combination`"),
)

_RUNS = (
    _RUN_ID,
    Column("study", _TEXT, "", "name of the study"),
    Column("protocol", _TEXT, "", "`lab` validates on the test images, `held-out` does not"),
    Column(
        "status",
        _TEXT,
        "",
        "`completed`, `completed with failures`, or `stopped early` after too many failures",
    ),
    Column("started_at", _TIME, "UTC", "when the run started"),
    Column("finished_at", _TIME, "UTC", "when its tables were published"),
    Column("wall_seconds", _FLOAT, "s", "from start to publishing; of a resumed run, since it was resumed"),
    Column("exercises", _TEXT, "", "numbers of the exercises that ran, separated by commas"),
    Column("trials", _INT, "", "rows in `trials`"),
    Column("failed_trials", _INT, "", "rows in `trials` whose status is `failed`"),
    Column("trainings", _INT, "", "trainings that answer the trials"),
    Column("reused_trainings", _INT, "", "of these, read from earlier runs"),
    Column("epochs_asked", _INT, "epochs", "if every trial were trained on its own and none stopped early"),
    Column("epochs_trained", _INT, "epochs", "trained in this run"),
    Column("lanes", _INT, "", "lanes that trained"),
    Column("device", _TEXT, "", "kind of the lanes' devices"),
    Column("processor", _TEXT, "", "the machine's processor, as it names itself"),
    Column("train_images", _INT, "images", "training images in use"),
    Column("test_images", _INT, "images", "test images in use"),
    Column("data_fingerprint", _TEXT, "", "SHA-256 of the images and labels in use"),
    Column("data_source", _TEXT, "", "where the dataset was found"),
    Column("flow_run_id", _TEXT, "", "the flow run in Prefect", nullable=True),
    Column("git_commit", _TEXT, "", "the code's commit", nullable=True),
    Column("git_dirty", _BOOL, "", "whether the code had uncommitted changes", nullable=True),
    Column("versions", _TEXT, "", "library versions, as JSON"),
    Column("study_definition", _TEXT, "", "the study as it ran, as JSON"),
    # Since 1.1.0:
    Column("predicted_seconds", _FLOAT, "s", "wall time predicted before it ran, report included", True),
    Column("predicted_low_seconds", _FLOAT, "s", "lower end of the prediction's 95% interval", True),
    Column("predicted_high_seconds", _FLOAT, "s", "upper end of the prediction's 95% interval", True),
    Column("predicted_lane_seconds", _FLOAT, "s", "predicted time of all lanes together", True),
    Column("lane_seconds", _FLOAT, "s", "time that lanes were busy with trainings that were kept", True),
    Column("makespan_seconds", _FLOAT, "s", "from the first training's start to the last one's end", True),
    Column(
        "makespan_bound_seconds", _FLOAT, "s", "what no order of these trainings could have gone below", True
    ),
    # Since 1.2.0:
    Column("failures", _TEXT, "", "why trials failed: each kind of reason with its number; null: none", True),
    Column("retried_trainings", _INT, "", "trainings of which an attempt failed", True),
    Column("resumed", _INT, "", "how often the run went on after an interruption", True),
    # Since 1.3.0:
    Column("lock_sha256", _TEXT, "", "SHA-256 of the code's `requirements.lock`; null: there is none", True),
    # Since 1.4.0:
    _ENGINE,
)

_TRIALS = (
    _RUN_ID,
    *_PLACE,
    Column("repeat", _INT, "", "number of the repeat, from 1"),
    Column("seed", _INT, "", "seed of weights, order of images and dropout"),
    Column("protocol", _TEXT, "", "`lab` or `held-out`"),
    *_SETTING,
    Column("key", _TEXT, "", "the training this trial reads"),
    Column("status", _TEXT, "", "`completed` or `failed`"),
    Column("reason", _TEXT, "", "why it failed", nullable=True),
    Column("attempts", _INT, "", "times the training was attempted in this run; 0 if it was reused"),
    Column("reused", _BOOL, "", "whether an earlier run trained the last epoch it reads"),
    Column("trained_by", _TEXT, "", "the run that trained the last epoch it reads", nullable=True),
    Column(
        "epochs_run", _INT, "epochs", "epochs the trial reads; fewer than `epochs` if it stopped early", True
    ),
    Column("train_loss", _FLOAT, "nats", "mean over the last epoch", True),
    Column("train_accuracy", _FLOAT, "fraction", "mean over the last epoch", True),
    Column("validation_loss", _FLOAT, "nats", "after the last epoch", True),
    Column("validation_accuracy", _FLOAT, "fraction", "after the last epoch", True),
    Column("test_loss", _FLOAT, "nats", "after the last epoch", True),
    Column("test_accuracy", _FLOAT, "fraction", "after the last epoch: the trial's reading", True),
    Column("training_seconds", _FLOAT, "s", "training steps of the epochs read", True),
    Column("converged", _BOOL, "", "whether patience 3 ran out within the epochs read", True),
    Column(
        "convergence_epoch",
        _INT,
        "epochs",
        "epoch of the lowest validation loss; null if not converged",
        True,
    ),
    Column("convergence_seconds", _FLOAT, "s", "training time up to that epoch; null if not converged", True),
    Column("device", _TEXT, "", "what it trained on", True),
    Column("weights_sha256", _TEXT, "", "hash of the weights after the last epoch", True),
    Column("data_fingerprint", _TEXT, "", "SHA-256 of the images and labels in use"),
    Column("held_out_images", _INT, "images", "training images set aside for validation; 0 in `lab`"),
    Column("model_version", _TEXT, "", "version of the model and training code"),
    Column("git_commit", _TEXT, "", "the code's commit", True),
    Column("versions", _TEXT, "", "library versions of the training, as JSON", True),
    _SCHEDULE,
    _ENGINE,
)

_TRAININGS = (
    _RUN_ID,
    Column("key", _TEXT, "", "the training; joins with `trials`"),
    Column("training", _TEXT, "", "the training's label, such as `filters=64 seed=3`"),
    Column("seed", _INT, "", "seed of weights, order of images and dropout"),
    *_HYPERPARAMETERS,
    _SCHEDULE,
    Column("most_epochs", _INT, "epochs", "the longest epoch budget of its trials"),
    Column("epochs", _INT, "epochs", "of these, read by trials of this run; null if it failed", True),
    Column("epochs_trained", _INT, "epochs", "trained in this run"),
    Column("status", _TEXT, "", "`completed` or `failed`"),
    Column("reason", _TEXT, "", "why it failed", True),
    Column("attempts", _INT, "", "times it was attempted in this run; 0 if it was reused"),
    Column("reused", _BOOL, "", "whether all of it was read from earlier runs"),
    Column("trained_by", _TEXT, "", "the run that trained its last epoch", True),
    Column("predicted_seconds", _FLOAT, "s", "time of a lane predicted before the run; 0 if reused", True),
    Column("lane_seconds", _FLOAT, "s", "time lanes were busy with it in this run, failed attempts aside"),
    Column(
        "startup_seconds", _FLOAT, "s", "of it, compiling the step where a lane had not had its shape", True
    ),
    Column("training_seconds", _FLOAT, "s", "training steps of the epochs read, whichever run", True),
    Column("evaluation_seconds", _FLOAT, "s", "evaluation after the epochs read, whichever run", True),
    Column("peak_bytes", _INT, "bytes", "most memory its lane had held until its end", True),
    Column("lane", _TEXT, "", "the lane that trained its last epoch", True),
    Column("device", _TEXT, "", "what that trained on", True),
    Column("processor", _TEXT, "", "the processor of that lane's machine", True),
    Column("finished_at", _TIME, "UTC", "when its last epoch was trained", True),
    Column("versions", _TEXT, "", "library versions of its last epoch, as JSON", True),
    Column("failed_attempts", _TEXT, "", "why attempts failed, in order; null: none. Since 1.2.0", True),
    _ENGINE,
    Column("threads", _INT, "", "threads that shared the work of its last epoch. Since 1.4.0", True),
)

_EPOCHS = (
    _RUN_ID,
    Column("key", _TEXT, "", "the training; joins with `trials`"),
    Column("training", _TEXT, "", "the training's label, such as `filters=64 seed=3`"),
    Column("seed", _INT, "", "seed of the training"),
    Column("epoch", _INT, "epochs", "number of the epoch, from 1"),
    Column("train_loss", _FLOAT, "nats", "mean over the epoch"),
    Column("train_accuracy", _FLOAT, "fraction", "mean over the epoch"),
    Column("validation_loss", _FLOAT, "nats", "after the epoch"),
    Column("validation_accuracy", _FLOAT, "fraction", "after the epoch"),
    Column("test_loss", _FLOAT, "nats", "after the epoch"),
    Column("test_accuracy", _FLOAT, "fraction", "after the epoch"),
    Column("seconds", _FLOAT, "s", "training steps of the epoch"),
    Column("weights_sha256", _TEXT, "", "hash of the weights after the epoch"),
    Column("evaluation_seconds", _FLOAT, "s", "evaluation after the epoch; null before schema 1.1.0", True),
)

_SUMMARY = (
    _RUN_ID,
    *_PLACE,
    Column("trials", _INT, "", "completed trials of the setting"),
    Column("failed_trials", _INT, "", "failed trials of the setting"),
    Column("mean_accuracy", _FLOAT, "fraction", "mean test accuracy", True),
    Column("sd_accuracy", _FLOAT, "fraction", "standard deviation (n-1); null for one trial", True),
    Column("low_accuracy", _FLOAT, "fraction", "lower end of the 95% t interval of the mean", True),
    Column("high_accuracy", _FLOAT, "fraction", "upper end of the 95% t interval of the mean", True),
    Column("minimum_accuracy", _FLOAT, "fraction", "lowest reading", True),
    Column("maximum_accuracy", _FLOAT, "fraction", "highest reading", True),
    Column("mean_validation_accuracy", _FLOAT, "fraction", "what choices are made on", True),
    Column("mean_epochs_run", _FLOAT, "epochs", "mean epochs the trials read", True),
    Column("mean_training_seconds", _FLOAT, "s", "mean training time", True),
    Column("converged_trials", _INT, "", "trials that converged within their epochs"),
    Column("median_convergence_seconds", _FLOAT, "s", "of those that converged; null if none did", True),
    Column("published_accuracy", _FLOAT, "fraction", "the published average; null if there is none", True),
    Column("difference", _FLOAT, "fraction", "mean accuracy minus the published average", True),
)

_NIGHTS = (
    _RUN_ID,
    Column("study", _TEXT, "", "name of the study"),
    Column("exercise", _INT, "", "number of the exercise"),
    Column(
        "verdict",
        _TEXT,
        "",
        "`identical`: the weights of an earlier run; `same within noise`; `drifted`; `unclear`: new weights, "
        "and too few readings to tell; `first`: nothing to compare with; `no reading`: all its trials failed",
    ),
    Column("message", _TEXT, "", "the verdict for people, with what changed"),
    Column("trials", _INT, "", "trials of the exercise"),
    Column("failed_trials", _INT, "", "of these, failed, and not compared"),
    Column("changed_trials", _INT, "", "of these, with weights that no run compared with had"),
    Column(
        "compared_with",
        _TEXT,
        "",
        "the latest run compared with, if identical the one it is identical to",
        True,
    ),
    Column("earlier_runs", _INT, "", "runs compared with, at most 30, none from before the last drift"),
    Column("distinct_readings", _INT, "", "their trials; equal weights count once"),
    Column(
        "difference",
        _FLOAT,
        "fraction",
        "mean over the settings of tonight's mean accuracy less that of the distinct readings",
        True,
    ),
    Column("p_value", _FLOAT, "", "chance of so large a difference without drift; null: not tested", True),
    Column("threshold", _FLOAT, "", "drifted if the p value is not above it; null: not tested", True),
    Column("changes", _TEXT, "", "what changed since `compared_with`, as JSON: name, before, now", True),
    Column("mean_accuracy", _FLOAT, "fraction", "mean over the settings of their mean test accuracy", True),
    Column("best_accuracy", _FLOAT, "fraction", "highest mean test accuracy of a setting", True),
    Column(
        "lane_seconds",
        _FLOAT,
        "s",
        "time lanes were busy in this run with the trainings it reads; shared ones count in each exercise",
    ),
)

COLUMNS: dict[str, tuple[Column, ...]] = {
    "runs": _RUNS,
    "trials": _TRIALS,
    "trainings": _TRAININGS,
    "epochs": _EPOCHS,
    "summary": _SUMMARY,
    "nights": _NIGHTS,  # since 1.3.0, with rows for runs that trained everything fresh
}
"""The columns of each table, in order."""


def schema_of(table: str) -> pa.Schema:
    """The Arrow schema of a table, with unit and meaning in each field's metadata."""
    fields = [
        pa.field(each.name, each.type, each.nullable, {"unit": each.unit, "meaning": each.meaning})
        for each in COLUMNS[table]
    ]
    return pa.schema(fields, metadata={"schema_version": SCHEMA_VERSION, "table": table})
