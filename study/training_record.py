"""What a finished training leaves behind, epoch by epoch."""

from datetime import datetime
from itertools import accumulate

from study.fact import Fact
from study.spec import Hyperparameters
from study.stopping import StopRule, converged_epoch


class Epoch(Fact):
    """One epoch: losses are mean categorical cross-entropy, accuracies fractions of 1.

    Training loss and accuracy are running means over the epoch, as Keras prints them. `seconds` covers the
    training steps, without validation, compiling and warm-up.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float
    weights_sha256: str


class TrainingRecord(Fact):
    """A training: what was trained, on what, and how each epoch went."""

    key: str
    label: str
    hyperparameters: Hyperparameters
    seed: int
    epochs: tuple[Epoch, ...]
    startup_seconds: float
    """Building and compiling the training step; near zero on a lane that has the shape already."""
    device: str
    lane: str
    finished_at: datetime
    run_id: str
    """The run that trained it."""
    versions: dict[str, str]

    @property
    def validation_losses(self) -> list[float]:
        """Validation loss of each epoch."""
        return [epoch.validation_loss for epoch in self.epochs]

    def read(self, rule: StopRule) -> "Reading | None":
        """What a trial with this rule reads; None if the training is too short for it."""
        count = rule.epochs_read(self.validation_losses)
        return None if count is None else Reading(self.epochs[:count])


class Reading:
    """What a trial reads of a training: its first epochs."""

    def __init__(self, epochs: tuple[Epoch, ...]) -> None:
        self.epochs = epochs
        self.last = epochs[-1]

    @property
    def training_seconds(self) -> float:
        """Seconds of training up to the last epoch read."""
        return sum(epoch.seconds for epoch in self.epochs)

    @property
    def converged_epoch(self) -> int | None:
        """The epoch of the lowest validation loss, if patience ran out within the epochs read."""
        return converged_epoch([epoch.validation_loss for epoch in self.epochs])

    @property
    def convergence_seconds(self) -> float | None:
        """Seconds of training up to the converged epoch; None if it did not converge."""
        epoch = self.converged_epoch
        return None if epoch is None else list(accumulate(each.seconds for each in self.epochs))[epoch - 1]
