"""The readings of a setting, from which answers, claims and comparisons are made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from study.fashion_mnist import FASHION_IMAGES


def collapse_at(classes: int) -> float:
    """Return the accuracy (fraction) at or under which a training has collapsed.

    It is twice the score of guessing; of few classes, where that is much, a tenth of the way from guessing to
    1. With ten classes, to which both come close, it is 0.2.
    """
    return min(2 / classes, 1 / classes + (1 - 1 / classes) / 10) if classes < 10 else 2 / classes


@dataclass(frozen=True)
class SettingReadings:
    """Test accuracies (fractions) of one setting's completed trials by seed, and its failed trials."""

    test: Mapping[int, float] = field(default_factory=dict)
    failed: int = 0
    classes: int = FASHION_IMAGES.classes
    """The number of classes that guessing chooses from."""

    @property
    def collapse_at(self) -> float:
        """Return the accuracy at or under which a trial has collapsed."""
        return collapse_at(self.classes)

    @property
    def mean(self) -> float:
        """Return the mean test accuracy."""
        return float(np.mean(list(self.test.values())))

    @property
    def collapsed(self) -> int:
        """Count the collapsed trials."""
        return count_collapsed(self.test.values(), self.classes)


@dataclass(frozen=True)
class Read:
    """The reading of one trial: its accuracy (fraction) and the hash of its weights."""

    accuracy: float
    weights: str


SettingId = tuple[int, str]
"""Exercise and name of a setting."""

Sweep = Mapping[float, SettingReadings]
"""The readings of a sweep's settings, by value."""


@dataclass(frozen=True)
class Times:
    """When the completed trials of a setting converged, in epochs and in seconds of training.

    `open_epochs` and `open_seconds` are of the trials that did not: their lowest validation loss so far.
    """

    epochs: tuple[int, ...] = ()
    seconds: tuple[float, ...] = ()
    open_epochs: tuple[int, ...] = ()
    open_seconds: tuple[float, ...] = ()

    @property
    def trials(self) -> int:
        """Count the completed trials."""
        return len(self.epochs) + len(self.open_epochs)


@dataclass(frozen=True)
class Curve:
    """Mean validation loss (nats) after each epoch, and mean training accuracy (fraction) at the end."""

    losses: tuple[float, ...]
    train_accuracy: float


@dataclass(frozen=True)
class Measured:
    """What was measured of a sweep: readings and times by value, and the curve of its longest trainings."""

    readings: Sweep
    times: Mapping[float, Times]
    curve: Curve | None = None


def count_collapsed(accuracies: Iterable[float], classes: int = FASHION_IMAGES.classes) -> int:
    """Count the test accuracies (fractions) of collapsed trainings."""
    return sum(accuracy <= collapse_at(classes) for accuracy in accuracies)
