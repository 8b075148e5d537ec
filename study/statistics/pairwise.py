"""Find the settings of a sweep that differ: every pair is tested, corrected for the number of settings.

The question is which settings are lower than the best, and the data says which is best. Independent settings
are compared by Games and Howell's test (1976, J. Educ. Stat. 1:113): Welch's t by the studentized range. The
pairs with the best are tested step by step, the clearest first, each step with the settings that are left
(Welsch 1977, J. Am. Stat. Assoc. 72:566). Holm's correction of all pairs spends half of the 5% that are
allowed, and finds less: `make bench-stats` shows both.

Budgets of epochs are paired by seed, and ordered: each is compared with the longest, the shortest first, up
to the first that does not differ; the order is fixed beforehand, so nothing is corrected (Maurer, Hothorn and
Lehmacher 1995). The other pairs are corrected by Holm.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from statistics import fmean

import numpy as np
from scipy.special import ndtri
from statsmodels.stats.meta_analysis import effectsize_smd

from study.statistics.correction import STUDENT_T, STUDENTIZED_RANGE, Corrected, in_order, step_down
from study.statistics.difference import SAME, SIGNIFICANCE, paired, welch
from study.statistics.power import TTest, smallest_permutation_p

Readings = Mapping[int, float]
"""Accuracies (fractions) by seed."""

_MOST_UNEQUAL = 1e6
"""A ratio of variances beyond which only the larger one counts."""


@dataclass(frozen=True)
class PairTest:
    """Two settings of a sweep compared; differences are of the second less the first, as fractions."""

    first: float
    second: float
    first_readings: Readings
    second_readings: Readings
    is_paired: bool
    corrected: Corrected

    def turned(self) -> "PairTest":
        """Return the same with the two settings in the other order."""
        found = self.corrected.difference
        return replace(
            self,
            first=self.second,
            second=self.first,
            first_readings=self.second_readings,
            second_readings=self.first_readings,
            corrected=replace(self.corrected, difference=replace(found, difference=-found.difference)),
        )

    @property
    def test(self) -> str:
        """Name the test that decides."""
        return "paired t" if self.is_paired else "welch"

    @property
    def difference(self) -> float:
        """Return the second setting's mean less the first's."""
        return self.corrected.difference.difference

    @property
    def p_value(self) -> float:
        """Return the p value of this pair alone."""
        return self.corrected.difference.p_value

    @property
    def adjusted_p_value(self) -> float:
        """Return the corrected p value."""
        return self.corrected.p_value

    @property
    def differs(self) -> bool:
        """Say whether the two means differ, with all settings of the sweep considered."""
        return self.adjusted_p_value <= SIGNIFICANCE

    @property
    def low(self) -> float:
        """Return the lower end of the corrected 95% interval; NaN if there are too few readings."""
        return self.corrected.interval[0]

    @property
    def high(self) -> float:
        """Return its upper end."""
        return self.corrected.interval[1]

    @property
    def level(self) -> float:
        """Return the p value, before it is corrected, up to which the means differ."""
        return self.corrected.level

    @cached_property
    def _samples(self) -> tuple[list[float], list[float]]:
        return _pick_samples(self.first_readings, self.second_readings, self.is_paired)

    @property
    def first_count(self) -> int:
        """Count the readings of the first setting; pairs if the test is paired."""
        return len(self._samples[0])

    @property
    def second_count(self) -> int:
        """Count the readings of the second setting; pairs if the test is paired."""
        return len(self._samples[1])

    @property
    def repeats(self) -> int:
        """Count the readings of the setting that has fewer; pairs if the test is paired."""
        return min(self.first_count, self.second_count)

    @property
    def other_p_value(self) -> float:
        """Return the p value of the paired test over shared seeds if Welch's decides; else NaN.

        It is reported, and decides nothing.
        """
        shared = self.first_readings.keys() & self.second_readings.keys()
        if self.is_paired or len(shared) < 2:
            return math.nan
        return paired(*_pick_samples(self.first_readings, self.second_readings, True)).p_value

    @cached_property
    def deviation(self) -> float:
        """Return the standard deviation of a reading; of a paired test, of the differences."""
        if self.repeats < 2:
            return math.nan
        first, second = self._samples
        if self.is_paired:
            return float(np.std(np.subtract(second, first), ddof=1))
        return math.sqrt((float(np.var(first, ddof=1)) + float(np.var(second, ddof=1))) / 2)

    @property
    def variance_ratio(self) -> float:
        """Return the larger variance over the smaller."""
        small, large = sorted(float(np.var(each, ddof=1)) for each in self._samples)
        return min(large / small, _MOST_UNEQUAL) if small > 0 else _MOST_UNEQUAL

    @cached_property
    def _effect(self) -> tuple[float, float]:
        """Return Hedges' g and half of its 95% interval; NaN if there are too few readings or none varies.

        For independent samples by statsmodels, as in R's metafor. For pairs the mean difference over the
        deviation of the differences, corrected alike, with the variance 1/n + g^2/2n (Becker 1988, Br. J.
        Math. Stat. Psychol. 41:257).
        """
        if not self.deviation > SAME:
            return math.nan, math.nan
        if self.is_paired:
            pairs = self.repeats
            effect = (1 - 3 / (4 * (pairs - 1) - 1)) * self.difference / self.deviation
            variance = 1 / pairs + effect**2 / (2 * pairs)
        else:
            described = [(np.mean(each), np.std(each, ddof=1), len(each)) for each in self._samples]
            effect, variance = map(float, effectsize_smd(*described[1], *described[0]))
        return effect, float(ndtri(0.975)) * math.sqrt(variance)

    @property
    def effect(self) -> float:
        """Return Hedges' g; of a paired test, of the differences; NaN if there is none."""
        return self._effect[0]

    @property
    def effect_low(self) -> float:
        """Return the lower end of its 95% interval."""
        return self._effect[0] - self._effect[1]

    @property
    def effect_high(self) -> float:
        """Return its upper end."""
        return self._effect[0] + self._effect[1]

    @property
    def smallest_p_value(self) -> float:
        """Return the smallest p value that a permutation test of these readings can reach."""
        return smallest_permutation_p(self.first_count, self.second_count, self.is_paired)

    @property
    def _design(self) -> TTest:
        return TTest(self.deviation, self.level, self.is_paired, self.variance_ratio)

    @property
    def detectable(self) -> float:
        """Return the least difference found with a chance of 80%, corrected; NaN if readings do not vary."""
        return self._design.detectable(self.repeats) if self.deviation > SAME else math.nan

    @property
    def needed(self) -> int | None:
        """Return the repeats that find the observed difference with a chance of 80%; None: over a million."""
        return self._design.needed(self.difference) if self.deviation > SAME else None


