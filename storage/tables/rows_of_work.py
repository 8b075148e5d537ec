"""The rows of work: runs, trials, trainings and epochs."""

import json
from typing import Any

from pydantic import field_validator

from storage.tables.row import Bytes, Epochs, Fraction, Images, Moment, Nats, Pixels, Row, Seconds
from study.status import RunStatus, Status


class Place(Row):
    """The setting of an exercise that a row is about."""

    exercise: int
    """Number of the exercise."""
    parameter: str
    """What the exercise varies, several parameters separated by commas; `candidate` for the optimum."""
    value: float | None = None
    """The parameter's value; of words and of combinations their place in the study, from 1; null for a
    candidate."""
    setting: str
    """The setting's name, such as `filters=64`, `optimizer=adam`, `width=8, depth=2` or `combination`."""


class Shape(Row):
    """The hyperparameters of a row, but the epochs; 0 where a network of one's own has none of that name."""

    filters: int
    """Filters of the convolution."""
    kernel_size: Pixels
    """Side of the square kernel."""
    dense_units: int
    """Units of the hidden dense layer."""
    dropout: Fraction
    """Dropped after the pooling."""
    learning_rate: float
    """Learning rate of the first epoch."""
    momentum: float
    """Momentum of SGD and RMSprop, beta_1 of Adam and AdamW."""
    batch_size: Images
    """Images a step."""
    schedule: str
    """`constant`, or `cosine`: falling to 0 over the epochs."""
    augmentation: str
    """Of training images in each epoch: `none`, `flip`, `shift` by up to 2 pixels or `flip-shift`."""
    averaging: float
    """Decay an epoch of the moving average of weights that is evaluated; 0: the weights themselves."""
    optimizer: str | None = None
    """`sgd`, `adam`, `adamw` or `rmsprop`; null: `sgd`."""
    weight_decay: float | None = None
    """Decoupled from the gradients: of each weight, times the learning rate; null: 0."""
    network_parameters: str | None = None
    """Those of a network of one's own, as JSON, by name; null: the lab's network."""

    @field_validator("network_parameters", mode="before")
    @classmethod
    def _write_json(cls, values: Any) -> Any:
        return (
            (json.dumps(values, sort_keys=True) if values else None) if isinstance(values, dict) else values
        )


class RunRow(Row, table="runs", key=("run_id",)):
    """A published run."""

    protocol: str
    """`lab` validates on the test images, `held-out` does not."""
    status: RunStatus
    """`completed`, `completed with failures`, or `stopped early` after too many failures."""
    started_at: Moment
    """When the run started."""
    finished_at: Moment
    """When its tables were published."""
    wall_seconds: Seconds
    """From start to publishing; of a resumed run, since it was resumed, while `started_at` stays."""
    exercises: str
    """Numbers of the exercises that ran, separated by commas."""
    trials: int
    """Rows in `trials`."""
    failed_trials: int
    """Rows in `trials` whose status is `failed`."""
    trainings: int
    """Trainings that answer the trials."""
    reused_trainings: int
    """Of these, read from earlier runs."""
    epochs_asked: Epochs
    """If every trial were trained on its own and none stopped early."""
    epochs_trained: Epochs
    """Trained in this run."""
    lanes: int
    """Lanes that trained."""
    device: str
    """Kind of the lanes' devices."""
    processor: str
    """The machine's processor, as it names itself."""
    train_images: Images
    """Training images in use."""
    test_images: Images
    """Test images in use."""
    data_fingerprint: str
    """SHA-256 of the images and labels in use."""
    data_source: str
    """Where the dataset was found."""
    flow_run_id: str | None = None
    """The flow run in Prefect."""
    git_commit: str | None = None
    """The code's commit."""
    git_dirty: bool | None = None
    """Whether the code had uncommitted changes."""
    versions: str
    """Library versions, as JSON."""
    study_definition: str
    """The study as it ran, as JSON."""
    predicted_seconds: Seconds
    """Wall time predicted before it ran, report included; of a resumed run, when it was resumed, for the
    rest."""
    predicted_low_seconds: Seconds
    """Lower end of the prediction's 95% interval."""
    predicted_high_seconds: Seconds
    """Upper end of the prediction's 95% interval."""
    predicted_lane_seconds: Seconds
    """Predicted time of all lanes together, at the same moment: the search and the combination by guesses."""
    lane_seconds: Seconds
    """Time that lanes were busy with trainings that were kept; one of several threads counts once, though it
    takes as many lanes' cores."""
    makespan_seconds: Seconds
    """From the first training's start to the last one's end; of a resumed run, since it was resumed."""
    makespan_bound_seconds: Seconds
    """The least that any order of these trainings could take."""
    failures: str | None = None
    """Why trials failed: each kind of reason with its number; null: none."""
    retried_trainings: int
    """Trainings of which an attempt failed."""
    resumed: int
    """How often the run resumed after an interruption."""
    lock_sha256: str | None = None
    """SHA-256 of the code's `requirements.lock`; null: there is none."""
    engine: str
    """The program that trains: `native`, `tensorflow` or `keras`."""
    git_diff_sha256: str | None = None
    """SHA-256 of the uncommitted changes, new files included; null: there are none."""
    trigger: str | None = None
    """`schedule`, `ui` (by hand, Prefect's pages or API) or `command line`."""
    parameters: str | None = None
    """The run's request, as JSON: the fields of Prefect's form."""
    devices: str | None = None
    """Each lane's device, as JSON: kind, and the GPU's id; of lanes elsewhere more."""


