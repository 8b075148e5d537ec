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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import combinations
from statistics import fmean
from typing import Literal

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit
from scipy.stats import studentized_range
from statsmodels.stats.libqsturng import qsturng
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
class Family:
    """How a difference is corrected for being one of several, which are `number` in each of these."""

    p_value: Callable[[Difference, int], float]
    critical: Callable[[float, int], float]
    """Return the t from which means differ, for degrees of freedom and that number."""


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


@dataclass(frozen=True)
class PairTest:
    """Two settings of a sweep compared; differences are of the second less the first, as fractions.

    `deviation` is of one reading, or of the pairs' differences if the test is paired; `variance_ratio` is the
    larger variance over the smaller.
    """

    first: float
    second: float
    first_readings: Readings
    second_readings: Readings
    test: Test
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

    @cached_property
    def low(self) -> float:
        """Return the lower end of the corrected 95% interval; NaN if there are too few readings."""
        return self.corrected.interval[0]

    @cached_property
    def high(self) -> float:
        """Return its upper end."""
        return self.corrected.interval[1]

    @cached_property
    def level(self) -> float:
        """Return the p value, before it is corrected, up to which the means differ."""
        return self.corrected.level

    @property
    def first_count(self) -> int:
        """Return the readings of the first setting; pairs if the test is paired."""
        return len(self._sample[0])

    @property
    def second_count(self) -> int:
        """Return the readings of the second setting; pairs if the test is paired."""
        return len(self._sample[1])

    @cached_property
    def other_p_value(self) -> float:
        """Return the p value of the paired test over shared seeds if Welch's decides; else NaN.

        It is reported, and decides nothing.
        """
        shared = self.first_readings.keys() & self.second_readings.keys()
        if self.test == "paired t" or len(shared) < 2:
            return math.nan
        return paired(*_sample(self.first_readings, self.second_readings, True)).p_value

    @cached_property
    def _effect(self) -> tuple[float, float]:
        effect, error = _effect(self._sample, self.test == "paired t")
        return effect, float(ndtri(0.975)) * error

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

    @cached_property
    def deviation(self) -> float:
        """Return the standard deviation of a reading; of a paired test, of the differences."""
        return _deviation(self._sample, self.test == "paired t")

    @cached_property
    def variance_ratio(self) -> float:
        """Return the larger variance over the smaller."""
        return _variance_ratio(self._sample)

    @property
    def _sample(self) -> tuple[list[float], list[float]]:
        return _sample(self.first_readings, self.second_readings, self.test == "paired t")

    @property
    def differs(self) -> bool:
        """Say whether the two means differ, with all settings of the sweep considered."""
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
    test: Test = "paired t" if is_paired else "welch"
    values = [value for value, each in readings.items() if len(each) > 1]
    if len(values) < 2:
        return Pairwise(test, ())
    reference = max(values) if is_paired else max(values, key=lambda value: fmean(readings[value].values()))
    found = {
        (first, second): (paired if is_paired else welch)(
            *_sample(readings[first], readings[second], is_paired)
        )
        for first, second in combinations(values, 2)
    }
    with_reference = {pair: each for pair, each in found.items() if reference in pair}
    others = {pair: each for pair, each in found.items() if reference not in pair}
    if is_paired:
        corrected = _in_order(with_reference) | _step_down(others, STUDENT_T, len(others))
    else:
        at_once = {pair: Corrected(each, STUDENTIZED_RANGE, len(values)) for pair, each in others.items()}
        corrected = at_once | _step_down(with_reference, STUDENTIZED_RANGE, len(values))
    tests = [
        PairTest(first, second, readings[first], readings[second], test, corrected[first, second])
        for first, second in found
    ]
    return Pairwise(test, tuple(tests), reference)


Pair = tuple[float, float]


def _step_down(found: Mapping[Pair, Difference], family: Family, number: int) -> dict[Pair, Corrected]:
    """Judge the clearest first as one of `number`, each next as one of fewer, while they differ."""
    left, done, largest = dict(found), dict[Pair, Corrected](), 0.0
    while left:
        tried = {pair: Corrected(each, family, number, largest) for pair, each in left.items()}
        pair = min(tried, key=lambda each: family.p_value(left[each], number))
        done[pair], largest = tried[pair], tried[pair].p_value
        del left[pair]
        number -= largest <= SIGNIFICANCE
    return done


def _in_order(found: Mapping[Pair, Difference]) -> dict[Pair, Corrected]:
    """Judge each alone, in this order, and none after one that does not differ."""
    done, largest = dict[Pair, Corrected](), 0.0
    for pair in sorted(found):
        done[pair] = Corrected(found[pair], STUDENT_T, 1, largest, largest > SIGNIFICANCE)
        largest = done[pair].p_value
    return done


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


def _sample(first: Readings, second: Readings, is_paired: bool) -> tuple[list[float], list[float]]:
    if not is_paired:
        return list(first.values()), list(second.values())
    shared = sorted(first.keys() & second.keys())
    if not shared:  # nothing to pair: one of each, which no test finds different
        return [next(iter(first.values()))], [next(iter(second.values()))]
    return [first[seed] for seed in shared], [second[seed] for seed in shared]


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
