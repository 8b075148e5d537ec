"""The difference of two means with its standard error: Welch's and the paired t test, by SciPy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import stdtrit

SIGNIFICANCE = 0.05
"""The level of every test: the chance of seeing a difference where there is none."""

SAME = 1e-9
"""Readings closer than this are equal: accuracies are counts over 10,000 images at most."""


@dataclass(frozen=True)
class Difference:
    """The mean of the second sample less that of the first, in the unit of the readings.

    Standard error and degrees of freedom are NaN, and so is every interval, where a sample has fewer than two
    readings; the p value is 1 then. Readings that do not vary have a standard error of 0 and a p value of
    0 or 1.
    """

    difference: float
    standard_error: float
    freedom: float
    p_value: float

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Student's t interval of the difference."""
        if self.standard_error == 0:
            return self.difference, self.difference
        half = self.standard_error * float(stdtrit(self.freedom, (1 + confidence) / 2))
        return self.difference - half, self.difference + half


def welch(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Welch's t test (1947, Biometrika 34:28) of two independent samples.

    Raises:
        ValueError: a sample is empty.
    """
    if not first or not second:
        raise ValueError(f"samples of {len(first)} and {len(second)} readings; give at least one each")
    difference = float(np.mean(second) - np.mean(first))
    if min(len(first), len(second)) < 2:
        return Difference(difference, math.nan, math.nan, 1.0)
    if np.ptp(first) < SAME and np.ptp(second) < SAME:
        return _without_spread(difference, len(first) + len(second) - 2)
    found = stats.ttest_ind(second, first, equal_var=False)
    error = math.sqrt(sum(float(np.var(each, ddof=1)) / len(each) for each in (first, second)))
    return Difference(difference, error, float(found.df), float(found.pvalue))


def paired(first: Sequence[float], second: Sequence[float]) -> Difference:
    """The paired t test; the samples are in the same order.

    Raises:
        ValueError: the samples are empty or not equally long.
    """
    if not first or len(first) != len(second):
        raise ValueError(f"samples of {len(first)} and {len(second)} readings; give as many of both")
    each = np.subtract(second, first)
    difference, count = float(each.mean()), len(each)
    if count < 2:
        return Difference(difference, math.nan, math.nan, 1.0)
    if np.ptp(each) < SAME:
        return _without_spread(difference, count - 1)
    error = float(each.std(ddof=1)) / math.sqrt(count)
    return Difference(difference, error, count - 1, float(stats.ttest_rel(second, first).pvalue))


def _without_spread(difference: float, freedom: float) -> Difference:
    return Difference(difference, 0.0, float(freedom), float(abs(difference) < SAME))
