"""Correct the comparison of two settings for the number of settings: step by step, in order, or by Holm.

The module `pairwise` says which of these judges which pairs, and why.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import stdtr, stdtrit
from scipy.stats import studentized_range
from statsmodels.stats.libqsturng import qsturng

from study.statistics.difference import SIGNIFICANCE, Difference


@dataclass(frozen=True)
class Family:
    """A distribution by which a difference is corrected for being one of a number."""

    p_value: Callable[[Difference, int], float]
    """Return the corrected p value of a difference, as one of this number."""
    critical: Callable[[float, int], float]
    """Return the t from which means differ, for degrees of freedom and that number."""


def _studentized_p(found: Difference, settings: int) -> float:
    """Return the chance of a difference this large between any two of this many settings."""
    if not found.standard_error > 0:
        return found.p_value
    return _range_p(math.sqrt(2) * abs(found.difference) / found.standard_error, settings, found.freedom)


@lru_cache(maxsize=4096)  # an integral: 9 ms
def _range_p(studentized: float, settings: int, freedom: float) -> float:
    return float(studentized_range.sf(studentized, settings, freedom))


@lru_cache(maxsize=4096)
def _studentized_critical(freedom: float, settings: int) -> float:
    """Return Welch's t from which one of this many settings differs from another.

    SciPy's quantile takes 80 ms; we improve Gleason's approximation (1999) by a step of the secant method.
    """
    if freedom < 2:  # the approximation begins there
        return float(studentized_range.ppf(1 - SIGNIFICANCE, settings, freedom)) / math.sqrt(2)
    near = float(qsturng(1 - SIGNIFICANCE, settings, freedom))
    further = 1.001 * near
    chances = _range_p(near, settings, freedom), _range_p(further, settings, freedom)
    exact = near + (further - near) * (chances[0] - SIGNIFICANCE) / (chances[0] - chances[1])
    return exact / math.sqrt(2)


STUDENTIZED_RANGE = Family(_studentized_p, _studentized_critical)

STUDENT_T = Family(
    lambda found, pairs: min(1.0, pairs * found.p_value),
    lambda freedom, pairs: float(stdtrit(freedom, 1 - SIGNIFICANCE / (2 * pairs))),
)


@dataclass(frozen=True)
class Corrected:
    """A difference, and how it is corrected.

    `at_least` is the largest p value of the steps before. `has_ended`: one before it, in a fixed order, does
    not differ; then no later one does.
    """

    difference: Difference
    family: Family
    number: int
    at_least: float = 0.0
    has_ended: bool = False

    @cached_property
    def p_value(self) -> float:
        """Return the corrected p value."""
        return max(self.at_least, self.family.p_value(self.difference, self.number))

    @cached_property
    def critical(self) -> float:
        """Return the t from which the means differ."""
        return self.family.critical(self.difference.freedom, self.number)

    @property
    def level(self) -> float:
        """Return the p value, before it is corrected, up to which the means differ."""
        return 2 * float(stdtr(self.difference.freedom, -self.critical))

    @property
    def interval(self) -> tuple[float, float]:
        """Return the interval of the difference that holds zero just where the means do not differ."""
        found = self.difference
        half = self.critical * found.standard_error if found.standard_error > 0 else found.standard_error
        low, high = found.difference - half, found.difference + half
        # Hsu and Berger 1999, J. Am. Stat. Assoc. 94:468
        return (min(low, 0.0), max(high, 0.0)) if self.has_ended else (low, high)


Pair = tuple[float, float]


def step_down(found: Mapping[Pair, Difference], family: Family, number: int) -> dict[Pair, Corrected]:
    """Judge the clearest first as one of `number`, each next as one of fewer, while they differ."""
    left, done, largest = dict(found), dict[Pair, Corrected](), 0.0
    while left:
        tried = {pair: Corrected(each, family, number, largest) for pair, each in left.items()}
        pair = min(tried, key=lambda each: family.p_value(left[each], number))
        done[pair], largest = tried[pair], tried[pair].p_value
        del left[pair]
        number -= largest <= SIGNIFICANCE
    return done


def in_order(found: Mapping[Pair, Difference]) -> dict[Pair, Corrected]:
    """Judge each alone, in this order, and none after one that does not differ."""
    done, largest = dict[Pair, Corrected](), 0.0
    for pair in sorted(found):
        done[pair] = Corrected(found[pair], STUDENT_T, 1, largest, largest > SIGNIFICANCE)
        largest = done[pair].p_value
    return done


def correct(p_values: Sequence[float]) -> list[float]:
    """Correct p values for their number, by Holm's step-down procedure.

    We do not use statsmodels' `multipletests`: it collects the whole process's garbage at each call (a tenth
    of a second in a run). A test compares the two.
    """
    order = np.argsort(p_values)
    steps = (len(p_values) - np.arange(len(p_values))) * np.asarray(p_values)[order]
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(each) for each in corrected]
