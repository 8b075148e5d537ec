"""Summarise repeated readings by mean, spread and interval, and the test set's own error."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit


@dataclass(frozen=True)
class Spread:
    """Readings summarised: `low` and `high` are the 95% confidence interval of the mean.

    Standard deviation and interval are NaN for a single reading: one reading supports neither.
    """

    count: int
    mean: float
    standard_deviation: float
    low: float
    high: float
    minimum: float
    maximum: float

    @property
    def has_interval(self) -> bool:
        """Say whether the readings support an interval: a single one, or only equal ones, show no spread."""
        return self.minimum < self.maximum


def summarise(readings: Sequence[float]) -> Spread:
    """Summarise readings by mean, standard deviation (n - 1) and Student's t interval of the mean.

    Raises:
        ValueError: there are no readings.
    """
    if not readings:
        raise ValueError("no readings to summarise; give at least one")
    values = np.asarray(readings, dtype=float)
    mean, count, deviation, half = float(values.mean()), len(values), math.nan, math.nan
    if count > 1:
        deviation = float(values.std(ddof=1))
        half = float(stdtrit(count - 1, 0.975)) * deviation / math.sqrt(count)
    return Spread(count, mean, deviation, mean - half, mean + half, float(values.min()), float(values.max()))


def sampling_error(accuracy: float, images: int) -> float:
    """Return an accuracy's binomial standard error (fraction) from the choice of test images.

    It differs in kind from the spread over seeds, which is read on one and the same test set.
    """
    return math.sqrt(accuracy * (1 - accuracy) / images)
