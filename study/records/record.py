"""The record of a finished training, epoch by epoch, and the rules by which trials read it.

A shorter epoch budget and an early stop are prefixes of a longer training with the same seed, so a trial
needs only the number of epochs it reads: its validation losses alone decide it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Self

from pydantic import Field, model_validator

from study.fact import Fact
from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.spec import EngineName, Hyperparameters, NetworkFile, Protocol

CONVERGENCE_PATIENCE = 3
"""Epochs without a lower validation loss after which a training counts as converged; the published
Exercise 6 stops early with the same patience."""


class StopRule(Fact):
    """The length of one trial: at most `epochs`, ended early by `patience` if it is given."""

    epochs: int
    patience: int | None = None

    def epochs_read(self, validation_losses: Sequence[float]) -> int | None:
        """Return the epochs the trial reads of a training with these losses; None while it needs more."""
        losses = validation_losses[: self.epochs]
        stop = None if self.patience is None else _patience_runs_out(losses, self.patience)
        if stop is not None:
            return stop
        return self.epochs if len(losses) == self.epochs else None


def needs_more(rules: Sequence[StopRule], validation_losses: Sequence[float]) -> bool:
    """Say whether any of the trials that read a training needs another epoch."""
    return any(rule.epochs_read(validation_losses) is None for rule in rules)


def converged_epoch(validation_losses: Sequence[float]) -> int | None:
    """Return the epoch (from 1) of the lowest validation loss before patience ran out, or None."""
    stop = _patience_runs_out(validation_losses, CONVERGENCE_PATIENCE)
    return None if stop is None else stop - CONVERGENCE_PATIENCE


def _patience_runs_out(losses: Sequence[float], patience: int) -> int | None:
    """Return the epoch after which `keras.callbacks.EarlyStopping` (no minimum change) would stop."""
    best, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < best:
            best, waited = loss, 0
        else:
            waited += 1
        if waited >= patience:
            return epoch
    return None


class Source(Fact):
    """The inputs besides hyperparameters and seed that decide the weights: part of every key."""

    protocol: Protocol
    data: str
    """Fingerprint of the images and labels in use, hexadecimal."""
    held_out_images: int
    """Training images set aside for validation; 0 in the lab protocol."""
    model: str
    """Version of the model and training code."""
    tensorflow: str
    """TensorFlow's version if it trains; empty if the native engine does."""
    device: str
    """Kind of device, "CPU" or "GPU": the same seed gives other weights on another kind."""
    engine: EngineName = "tensorflow"
    """The engine that trains: with another engine the same seed gives other weights."""
    images: ImageFacts = Field(FASHION_IMAGES, exclude_if=lambda images: images == FASHION_IMAGES)
    """Shape and classes of the images; no part of the key, as the fingerprint covers them."""
    keras: str = ""
    """Versions of the general engine, see `name_keras`; empty if another engine trains. Of a run, as of its
    plan, this is the engine of those trainings that no other can train."""
    network: NetworkFile | None = Field(None, exclude_if=lambda network: network is None)
    """A network of one's own; None: the lab's."""

    def of(self, hyperparameters: Hyperparameters) -> "Source":
        """Return the facts of one training of a run: the general engine trains what the others cannot."""
        if self.engine == "keras":
            return self
        if self.network is None and hyperparameters.is_accelerated:
            return self.model_copy(update={"keras": ""}) if self.keras else self
        return self.model_copy(update={"engine": "keras", "tensorflow": ""})


def name_keras(keras: str, tensorflow: str) -> str:
    """Return the fact of a `Source` that names the versions of the general engine."""
    return f"Keras {keras}, TensorFlow {tensorflow}"


class NetworkSize(Fact):
    """What a network of one's own has and does, counted from its layers, for one image."""

    parameters: int
    """Weights and biases."""
    multiply_adds: int
    """Of a forward pass: each number of a kernel, as often as it is used."""
    activations: int
    """Numbers that the layers put out."""


class Epoch(Fact):
    """One epoch: losses are mean categorical cross-entropy, accuracies fractions of 1.

    Training loss and accuracy are running means over the epoch, as Keras prints them. `seconds` covers the
    training steps, without evaluation, compiling and warm-up.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float
    evaluation_seconds: float
    weights_sha256: str


class Segment(Fact):
    """The epochs of a training that one run trained without a break, and the machine."""

    epochs: int
    """The number of epochs; they follow those of the segment before."""
    run_id: str
    """The run that trained them."""
    lane: str
    device: str
    processor: str
    """The machine's processor, as it names itself."""
    finished_at: datetime
    startup_seconds: float
    """Building and compiling the training step; near zero on a lane that has the shape already."""
    lane_seconds: float
    """The time the lane was busy with it: startup, training, evaluation."""
    peak_bytes: int
    """Most memory the lane's process had held until then."""
    versions: dict[str, str]
    attempts: int = 1
    """Attempts in that run, the last one included."""
    threads: int = 1
    """Threads that shared the work: they change the seconds, but no weights."""


