"""Compute the difference that a number of repeats would find, and the repeats that a difference needs."""

import math
from bisect import bisect_left
from functools import lru_cache

import numpy as np
from scipy.special import gammaincinv, ndtr, stdtrit

from study.statistics.difference import SIGNIFICANCE

POWER = 0.8
"""The customary chance of seeing a real difference (Cohen 1988, Statistical Power Analysis)."""

MAX_REPEATS = 1_000_000

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(400)
_QUANTILES, _WEIGHTS = (1 + _NODES) / 2, _NODE_WEIGHTS / 2


def power_of(
    difference: float,
    deviation: float,
    repeats: int,
    level: float = SIGNIFICANCE,
    paired: bool = False,
    variance_ratio: float = 1.0,
) -> float:
    """Return the chance that a two-sided t test sees a difference of means, by the noncentral t distribution.

    Args:
        difference: The true difference, in the unit of `deviation`.
        deviation: Standard deviation of one reading; if `paired`, of the differences of the pairs.
        repeats: Readings of each setting; if `paired`, pairs.
        level: The chance of seeing a difference if there is none.
        paired: Whether the test is the paired one.
        variance_ratio: If not paired, the variance of one setting over that of the other; if it is not 1,
            `deviation` is the root of their mean, and Welch's test has fewer degrees of freedom.

    Raises:
        ValueError: fewer than two repeats, or no deviation.
    """
    if repeats < 2 or not deviation > 0:
        raise ValueError(f"repeats={repeats}, deviation={deviation:g}; give at least 2, and more than 0")
    freedom = (repeats - 1) * (1.0 if paired else _welch_freedom(variance_ratio))
    shift = abs(difference) / deviation * math.sqrt(repeats if paired else repeats / 2)
    return _exceeds(float(stdtrit(freedom, 1 - level / 2)), freedom, shift)


def _welch_freedom(variance_ratio: float) -> float:
    """Return Welch's degrees of freedom a repeat, less one repeat, of equal samples: 2 if variances equal."""
    return (1 + variance_ratio) ** 2 / (1 + variance_ratio**2)


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


def detectable_difference(
    deviation: float,
    repeats: int,
    level: float = SIGNIFICANCE,
    paired: bool = False,
    variance_ratio: float = 1.0,
) -> float:
    """Return the least difference found with a chance of `POWER`, in the unit of `deviation`; see `power_of`.

    Raises:
        ValueError: fewer than two repeats, or no deviation.
    """
    low, high = 0.0, deviation
    while power_of(high, deviation, repeats, level, paired, variance_ratio) < POWER:
        low, high = high, 2 * high
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        is_seen = power_of(middle, deviation, repeats, level, paired, variance_ratio) >= POWER
        low, high = (low, middle) if is_seen else (middle, high)
    return high


def repeats_needed(
    difference: float,
    deviation: float,
    level: float = SIGNIFICANCE,
    paired: bool = False,
    variance_ratio: float = 1.0,
) -> int | None:
    """Return the fewest repeats that find a difference with a chance of `POWER`; see `power_of`.

    None if a million would not do: the difference is practically zero.

    Raises:
        ValueError: there is no deviation.
    """
    repeats = range(2, MAX_REPEATS + 1)
    place = bisect_left(
        repeats, POWER, key=lambda each: power_of(difference, deviation, each, level, paired, variance_ratio)
    )
    return repeats[place] if place < len(repeats) else None


def smallest_permutation_p(first: int, second: int, paired: bool = False) -> float:
    """Return the smallest p value that a two-sided permutation test can reach, for readings far apart.

    This test makes no assumption about the spread of readings: if it cannot reach a level, a claimed
    difference at that level rests on the normal distribution. Paired, 2 of the 2^n signs are equally extreme;
    otherwise one of the arrangements of two samples, and its mirror image if they are equally large.

    Raises:
        ValueError: a sample is empty, or pairs are not equally many of both.
    """
    if min(first, second) < 1 or (paired and first != second):
        raise ValueError(f"{first} and {second} readings; give at least 1 of each, equally many if paired")
    if paired:
        return 2.0 ** (1 - first)
    extreme = 2 if first == second else 1
    return extreme / math.comb(first + second, first)
