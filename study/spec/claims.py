"""Judge the published claims one by one, on our readings or on the published ones themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from study.fact import Fact
from study.status import Agreement
from study.wording import listing, plain, points, probability

if TYPE_CHECKING:
    from study.statistics import PairTest, Trend

Readings = Mapping[float, Mapping[int, float]]
"""Accuracies (fractions) of an exercise by value, and by seed or the number of a published reading."""


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict of readings on a claim, the reason in words, and the numbers that decide; see `agreement`.

    The difference, a fraction, is of the last value of a trend less the first, or of the claimed value less
    the one of those that decide with the largest p value; None where nothing was compared.
    """

    verdict: Agreement
    reason: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None


NOT_MEASURED = ClaimVerdict(Agreement.NOT_MEASURED, "not measured")


class _Claim(Fact):
    claim: str = Field(min_length=1)
    exercise: int


class _Above(_Claim):
    """A value is more accurate than each of some others."""

    value: float

    def _judge_above(self, others: Sequence[float], readings: Readings, is_paired: bool) -> ClaimVerdict:
        from study.statistics import compare_pairs  # late: a study is read before SciPy is needed

        measured = [value for value in others if readings.get(value)]
        if not readings.get(self.value) or not measured:
            return NOT_MEASURED
        pairwise = compare_pairs(readings, is_paired)
        compared = set(pairwise.settings) if self.value in pairwise.settings else set()
        tests = {value: pairwise.of(self.value, value) for value in measured if value in compared}
        higher = [value for value, test in tests.items() if test.differs and test.difference > 0]
        if higher:
            reason = f"worse than {_of(tests, higher)}"
            return ClaimVerdict(Agreement.CONTRADICTED, reason, *_numbers(tests, higher))
        unclear = [value for value, test in tests.items() if not test.differs]
        single = [value for value in measured if value not in tests]
        missing = [value for value in others if value not in measured]
        reasons = (
            f"not significantly better than {_of(tests, unclear)}" if unclear else "",
            f"a single reading to compare with {_values(single)}" if single else "",
            f"not measured: {_values(missing)}" if missing else "",
        )
        if any(reasons):
            reason = "; ".join(filter(None, reasons))
            return ClaimVerdict(Agreement.UNDECIDED, reason, *_numbers(tests, unclear))
        return ClaimVerdict(
            Agreement.SUPPORTED, f"better than {_of(tests, measured)}", *_numbers(tests, measured)
        )


class BestClaim(_Above):
    """A value has the highest accuracy of its exercise."""

    kind: Literal["best"]

    def judge(self, readings: Readings, is_paired: bool) -> ClaimVerdict:
        """Compare the value with every other."""
        return self._judge_above([each for each in readings if each != self.value], readings, is_paired)


class HigherClaim(_Above):
    """A value is more accurate than each of some others."""

    kind: Literal["higher"]
    than: tuple[float, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_than(self) -> Self:
        if self.value in self.than:
            raise ValueError(f"than: {self.value:g} is the value itself; give others")
        return self

    def judge(self, readings: Readings, is_paired: bool) -> ClaimVerdict:
        """Compare the value with those."""
        return self._judge_above(self.than, readings, is_paired)


class TrendClaim(_Claim):
    """Accuracy rises along some values."""

    kind: Literal["trend"]
    values: tuple[float, ...] = Field(min_length=3)

    @model_validator(mode="after")
    def _check_values(self) -> Self:
        if len(set(self.values)) < len(self.values):
            raise ValueError(f"values: {listing([plain(v) for v in self.values])}; each value once")
        return self

    def judge(self, readings: Readings, is_paired: bool) -> ClaimVerdict:
        """Test for a trend over the values, in their order."""
        from study.statistics import compare_pairs, find_trend, turning_point

        groups = [readings.get(value, {}) for value in self.values]
        if not all(groups):
            return NOT_MEASURED
        trend = find_trend(groups, is_paired)
        change = fmean(groups[-1].values()) - fmean(groups[0].values())
        reason = f"{points(change)} points from first to last, {_describe(trend)}"
        verdict = Agreement.SUPPORTED if trend.rising else Agreement.CONTRADICTED
        if not trend.is_seen:
            verdict = Agreement.UNDECIDED
        elif turn := turning_point(self.values, trend, compare_pairs(readings, is_paired)):
            verdict, reason = Agreement.CONTRADICTED, f"{plain(turn[1])} is lower than {plain(turn[0])}"
        return ClaimVerdict(verdict, reason, change, p_value=trend.p_value)


Claim = Annotated[BestClaim | HigherClaim | TrendClaim, Field(discriminator="kind")]


def _of(tests: "Mapping[float, PairTest]", values: Sequence[float]) -> str:
    """Name values, with the points by which the claimed one is above each and the p value."""
    return listing(
        [
            f"{plain(value)} ({points(-tests[value].difference)}, p "
            f"{probability(tests[value].adjusted_p_value)})"
            for value in values
        ]
    )


def _numbers(
    tests: "Mapping[float, PairTest]", values: Sequence[float]
) -> tuple[float, float, float, float] | tuple[()]:
    """Return difference, interval and p value of the least certain test of some values; nothing of none."""
    if not values:
        return ()
    least = max((tests[value] for value in values), key=lambda test: test.adjusted_p_value).turned()
    return least.difference, least.low, least.high, least.adjusted_p_value


def _describe(trend: "Trend") -> str:
    return f"{trend.name} {plain(round(trend.statistic, 2))}, p {probability(trend.p_value)}"


def _values(values: Sequence[float]) -> str:
    return listing([plain(value) for value in values])
