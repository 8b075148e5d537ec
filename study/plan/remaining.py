"""Estimate the remaining time of a run: predictions, corrected by how long epochs have taken so far."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from study.plan.cost import KNOWN_SPREAD, UNKNOWN_SPREAD, Shape
from study.plan.forecast import FurtherTrainings, Job, simulate_makespan

_NORMAL_95 = 1.96

REST_SPREAD = 0.25
"""Standard deviation of the time after the last training, as a part of it: a guess."""


@dataclass(frozen=True)
class Expected:
    """What is expected of one training that has not ended."""

    seconds: float
    """Seconds of a lane; 0 if it is read from an earlier run."""
    epochs: int = 1
    most_epochs: int = 1
    """Epochs if it does not stop early."""
    spread: float = 0.0
    """Standard deviation of the seconds, besides the error that trainings of its shape share."""
    shape: Shape | None = None
    kept_epochs: int = 0
    """Epochs that were trained before; `epochs` are further ones."""

    @classmethod
    def of(cls, job: Job) -> "Expected":
        """Return what a forecast expects of a training."""
        shape = Shape.of(job.training.hyperparameters)
        most, kept = job.training.most_epochs, job.kept_epochs
        return cls(job.seconds, max(1, job.epochs), most, job.spread, shape, kept)

    @property
    def epoch_seconds(self) -> float:
        """Return the seconds of one epoch."""
        return self.seconds / self.epochs


@dataclass(frozen=True)
class Running:
    """What is known of a training that a lane trains now."""

    expected: Expected
    epochs: int = 0
    """Epochs of those expected that have ended, in earlier attempts, too."""
    epoch_seconds: float | None = None
    """Mean seconds of those that have ended since the lane began."""
    since: float = 0.0
    """Seconds since the last one ended, or since the lane began."""

    def left(self, factor: float) -> float:
        """Return the seconds left, if an epoch takes this many times longer than predicted.

        An epoch that should be over takes another tenth of the time since its start; a training that should
        be over, another epoch.
        """
        each = self.expected.epoch_seconds * factor
        further = max(self.expected.epochs - self.epochs, 1) - 1
        return further * each + max(each - self.since, max(each, self.since) / 10)


class SpeedErrors:
    """How many times longer than predicted epochs take: an error of the whole run, and one of each shape.

    Their logarithms are normal, with known spreads: a hierarchical model, whose estimates are drawn towards
    one as long as little is known (Gelman et al., "Bayesian Data Analysis", 3rd ed., section 5.4).
    """

    def __init__(self, common_spread: float) -> None:
        self._prior = 1 / common_spread**2
        self._counts: Counter[Shape | None] = Counter()
        self._totals: defaultdict[Shape | None, float] = defaultdict(float)
        self._estimate()

    def observe(self, expected: Expected, epoch_seconds: float) -> None:
        """Add how long the epochs of one training took, on average."""
        self._counts[expected.shape] += 1
        self._totals[expected.shape] += math.log(epoch_seconds / expected.epoch_seconds)
        self._estimate()

    def including(self, running: Iterable[Running]) -> "SpeedErrors":
        """Return these errors with what is known of trainings that have not ended."""
        found = SpeedErrors(self._prior**-0.5)
        found._counts, found._totals = self._counts.copy(), self._totals.copy()
        for each in running:
            if each.epoch_seconds is not None and each.expected.seconds > 0:
                found.observe(each.expected, each.epoch_seconds)
        found._estimate()
        return found

    def factor(self, shape: Shape | None) -> float:
        """Return how many times longer than predicted a shape's epochs take, as estimated."""
        trust = self._trust(shape)
        return math.exp((1 - trust) * self._common + (trust * self._mean(shape) if trust else 0.0))

    def spread(self, by_shape: Mapping[Shape | None, float]) -> float:
        """Return the standard deviation of the sum of corrected seconds that are given by shape."""
        doubts = {shape: 1 - self._trust(shape) for shape in by_shape}
        shared = sum(doubts[shape] * seconds for shape, seconds in by_shape.items())
        own = sum(doubts[shape] * seconds**2 for shape, seconds in by_shape.items())
        return math.sqrt(self._variance * shared**2 + UNKNOWN_SPREAD**2 * own)

    def _estimate(self) -> None:
        """Estimate the error of the whole run, and its variance."""
        weights = {shape: 1 / self._variance_of_mean(shape) for shape in self._counts}
        self._variance = 1 / (self._prior + sum(weights.values()))
        self._common = self._variance * sum(each * self._mean(shape) for shape, each in weights.items())

    def _mean(self, shape: Shape | None) -> float:
        return self._totals[shape] / self._counts[shape]

    def _variance_of_mean(self, shape: Shape | None) -> float:
        return UNKNOWN_SPREAD**2 + KNOWN_SPREAD**2 / self._counts[shape]

    def _trust(self, shape: Shape | None) -> float:
        """Return the weight of a shape's own observations, between 0 and 1."""
        return UNKNOWN_SPREAD**2 / self._variance_of_mean(shape) if shape in self._counts else 0.0


