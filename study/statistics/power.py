"""Compute the difference that a number of repeats would find, and the repeats that a difference needs."""

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaincinv, ndtr, stdtrit

from study.statistics.difference import SIGNIFICANCE

POWER = 0.8
"""The customary chance of seeing a real difference (Cohen 1988, Statistical Power Analysis)."""

MAX_REPEATS = 1_000_000
"""A difference that needs more repeats is practically zero."""

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(400)
_QUANTILES, _WEIGHTS = (1 + _NODES) / 2, _NODE_WEIGHTS / 2


@dataclass(frozen=True)
class TTest:
    """A two-sided t test of two settings with equally many readings, the paired one or Welch's.

    Differences and `deviation` are in one unit; that is the standard deviation of one reading or, if paired,
    of the pairs' differences. `level` is the chance of seeing a difference if there is none. `variance_ratio`
    is the variance of one setting over that of the other: if it is not 1, `deviation` is the root of their
    mean, and Welch's test has fewer degrees of freedom.
    """

    deviation: float
    level: float = SIGNIFICANCE
    is_paired: bool = False
    variance_ratio: float = 1.0

    def power(self, difference: float, repeats: int) -> float:
        """Return the chance that two repeats or more see a true difference, by the noncentral t."""
        unequal = (1 + self.variance_ratio) ** 2 / (
            1 + self.variance_ratio**2
        )  # Welch's; 2 if they are equal
        freedom = (repeats - 1) * (1.0 if self.is_paired else unequal)
        shift = abs(difference) / self.deviation * math.sqrt(repeats if self.is_paired else repeats / 2)
        return _exceeds(float(stdtrit(freedom, 1 - self.level / 2)), freedom, shift)

    def detectable(self, repeats: int) -> float:
        """Return the least difference that this many repeats find with a chance of `POWER`."""
        low, high = 0.0, self.deviation
        while self.power(high, repeats) < POWER:
            low, high = high, 2 * high
        while high - low > 1e-6 * high:
            middle = (low + high) / 2
            low, high = (low, middle) if self.power(middle, repeats) >= POWER else (middle, high)
        return high

    def needed(self, difference: float) -> int | None:
        """Return the fewest repeats that find a difference with a chance of `POWER`; None: over a million."""
        repeats = range(2, MAX_REPEATS + 1)
        place = bisect_left(repeats, POWER, key=lambda each: self.power(difference, each))
        return repeats[place] if place < len(repeats) else None


def _exceeds(critical: float, freedom: float, shift: float) -> float:
    """Return the chance that a noncentral t lies beyond a critical value on either side.

    By definition this t is a shifted normal over the root of a chi-squared: we average the normal's chance
    over quantiles of the latter. SciPy's noncentral t, and so statsmodels' power, is NaN or too large for few
    repeats and large differences.
    """
    scale = _scale(freedom)
    chances = ndtr(shift - critical * scale) + ndtr(-shift - critical * scale)
    return float(_WEIGHTS @ chances)


@lru_cache(maxsize=4096)  # calls repeat the same few numbers of repeats, and this takes longest
def _scale(freedom: float) -> np.ndarray:
    """Return quantiles of a standard deviation over its true value, `(400,)`."""
    return np.asarray(np.sqrt(2 * gammaincinv(freedom / 2, _QUANTILES) / freedom))


def smallest_permutation_p(first: int, second: int, is_paired: bool) -> float:
    """Return the smallest p value that a two-sided permutation test can reach, for readings far apart.

    This test makes no assumption about the spread of readings: if it cannot reach a level, a claimed
    difference at that level rests on the normal distribution. Paired, 2 of the 2^n signs are equally extreme;
    otherwise one of the arrangements of two samples, and its mirror image if they are equally large.
    """
    if is_paired:
        return 2.0 ** (1 - first)
    extreme = 2 if first == second else 1
    return extreme / math.comb(first + second, first)