class TrialRow(Shape, Place, table="trials", key=("run_id", "exercise", "setting", "repeat")):
    """One reading: a setting of an exercise, or a candidate for the optimum, in one of its repeats."""

    repeat: int
    """Number of the repeat, from 1."""
    seed: int
    """Seed of weights, order of images and dropout."""
    protocol: str
    """`lab` or `held-out`."""
    epochs: Epochs
    """Most epochs to train."""
    patience: Epochs | None = None
    """Early stopping on validation loss; null: none."""
    key: str
    """The training this trial reads."""
    reading: str | None = None
    """Names what it reads: `key` and `epochs_run`. Equal in all runs and exercises that read the same, which
    counts once; null if it failed."""
    status: Status
    """`completed` or `failed`."""
    reason: str | None = None
    """Why it failed."""
    attempts: int
    """Times the training was attempted in this run; 0 if it was reused."""
    reused: bool
    """Whether an earlier run trained the last epoch it reads; `trained_by` is that run."""
    trained_by: str | None = None
    """The run that trained the last epoch it reads."""
    epochs_run: Epochs | None = None
    """Epochs the trial reads; fewer than `epochs` if it stopped early."""
    train_loss: Nats | None = None
    """Mean over the last epoch."""
    train_accuracy: Fraction | None = None
    """Mean over the last epoch."""
    validation_loss: Nats | None = None
    """After the last epoch."""
    validation_accuracy: Fraction | None = None
    """After the last epoch."""
    test_loss: Nats | None = None
    """After the last epoch."""
    test_accuracy: Fraction | None = None
    """After the last epoch: the trial's reading."""
    training_seconds: Seconds | None = None
    """Training steps of the epochs read."""
    converged: bool | None = None
    """Whether patience 3 ran out within the epochs read."""
    convergence_epoch: Epochs | None = None
    """Epoch of the last lower validation loss before 3 without one; null if not converged."""
    convergence_seconds: Seconds | None = None
    """Training time up to that epoch; null if not converged."""
    device: str | None = None
    """What it trained on."""
    weights_sha256: str | None = None
    """Hash of the weights after the last epoch."""
    data_fingerprint: str
    """SHA-256 of the images and labels in use."""
    held_out_images: Images
    """Training images set aside for validation; 0 in `lab`."""
    model_version: str
    """Version of the model and training code."""
    git_commit: str | None = None
    """The code's commit."""
    versions: str | None = None
    """Library versions of the training, as JSON."""
    engine: str
    """The program that trains: `native`, `tensorflow` or `keras`."""
    lowest_loss_epoch: Epochs | None = None
    """First epoch with the lowest validation loss of those read."""
    lowest_loss_seconds: Seconds | None = None
    """Training time up to that epoch."""
    target_epoch: Epochs | None = None
    """First epoch at the study's target of validation accuracy, if any."""
    target_seconds: Seconds | None = None
    """Training time up to that epoch; null if not reached."""
    network: str | None = None
    """A network of one's own, such as `network.py:build`; null: the lab's."""
    network_sha256: str | None = None
    """SHA-256 of its file and of what that imports from its folder."""
    parameters: int | None = None
    """Weights and biases of a network of one's own; null: the lab's, or it failed."""
    multiply_adds: int | None = None
    """Of one forward pass of one image, likewise."""