class TrainingRecord(Fact):
    """A training: its hyperparameters, its machines, and the result of each epoch."""

    key: str
    label: str
    hyperparameters: Hyperparameters
    seed: int
    schedule_epochs: int | None = None
    source: Source
    train_images: int
    """Images trained on in each epoch."""
    evaluation_images: int
    """Images evaluated after each epoch: validation and, if it is another set, test."""
    epochs: tuple[Epoch, ...] = Field(min_length=1)
    segments: tuple[Segment, ...] = Field(min_length=1)
    kept_weights: tuple[int, ...]
    """The epochs whose weights are kept."""
    optimizer_sha256: str
    """Hash of the optimizer's state after the last epoch, from which the training can continue."""
    size: NetworkSize | None = Field(None, exclude_if=lambda size: size is None)
    """Of a network of one's own; the lab's is known from its hyperparameters."""
    diverged: str | None = None
    """The reason for no further epoch: the loss of the next one is not a finite number."""

    @model_validator(mode="after")
    def _check_epochs(self) -> Self:
        found, counted = len(self.epochs), sum(segment.epochs for segment in self.segments)
        if counted != found or any(not 1 <= epoch <= found for epoch in self.kept_weights):
            raise ValueError(
                f"it has {found} epochs, its segments have {counted}, and weights are kept of epochs "
                f"{', '.join(map(str, self.kept_weights))}"
            )
        return self

    @property
    def validation_losses(self) -> list[float]:
        """List the validation loss of each epoch."""
        return [epoch.validation_loss for epoch in self.epochs]

    def read(self, rule: StopRule) -> "Reading | None":
        """Return the reading of a trial with this rule; None if the training is too short for it."""
        count = rule.epochs_read(self.validation_losses)
        return None if count is None else Reading(self.epochs[:count])

    def answers(self, rules: Iterable[StopRule]) -> bool:
        """Say whether it is long enough for all these rules, or cannot get longer."""
        return self.diverged is not None or all(self.read(rule) is not None for rule in rules)

    def segment_of(self, epoch: int) -> Segment:
        """Return the segment of an epoch (from 1)."""
        ends = accumulate(segment.epochs for segment in self.segments)
        return next(segment for segment, end in zip(self.segments, ends, strict=True) if epoch <= end)

    def epochs_by(self, run_id: str) -> int:
        """Count the epochs that a run trained."""
        return sum(segment.epochs for segment in self.segments if segment.run_id == run_id)

    def was_trained_by(self, run_id: str) -> bool:
        """Say whether a run trained a part of it."""
        return any(segment.run_id == run_id for segment in self.segments)

    def attempts_by(self, run_id: str) -> int:
        """Return a run's attempts until it succeeded; 0 if that run only read it."""
        return sum(segment.attempts for segment in self.segments if segment.run_id == run_id)

    def attempted(self, times: int, earlier: int) -> "TrainingRecord":
        """Return this record with all segments but the `earlier` ones as one, of this number of attempts."""
        parts = self.segments[earlier:]
        whole = parts[-1].model_copy(
            update={
                "attempts": times,
                "epochs": sum(part.epochs for part in parts),
                "startup_seconds": sum(part.startup_seconds for part in parts),
                "lane_seconds": sum(part.lane_seconds for part in parts),
                "peak_bytes": max(part.peak_bytes for part in parts),
            }
        )
        return self.model_copy(update={"segments": (*self.segments[:earlier], whole)})

    def is_prefix_of(self, longer: "TrainingRecord") -> bool:
        """Say whether the other record continues, with more epochs, from just these weights."""
        last = self.epochs[-1]
        return (
            self.diverged is None
            and len(longer.epochs) > last.epoch
            and longer.epochs[last.epoch - 1].weights_sha256 == last.weights_sha256
        )

    def continued_by(self, longer: "TrainingRecord") -> "TrainingRecord":
        """Return this record with the further epochs of a longer one, of which it is a prefix."""
        count = len(self.epochs)
        segments, end = list(self.segments), 0
        for segment in longer.segments:
            start, end = end, end + segment.epochs
            if end > count:
                segments.append(segment.model_copy(update={"epochs": end - max(start, count)}))
        return self.model_copy(
            update={
                "epochs": self.epochs + longer.epochs[count:],
                "segments": tuple(segments),
                "kept_weights": tuple(sorted({*self.kept_weights, *longer.kept_weights})),
                "optimizer_sha256": longer.optimizer_sha256,
                "diverged": longer.diverged,
            }
        )


class Reading:
    """The part of a training that a trial reads: its first epochs."""

    def __init__(self, epochs: tuple[Epoch, ...]) -> None:
        self.epochs = epochs
        self.last = epochs[-1]

    @property
    def training_seconds(self) -> float:
        """Return the seconds of training up to the last epoch read."""
        return sum(epoch.seconds for epoch in self.epochs)

    @property
    def converged_epoch(self) -> int | None:
        """Return the epoch of the lowest validation loss, if patience ran out within the epochs read."""
        return converged_epoch([epoch.validation_loss for epoch in self.epochs])

    @property
    def convergence_seconds(self) -> float | None:
        """Return the seconds of training up to the converged epoch; None if it did not converge."""
        return self.seconds_until(self.converged_epoch)

    @property
    def lowest_loss_epoch(self) -> int:
        """Return the first epoch with the lowest validation loss of those read."""
        return min(self.epochs, key=lambda each: each.validation_loss).epoch

    def epoch_reaching(self, accuracy: float) -> int | None:
        """Return the first epoch with validation accuracy (fraction) of at least this; None if none."""
        return next((each.epoch for each in self.epochs if each.validation_accuracy >= accuracy), None)

    def seconds_until(self, epoch: int | None) -> float | None:
        """Return the seconds of training up to the end of an epoch (from 1); None for none."""
        return None if epoch is None else list(accumulate(each.seconds for each in self.epochs))[epoch - 1]