@dataclass(frozen=True)
class Pairwise:
    """All pairs of the settings of a sweep that have two readings or more."""

    tests: tuple[PairTest, ...]
    reference: float = math.nan
    """The setting that the others are compared with: the best, or of paired ones the longest."""

    @property
    def settings(self) -> tuple[float, ...]:
        """Return the settings that were compared."""
        return tuple(dict.fromkeys(value for each in self.tests for value in (each.first, each.second)))

    def lower_than(self, value: float) -> tuple[float, ...]:
        """Return the settings that are significantly lower than one that was compared."""
        tests = {other: self.of(other, value) for other in self.settings if other != value}
        return tuple(other for other, each in tests.items() if each.differs and each.difference > 0)

    def of(self, first: float, second: float) -> PairTest:
        """Return the test of two values, in this order.

        Raises:
            KeyError: they were not compared.
        """
        for each in self.tests:
            if (each.first, each.second) == (first, second):
                return each
            if (each.first, each.second) == (second, first):
                return each.turned()
        raise KeyError(f"{first:g} and {second:g} were not compared")


def compare_pairs(readings: Mapping[float, Readings], is_paired: bool) -> Pairwise:
    """Test every pair of values, independent or over the seeds they share; see the module.

    Values with fewer than two readings do not take part.
    """
    repeated = {value: each for value, each in readings.items() if len(each) > 1}
    if len(repeated) < 2:
        return Pairwise(())
    test = paired if is_paired else welch
    found = {
        (first, second): test(*_pick_samples(repeated[first], repeated[second], is_paired))
        for first, second in combinations(repeated, 2)
    }
    best = max(repeated, key=lambda value: fmean(repeated[value].values()))
    reference = max(repeated) if is_paired else best
    with_reference = {pair: each for pair, each in found.items() if reference in pair}
    others = {pair: each for pair, each in found.items() if reference not in pair}
    if is_paired:
        corrected = in_order(with_reference) | step_down(others, STUDENT_T, len(others))
    else:
        number = len(repeated)
        at_once = {pair: Corrected(each, STUDENTIZED_RANGE, number) for pair, each in others.items()}
        corrected = at_once | step_down(with_reference, STUDENTIZED_RANGE, number)
    tests = [
        PairTest(first, second, repeated[first], repeated[second], is_paired, corrected[first, second])
        for first, second in found
    ]
    return Pairwise(tuple(tests), reference)


def _pick_samples(first: Readings, second: Readings, is_paired: bool) -> tuple[list[float], list[float]]:
    if not is_paired:
        return list(first.values()), list(second.values())
    shared = sorted(first.keys() & second.keys())
    if not shared:  # nothing to pair: one of each, which no test finds different
        return [next(iter(first.values()))], [next(iter(second.values()))]
    return [first[seed] for seed in shared], [second[seed] for seed in shared]
