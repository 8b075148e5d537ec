"""Find the settings of a sweep that differ: test every pair, corrected for the number of pairs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Literal

import numpy as np
from scipy.special import ndtri
from statsmodels.stats.meta_analysis import effectsize_smd

from study.statistics.difference import SAME, SIGNIFICANCE, Difference, paired, welch
from study.statistics.power import detectable_difference, repeats_needed, smallest_permutation_p

Readings = Mapping[int, float]
"""Accuracies (fractions) by seed."""

Test = Literal["welch", "paired t"]

_MOST_UNEQUAL = 1e6
"""A ratio of variances beyond which only the larger one counts."""

_CORRECTED_FROM = 4
"""The fewest readings of both settings together for an interval of the effect size."""


@dataclass(frozen=True)
class PairTest:
    """Two settings of a sweep compared; differences are of the second less the first, as fractions.

    `low` and `high` are the simultaneous 95% interval of all pairs of the sweep (Bonferroni's), `p_value` is
    of this pair alone, `adjusted_p_value` corrected for all by Holm; NaN where there are too few readings.
    `other_p_value` is of the paired test over the seeds that both share if Welch's decides: it is reported,
    and decides nothing. `deviation` is of one reading, or of the pairs' differences if the test is paired.
    """

    first: float
    second: float
    test: Test
    first_count: int
    second_count: int
    difference: float
    low: float
    high: float
    p_value: float
    adjusted_p_value: float
    other_p_value: float
    effect: float
    effect_low: float
    effect_high: float
    deviation: float
    variance_ratio: float
    level: float

    @property
    def differs(self) -> bool:
        """Say whether the two means differ, with all pairs of the sweep considered."""
        return self.adjusted_p_value <= SIGNIFICANCE

    @property
    def repeats(self) -> int:
        """Return the readings of the setting that has fewer; pairs if the test is paired."""
        return min(self.first_count, self.second_count)

    @property
    def smallest_p_value(self) -> float:
        """Return the smallest p value that a permutation test of these readings can reach."""
        return smallest_permutation_p(self.first_count, self.second_count, self.test == "paired t")

    @cached_property
    def detectable(self) -> float:
        """Return the least difference found with a chance of 80%, corrected; NaN if readings do not vary."""
        if not self.deviation > SAME or self.repeats < 2:
            return math.nan
        is_paired = self.test == "paired t"
        return detectable_difference(self.deviation, self.repeats, self.level, is_paired, self.variance_ratio)

    @cached_property
    def needed(self) -> int | None:
        """Return the repeats that find the observed difference with a chance of 80%; None: over a million."""
        if not self.deviation > SAME:
            return None
        is_paired = self.test == "paired t"
        return repeats_needed(self.difference, self.deviation, self.level, is_paired, self.variance_ratio)


@dataclass(frozen=True)
class Pairwise:
    """All pairs of the settings of a sweep that have two readings or more."""

    test: Test
    tests: tuple[PairTest, ...]

    @property
    def level(self) -> float:
        """Return the largest p value at which the clearest pair is significant."""
        return SIGNIFICANCE / max(len(self.tests), 1)

    def of(self, first: float, second: float) -> PairTest:
        """Return the test of two values, in either order.

        Raises:
            KeyError: they were not compared.
        """
        for each in self.tests:
            if {each.first, each.second} == {first, second}:
                return each
        raise KeyError(f"{first:g} and {second:g} were not compared")


def compare_pairs(readings: Mapping[float, Readings], is_paired: bool) -> Pairwise:
    """Test every pair of values by Welch's t test, or by a paired t test over the seeds they share.

    Holm's step-down correction (1979, Scand. J. Stat. 6:65) keeps the chance of any false difference at 5%.
    It covers all pairs, not only those with the best: the data itself decides which one is best. Values with
    fewer than two readings do not take part.
    """
    repeated = [value for value, each in readings.items() if len(each) > 1]
    return _compare(list(combinations(repeated, 2)), readings, is_paired)


def compare_with(
    value: float, others: Sequence[float], readings: Mapping[float, Readings], is_paired: bool
) -> dict[float, PairTest]:
    """Test one value against each of some others, by other value; corrected for their number.

    The data must not decide which value it is. Differences are of the others less the value. Pairs with
    fewer than two readings of either are never significantly different.
    """
    tests = _compare([(value, other) for other in others], readings, is_paired).tests
    return {each.second: each for each in tests}


def _compare(
    pairs: Sequence[tuple[float, float]], readings: Mapping[float, Readings], is_paired: bool
) -> Pairwise:
    test: Test = "paired t" if is_paired else "welch"
    if not pairs:
        return Pairwise(test, ())
    samples = [_sample(readings[first], readings[second], is_paired) for first, second in pairs]
    found = [paired(*each) if is_paired else welch(*each) for each in samples]
    adjusted = correct([each.p_value for each in found])
    level = SIGNIFICANCE / len(pairs)
    return Pairwise(
        test,
        tuple(
            _pair_test(test, level, pair, sample, difference, holm, _other_p_value(readings, pair, test))
            for pair, sample, difference, holm in zip(pairs, samples, found, adjusted, strict=True)
        ),
    )


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


def indistinguishable_from_best(readings: Mapping[float, Readings], pairwise: Pairwise) -> tuple[float, ...]:
    """Return the value with the highest mean, and those not significantly different, by falling mean.

    Values that were not compared do not take part.

    Raises:
        ValueError: none was compared.
    """
    compared = {value for each in pairwise.tests for value in (each.first, each.second)}
    ranked = sorted(compared, key=lambda value: -float(np.mean(list(readings[value].values()))))
    if not ranked:
        raise ValueError("no values were compared; at least two need two readings each")
    best = ranked[0]
    return (best, *(value for value in ranked[1:] if not pairwise.of(best, value).differs))


def _pair_test(
    test: Test,
    level: float,
    pair: tuple[float, float],
    sample: tuple[list[float], list[float]],
    found: Difference,
    adjusted: float,
    other: float,
) -> PairTest:
    low, high = found.interval(1 - level)
    effect, effect_error = _effect(sample, test == "paired t")
    half = float(ndtri(0.975)) * effect_error
    return PairTest(
        *pair,
        test,
        len(sample[0]),
        len(sample[1]),
        found.difference,
        low,
        high,
        found.p_value,
        adjusted,
        other,
        effect,
        effect - half,
        effect + half,
        _deviation(sample, test == "paired t"),
        _variance_ratio(sample),
        level,
    )


def _sample(first: Readings, second: Readings, is_paired: bool) -> tuple[list[float], list[float]]:
    if not is_paired:
        return list(first.values()), list(second.values())
    shared = sorted(first.keys() & second.keys())
    if not shared:  # nothing to pair: one of each, which no test finds different
        return [next(iter(first.values()))], [next(iter(second.values()))]
    return [first[seed] for seed in shared], [second[seed] for seed in shared]


def _other_p_value(readings: Mapping[float, Readings], pair: tuple[float, float], test: Test) -> float:
    if test == "paired t":
        return math.nan
    first, second = (readings[value] for value in pair)
    shared = len(first.keys() & second.keys())
    return paired(*_sample(first, second, True)).p_value if shared > 1 else math.nan


def _deviation(sample: Sequence[Sequence[float]], is_paired: bool) -> float:
    first, second = sample
    if min(len(first), len(second)) < 2:
        return math.nan
    if is_paired:
        return float(np.std(np.subtract(second, first), ddof=1))
    return math.sqrt((float(np.var(first, ddof=1)) + float(np.var(second, ddof=1))) / 2)


def _variance_ratio(sample: Sequence[Sequence[float]]) -> float:
    """Return the larger variance over the smaller; 1 if there is none to compare."""
    if min(map(len, sample)) < 2:
        return 1.0
    small, large = sorted(float(np.var(each, ddof=1)) for each in sample)
    return min(large / small, _MOST_UNEQUAL) if small > 0 else _MOST_UNEQUAL


def _effect(sample: Sequence[Sequence[float]], is_paired: bool) -> tuple[float, float]:
    """Return Hedges' g and its standard error; NaN if there are too few readings or none varies.

    For independent samples by statsmodels, as in R's metafor. For pairs the mean difference over the
    deviation of the differences, corrected alike, with the variance 1/n + g^2/2n (Becker 1988, Br. J. Math.
    Stat. Psychol. 41:257).
    """
    first, second = sample
    deviation, count = _deviation(sample, is_paired), len(first) + len(second)
    if not deviation > SAME or count < _CORRECTED_FROM:
        return math.nan, math.nan
    if is_paired:
        pairs = len(first)
        correction = 1 - 3 / (4 * (pairs - 1) - 1)
        effect = correction * float(np.mean(np.subtract(second, first))) / deviation
        return effect, math.sqrt(1 / pairs + effect**2 / (2 * pairs))
    described = [(np.mean(each), np.std(each, ddof=1), len(each)) for each in (second, first)]
    found, variance = effectsize_smd(*described[0], *described[1])
    return float(found), math.sqrt(float(variance))
