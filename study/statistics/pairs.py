"""Which settings of a sweep differ: every pair tested, corrected for how many pairs there are."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import stdtr, stdtrit  # not scipy.stats, which takes half a second to import

SIGNIFICANCE = 0.05

Readings = Mapping[int, float]
"""Accuracies (fractions) by seed."""


@dataclass(frozen=True)
class Comparison:
    """The pairs of values whose means differ, and how they were tested."""

    paired: bool
    pairs: int
    different: frozenset[frozenset[float]]

    def differ(self, first: float, second: float) -> bool:
        """Whether the means of two values differ."""
        return frozenset((first, second)) in self.different


def compare(readings: Mapping[float, Readings], paired: bool) -> Comparison:
    """Test every pair of values by Welch's t test, or by a paired t test over the seeds they share.

    Holm's step-down correction (Holm 1979, Scand. J. Stat. 6:65) keeps the chance of any false difference
    at 5%. It covers all pairs, not only those with the best: which one is best is itself read from the data.
    """
    pairs = list(combinations(readings, 2))
    p_values = {pair: _p_value(readings[pair[0]], readings[pair[1]], paired) for pair in pairs}
    different = set()
    for rank, pair in enumerate(sorted(pairs, key=lambda each: p_values[each])):
        if p_values[pair] > SIGNIFICANCE / (len(pairs) - rank):
            break
        different.add(frozenset(pair))
    return Comparison(paired, len(pairs), frozenset(different))


def unseen_difference(first: Readings, second: Readings, comparison: Comparison) -> float:
    """How far apart two means may lie without the first step of the correction seeing it (fraction).

    It is half the width of the Bonferroni interval of their difference; NaN where readings do not vary.
    """
    one, other = _aligned(first, second, comparison.paired)
    if len(one) < 2 or _is_constant(one, other, comparison.paired):
        return float("nan")
    level = 1 - SIGNIFICANCE / comparison.pairs
    test = _test(one, other, comparison.paired)
    return test.standard_error * float(stdtrit(test.freedom, (1 + level) / 2))


def _p_value(first: Readings, second: Readings, paired: bool) -> float:
    one, other = _aligned(first, second, paired)
    if min(len(one), len(other)) < 2:
        return 1.0  # too few to tell
    if _is_constant(one, other, paired):
        return float(one[0] == other[0])  # the test divides by zero here
    test = _test(one, other, paired)
    return 2 * float(stdtr(test.freedom, -abs(test.difference) / test.standard_error))


@dataclass(frozen=True)
class _Test:
    """A t test: the difference of two means, its standard error, and the degrees of freedom."""

    difference: float
    standard_error: float
    freedom: float


def _test(one: list[float], other: list[float], paired: bool) -> _Test:
    """The paired t test, or Welch's (1947, Biometrika 34:28) with his degrees of freedom."""
    if paired:
        differences = np.subtract(one, other)
        error = differences.std(ddof=1) / math.sqrt(len(differences))
        return _Test(float(differences.mean()), float(error), len(differences) - 1)
    first, second = (float(np.var(each, ddof=1)) / len(each) for each in (one, other))
    freedom = (first + second) ** 2 / (first**2 / (len(one) - 1) + second**2 / (len(other) - 1))
    return _Test(float(np.mean(one) - np.mean(other)), math.sqrt(first + second), freedom)


def _aligned(first: Readings, second: Readings, paired: bool) -> tuple[list[float], list[float]]:
    if not paired:
        return list(first.values()), list(second.values())
    shared = sorted(first.keys() & second.keys())
    return [first[seed] for seed in shared], [second[seed] for seed in shared]


def _is_constant(one: list[float], other: list[float], paired: bool) -> bool:
    # Rounding alone must not look like spread: accuracies are counts over 10,000 images at most.
    if paired:
        return bool(np.ptp(np.subtract(one, other)) < 1e-9)
    return bool(np.ptp(one) < 1e-9 and np.ptp(other) < 1e-9)
