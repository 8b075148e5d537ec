"""Whether our readings agree with published ones: a test of equivalence beside a test of difference."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from study.statistics.difference import SIGNIFICANCE, Difference

Verdict = Literal["agrees", "differs", "cannot tell"]


@dataclass(frozen=True)
class Published:
    """A published mean: how many readings it is of, and the standard deviation of a single one.

    `is_own` says whether that deviation is of these very readings; otherwise it is pooled over others, and
    taken as known.
    """

    mean: float
    readings: int
    deviation: float
    is_own: bool


@dataclass(frozen=True)
class Agreement:
    """Our mean less the published one with its 95% interval, and the verdict at a margin; all in one unit."""

    difference: float
    low: float
    high: float
    margin: float
    verdict: Verdict


def judge_agreement(ours: Sequence[float], theirs: Published, margin: float) -> Agreement:
    """Hold our readings against a published mean.

    They agree if two one-sided tests at 5% (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657) reject a
    difference of the margin or more either way: the 90% interval lies within it. Else they differ if the 95%
    interval leaves zero out, and else nobody can tell. The standard error is Welch's. With fewer than two
    readings of ours there is no interval, and nobody can tell.

    Raises:
        ValueError: there is no reading of ours, or the margin is not above 0.
    """
    if not ours or not margin > 0:
        raise ValueError(f"{len(ours)} readings, margin={margin:g}; give at least 1, and a margin above 0")
    found = _difference(ours, theirs)
    low, high = found.interval(1 - SIGNIFICANCE)
    near_low, near_high = found.interval(1 - 2 * SIGNIFICANCE)
    verdict: Verdict = "cannot tell"  # also where the interval is NaN: comparisons with that are false
    if -margin < near_low and near_high < margin:
        verdict = "agrees"
    elif low > 0 or high < 0:
        verdict = "differs"
    return Agreement(found.difference, low, high, margin, verdict)


def pooled_deviation(cells: Iterable[Sequence[float]]) -> float:
    """The standard deviation of one reading, pooled over settings with at least two.

    Raises:
        ValueError: no setting has two readings.
    """
    repeated = [each for each in cells if len(each) > 1]
    if not repeated:
        raise ValueError("no setting has two readings; a single one says nothing of their spread")
    freedom = sum(len(each) - 1 for each in repeated)
    squares = sum(float(np.var(each, ddof=1)) * (len(each) - 1) for each in repeated)
    return math.sqrt(squares / freedom)


def _difference(ours: Sequence[float], theirs: Published) -> Difference:
    """Welch's standard error and degrees of freedom (1947, Biometrika 34:28) of the two means."""
    count, difference = len(ours), float(np.mean(ours)) - theirs.mean
    if count < 2:
        return Difference(difference, math.nan, math.nan, math.nan)
    our_part = float(np.var(ours, ddof=1)) / count
    their_part = theirs.deviation**2 / theirs.readings
    if our_part + their_part == 0:
        return Difference(difference, 0.0, count - 1.0, math.nan)
    # A deviation that is known adds no uncertainty of its own: its degrees of freedom are endless.
    spread = our_part**2 / (count - 1)
    if theirs.is_own:
        spread += their_part**2 / (theirs.readings - 1)
    freedom = (our_part + their_part) ** 2 / spread if spread else math.inf
    return Difference(difference, math.sqrt(our_part + their_part), freedom, math.nan)