class TrainingRow(Shape, table="trainings", key=("run_id", "key")):
    """A training that the run asked for, failed ones too; several trials may read one."""

    key: str
    """The training; joins with `trials`."""
    training: str
    """The training's label, such as `filters=64 seed=3`."""
    seed: int
    """Seed of weights, order of images and dropout."""
    most_epochs: Epochs
    """The longest epoch budget of its trials."""
    epochs: Epochs | None = None
    """Of these, read by trials of this run; null if it failed."""
    epochs_trained: Epochs
    """Trained in this run."""
    status: Status
    """`completed` or `failed`."""
    reason: str | None = None
    """Why it failed."""
    attempts: int
    """Times it was attempted in this run; 0 if it was reused."""
    reused: bool
    """Whether all of it was read from earlier runs."""
    trained_by: str | None = None
    """The run that trained its last epoch."""
    predicted_seconds: Seconds | None = None
    """Time of a lane predicted before it was trained, after the sweeps for what they decide; 0 if reused."""
    lane_seconds: Seconds
    """Time a lane was busy with it in this run, failed attempts aside; of several threads the time, once."""
    startup_seconds: Seconds | None = None
    """Of it, compiling the step where a lane had not had its shape."""
    training_seconds: Seconds | None = None
    """Training steps of the epochs read, whichever run."""
    evaluation_seconds: Seconds | None = None
    """Evaluation after the epochs read, whichever run."""
    peak_bytes: Bytes | None = None
    """Most memory its lane had held until its end."""
    lane: str | None = None
    """The lane that trained its last epoch."""
    device: str | None = None
    """What that trained on."""
    processor: str | None = None
    """The processor of that lane's machine."""
    finished_at: Moment | None = None
    """When its last epoch was trained."""
    versions: str | None = None
    """Library versions of its last epoch, as JSON."""
    failed_attempts: str | None = None
    """Why attempts failed, in order; null: none."""
    engine: str
    """The program that trains: `native`, `tensorflow` or `keras`."""
    threads: int | None = None
    """Threads that shared the work of its last epoch: the lanes whose cores it took."""


class EpochRow(Row, table="epochs", key=("run_id", "key", "epoch")):
    """An epoch of a training, as far as the run reads it."""

    key: str
    """The training; joins with `trials`."""
    training: str
    """The training's label, such as `filters=64 seed=3`."""
    seed: int
    """Seed of the training."""
    epoch: Epochs
    """Number of the epoch, from 1."""
    train_loss: Nats
    """Mean over the epoch."""
    train_accuracy: Fraction
    """Mean over the epoch."""
    validation_loss: Nats
    """After the epoch."""
    validation_accuracy: Fraction
    """After the epoch."""
    test_loss: Nats
    """After the epoch."""
    test_accuracy: Fraction
    """After the epoch."""
    seconds: Seconds
    """Training steps of the epoch."""
    weights_sha256: str
    """Hash of the weights after the epoch."""
    evaluation_seconds: Seconds
    """Evaluation after the epoch."""