@dataclass(frozen=True)
class Work:
    """Corrected work: seconds of wall time by shape, and the variance of what single trainings add."""

    by_shape: Mapping[Shape | None, float]
    variance: float


class Phase:
    """The trainings of one phase that have not ended."""

    def __init__(self, expected: Iterable[Expected]) -> None:
        self._by_shape: Counter[Shape | None] = Counter()
        self._variance = 0.0
        self.count = 0
        """Number of those that have to be trained."""
        for each in expected:
            self._change(each, 1)

    def end(self, expected: Expected) -> None:
        """Take away a training that has ended."""
        self._change(expected, -1)

    def left(
        self, running: Sequence[Running], longest: Expected | None, lanes: int, errors: SpeedErrors
    ) -> Work:
        """Return the work that is left, given the running trainings and the longest of the waiting ones.

        Lanes share it evenly, but it never ends before the longest training alone would.
        """
        by_shape = {shape: each * errors.factor(shape) for shape, each in self._by_shape.items()}
        least = 0.0 if longest is None else longest.seconds * errors.factor(longest.shape)
        for each in running:
            factor = errors.factor(each.expected.shape)
            left = each.left(factor)
            by_shape[each.expected.shape] += left - each.expected.seconds * factor
            least = max(least, left)
        lanes, total = max(1, min(lanes, self.count)), sum(by_shape.values())
        part = max(1 / lanes, least / total) if total > 0 else 0.0
        return Work({shape: each * part for shape, each in by_shape.items()}, self._variance / lanes**2)

    def _change(self, each: Expected, sign: int) -> None:
        if each.seconds > 0:
            self.count += sign
            self._by_shape[each.shape] += sign * each.seconds  # type: ignore[assignment]  # of floats
            self._variance = max(0.0, self._variance + sign * each.spread**2)


def work_of(further: FurtherTrainings, lanes: int, errors: SpeedErrors) -> Work:
    """Return the work of trainings that depend on the results of others."""
    shape = None if further.training is None else Shape.of(further.training.hyperparameters)
    seconds = simulate_makespan(further.seconds, max(1, lanes)) * errors.factor(shape)
    return Work({shape: seconds}, further.spread**2)


@dataclass(frozen=True)
class Remaining:
    """The remaining seconds, as expected, and the standard deviation of their error."""

    seconds: float
    spread: float = 0.0

    @classmethod
    def of(cls, works: Sequence[Work], errors: SpeedErrors, rest: float = 0.0) -> "Remaining":
        """Add up what is left of each phase, and the seconds after the last training."""
        by_shape: defaultdict[Shape | None, float] = defaultdict(float)
        for work in works:
            for shape, seconds in work.by_shape.items():
                by_shape[shape] += seconds
        variance = sum(work.variance for work in works) + (REST_SPREAD * rest) ** 2
        return cls(sum(by_shape.values()) + rest, math.hypot(errors.spread(by_shape), variance**0.5))

    @property
    def interval(self) -> tuple[float, float]:
        """Return a 95% interval, of which the lower end is a tenth of the expected seconds or more."""
        half = _NORMAL_95 * self.spread
        return max(self.seconds - half, self.seconds / 10), self.seconds + half
