"""Estimate the difference of two means, with its standard error, and judge it at a margin."""

import math
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.special import stdtr, stdtrit

from study.status import Agreement

SIGNIFICANCE = 0.05
"""The level of every test: the chance of seeing a difference if there is none."""

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
    """Compare two independent samples by Welch's t test (1947, Biometrika 34:28).

    Raises:
        ValueError: a sample is empty.
    """
    if not first or not second:
        raise ValueError(f"samples of {len(first)} and {len(second)} readings; give at least one each")
    difference = float(np.mean(second) - np.mean(first))
    if min(len(first), len(second)) < 2:
        return Difference(difference, math.nan, math.nan, 1.0)
    return _by_welch(difference, [_part(second), _part(first)])


def paired(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Compare two samples in the same order by the paired t test.

    Raises:
        ValueError: the samples are empty or not equally long.
    """
    if not first or len(first) != len(second):
        raise ValueError(f"samples of {len(first)} and {len(second)} readings; give the same number of both")
    each = np.subtract(second, first)
    difference, count = float(each.mean()), len(each)
    if count < 2:
        return Difference(difference, math.nan, math.nan, 1.0)
    return _by_student(difference, float(each.std(ddof=1)) / math.sqrt(count), count - 1)


def contrast(groups: Sequence[Sequence[float]], control: Sequence[float]) -> Difference:
    """Compare the mean of several samples' means with a control by Welch's t test of that contrast.

    Each has two readings at least. Degrees of freedom are Satterthwaite's (1946, Biometrics Bull. 2:110); of
    one group it is `welch`.
    """
    weight = 1 / len(groups)
    difference = math.fsum(weight * float(np.mean(each)) for each in groups) - float(np.mean(control))
    return _by_welch(difference, [*(_part(each, weight) for each in groups), _part(control)])


Part = tuple[float, float]
"""What one mean adds to the squared standard error of a difference, and its degrees of freedom."""


def _part(readings: Sequence[float], weight: float = 1.0) -> Part:
    count = len(readings)
    return weight**2 * float(np.var(readings, ddof=1)) / count, count - 1.0


def _by_welch(difference: float, parts: Sequence[Part]) -> Difference:
    """Add up the parts, the degrees of freedom as Welch (1947) and Satterthwaite (1946) do.

    Not by SciPy's `ttest_ind`, which warns of a loss of precision where the readings of a sample are equal.
    """
    total = math.fsum(part for part, _ in parts)
    uncertain = math.fsum(part**2 / freedom for part, freedom in parts)
    return _by_student(difference, math.sqrt(total), total**2 / uncertain if uncertain else math.inf)


def _by_student(difference: float, error: float, freedom: float) -> Difference:
    """Return a difference with the two-sided p value of Student's t."""
    if error < SAME:
        return Difference(difference, 0.0, freedom, float(abs(difference) < SAME))
    return Difference(difference, error, freedom, 2 * float(stdtr(freedom, -abs(difference) / error)))


@dataclass(frozen=True)
class Published:
    """A published mean, its number of readings, and the standard deviation of a single one.

    `is_own` says whether that deviation comes from these readings; otherwise it is pooled over others, and
    counts as known.
    """

    mean: float
    readings: int
    deviation: float
    is_own: bool


@dataclass(frozen=True)
class Comparison:
    """Our mean less the published one with its 95% interval, and the verdict; all in one unit.

    `expected_low` and `expected_high` are where a mean of as many of our readings as were published would lie
    in 95% of cases: the prediction interval of Student's t.
    """

    difference: float
    low: float
    high: float
    expected_low: float
    expected_high: float
    verdict: Agreement


def judge_agreement(ours: Sequence[float], theirs: Published, margin: float) -> Comparison:
    """Compare our readings with a published mean.

    They agree if two one-sided tests at 5% (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657) reject a
    difference of the margin or more either way: the 90% interval lies within it. With four or five readings
    of each that is nearly out of reach; so they are consistent if the published mean lies where a mean of as
    many of our readings is expected, and else they differ. With fewer than two readings of ours there is no
    interval, and it is undecided.
    """
    found = _difference(ours, theirs)
    low, high = found.interval(1 - SIGNIFICANCE)
    near_low, near_high = found.interval(1 - 2 * SIGNIFICANCE)
    expected = _expected_mean(ours, theirs.readings)
    if math.isnan(expected[0]):
        verdict = Agreement.UNDECIDED
    elif -margin < near_low and near_high < margin:
        verdict = Agreement.AGREES
    elif expected[0] <= theirs.mean <= expected[1]:
        verdict = Agreement.CONSISTENT
    else:
        verdict = Agreement.DIFFERS
    return Comparison(found.difference, low, high, *expected, verdict)


def _expected_mean(ours: Sequence[float], readings: int) -> tuple[float, float]:
    """Return the 95% prediction interval of the mean of this many further readings (Geisser 1993, ch. 2)."""
    count = len(ours)
    if count < 2:
        return math.nan, math.nan
    error = float(np.std(ours, ddof=1)) * math.sqrt(1 / count + 1 / readings)
    half = float(stdtrit(count - 1, 1 - SIGNIFICANCE / 2)) * error
    middle = float(np.mean(ours))
    return middle - half, middle + half


Reading = TypeVar("Reading", bound=Hashable)


def pool_differences(cells: Sequence[tuple[Mapping[Reading, float], Published]]) -> Difference:
    """Average our means less the published ones over settings, each weighted by its precision.

    A reading that stands in several settings, such as those of a baseline, counts as one: our readings are
    given by what identifies them.

    Raises:
        ValueError: no setting has two readings of ours.
    """
    repeated = [(ours, theirs) for ours, theirs in cells if len(ours) > 1]
    if not repeated:
        raise ValueError("no setting has two readings; nothing can be pooled")
    differences = [_difference(list(ours.values()), theirs) for ours, theirs in repeated]
    precision = np.array([1 / max(each.standard_error, SAME) ** 2 for each in differences])
    weights = [float(each) for each in precision / precision.sum()]
    shares: dict[Reading, float] = {}
    variances: dict[Reading, float] = {}
    for weight, (ours, _) in zip(weights, repeated, strict=True):
        variance = float(np.var(list(ours.values()), ddof=1))
        for reading in ours:
            shares[reading] = shares.get(reading, 0.0) + weight / len(ours)
            variances[reading] = max(variances.get(reading, 0.0), variance)
    of_ours = math.fsum(shares[each] ** 2 * variances[each] for each in shares)
    of_theirs = math.fsum(
        weight**2 * theirs.deviation**2 / theirs.readings
        for weight, (_, theirs) in zip(weights, repeated, strict=True)
    )
    difference = math.fsum(w * each.difference for w, each in zip(weights, differences, strict=True))
    freedom = max(float(len(shares) - len(repeated)), 1.0)
    return _by_student(difference, math.sqrt(of_ours + of_theirs), freedom)


def pooled_deviation(cells: Iterable[Collection[float]]) -> float | None:
    """Return the standard deviation of one reading, pooled over settings with two or more; None for none."""
    repeated = [list(each) for each in cells if len(each) > 1]
    if not repeated:
        return None
    freedom = sum(len(each) - 1 for each in repeated)
    squares = sum(float(np.var(each, ddof=1)) * (len(each) - 1) for each in repeated)
    return math.sqrt(squares / freedom)


def _difference(ours: Sequence[float], theirs: Published) -> Difference:
    """Compare the two means by Welch's test; a known deviation has infinite degrees of freedom."""
    difference = float(np.mean(ours)) - theirs.mean
    if len(ours) < 2:
        return Difference(difference, math.nan, math.nan, 1.0)
    their_freedom = theirs.readings - 1.0 if theirs.is_own else math.inf
    return _by_welch(difference, [_part(ours), (theirs.deviation**2 / theirs.readings, their_freedom)])
