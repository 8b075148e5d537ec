"""The bands within which a replication agrees with the published values, each judged on our readings."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, PlainSerializer, PositiveFloat, model_validator

from study.fact import Fact
from study.status import Agreement
from study.wording import interval, percent, plain, points, points_interval

Number = TypeVar("Number", bound=float)

Points = Annotated[
    Number,
    AfterValidator(lambda value: value / 100),
    PlainSerializer(lambda fraction: float(f"{100 * fraction:.15g}"), return_type=float),
]
"""A fraction that study files and JSON give in points or percent; up to 15 digits come back as written."""

Cell = tuple[int, float | None]
"""Exercise number and the value of its parameter (None: the chosen optimum)."""

Readings = Mapping[int, float]
"""Accuracies (fractions) by seed."""

Interval = tuple[float, float]

_ROUNDING = 1e-9
"""A mean this far from a bound is on it: 0.91 - 0.905 is a little more than 0.005 in floating point."""

Compare = Callable[[Readings, Readings], Interval]
"""The 95% interval of the second mean less the first; NaN if there are too few readings."""


@dataclass(frozen=True)
class BandVerdict:
    """The verdict on our means at one band.

    It is `inside` if our whole 95% interval lies in the band, `outside` if all of it lies outside, and else
    `undecided`; an order is inside if our means are in it, and outside if a pair is significantly reversed.

    Numbers are fractions, None where there are none: what is allowed, our mean or the difference of our means
    that is compared with it, and the 95% interval of that.
    """

    claim: str
    exercise: int
    allowed: str
    found: str
    verdict: Agreement
    allowed_low: float | None = None
    allowed_high: float | None = None
    mean_accuracy: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None


class _Band(Fact):
    claim: str = Field(min_length=1)
    exercise: int

    def _judge_within(
        self, allowed: str, found: str, interval: Interval, bounds: Interval, **measured: float
    ) -> BandVerdict:
        low, high = bounds
        # Both are false if the interval is NaN.
        inside = low - _ROUNDING <= interval[0] and interval[1] <= high + _ROUNDING
        outside = interval[0] > high or interval[1] < low
        numbers = {"allowed_low": low, "allowed_high": high, "low": interval[0], "high": interval[1]}
        return self._verdict(allowed, found, inside, outside, **numbers, **measured)

    def _verdict(
        self, allowed: str, found: str, inside: bool, outside: bool, **numbers: float
    ) -> BandVerdict:
        seen = Agreement.OUTSIDE if outside else Agreement.UNDECIDED
        verdict = Agreement.INSIDE if inside else seen
        return BandVerdict(self.claim, self.exercise, allowed, found, verdict, **numbers)

    def _unmeasured(self, allowed: str, *bounds: float) -> BandVerdict:
        verdict = Agreement.NOT_MEASURED
        return BandVerdict(self.claim, self.exercise, allowed, "not measured", verdict, *bounds)


class _Range(_Band):
    low: Points[float]
    high: Points[float]

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(
                f"low={100 * self.low:g} is above high={100 * self.high:g}; nothing could lie within"
            )
        return self


class MeanBand(_Range):
    """The mean accuracy of one setting lies between `low` and `high` percent."""

    kind: Literal["mean"]
    value: float | None = None

    def judge(self, ours: Mapping[Cell, Readings], compare: Compare) -> BandVerdict:
        """Compare our mean with the band."""
        from study.statistics import summarise  # late: a study is read before SciPy is needed

        allowed = f"{100 * self.low:g} to {100 * self.high:g}%"
        readings = ours.get((self.exercise, self.value))
        if not readings:
            return self._unmeasured(allowed, self.low, self.high)
        spread = summarise(list(readings.values()))
        if spread.has_interval:
            within, measured = interval(spread.low, spread.high), (spread.low, spread.high)
        else:
            within = "one reading" if spread.count == 1 else f"{spread.count} equal readings"
            measured = (math.nan, math.nan)
        found = f"{percent(spread.mean)} ({within})"
        return self._judge_within(allowed, found, measured, (self.low, self.high), mean_accuracy=spread.mean)


class GainBand(_Range):
    """Going from one value to another gains between `low` and `high` points."""

    kind: Literal["gain"]
    start: float
    end: float

    def judge(self, ours: Mapping[Cell, Readings], compare: Compare) -> BandVerdict:
        """Compare our gain with the band."""
        allowed = f"{points_interval(self.low, self.high)} points"
        start, end = ours.get((self.exercise, self.start)), ours.get((self.exercise, self.end))
        if not start or not end:
            return self._unmeasured(allowed, self.low, self.high)
        gain, interval = fmean(end.values()) - fmean(start.values()), compare(start, end)
        found = f"{points(gain)} points{_between(interval)}"
        return self._judge_within(allowed, found, interval, (self.low, self.high), difference=gain)


class OrderBand(_Band):
    """Every mean of an earlier group is above every mean of a later group."""

    kind: Literal["order"]
    groups: tuple[Annotated[tuple[float, ...], Field(min_length=1)], ...] = Field(min_length=2)

    def judge(self, ours: Mapping[Cell, Readings], compare: Compare) -> BandVerdict:
        """Compare the order of our means with the groups; outside if a pair is significantly reversed."""
        allowed = " > ".join(" and ".join(plain(value) for value in group) for group in self.groups)
        values = [value for group in self.groups for value in group]
        known = {value: each for value in values if (each := ours.get((self.exercise, value)))}
        if len(known) < len(values):
            return self._unmeasured(allowed)
        means = {value: fmean(each.values()) for value, each in known.items()}
        found = " > ".join(plain(value) for value in sorted(means, key=lambda each: -means[each]))
        pairs = list(zip(self.groups, self.groups[1:], strict=False))
        inside = all(min(means[v] for v in high) > max(means[v] for v in low) for high, low in pairs)
        reversed_ = any(
            compare(known[above], known[below])[0] > 0
            for high, low in pairs
            for above in high
            for below in low
        )
        return self._verdict(allowed, found, inside, reversed_)


class NearBand(_Band):
    """Every other setting of the exercise is within `margin` points of the reference setting."""

    kind: Literal["near"]
    reference: float
    margin: Points[PositiveFloat]

    def judge(self, ours: Mapping[Cell, Readings], compare: Compare) -> BandVerdict:
        """Compare our largest distance from the reference with the margin."""
        allowed = f"at most {100 * self.margin:g} points apart"
        reference = ours.get((self.exercise, self.reference))
        others = {
            value: readings
            for (exercise, value), readings in ours.items()
            if exercise == self.exercise and value is not None and value != self.reference and readings
        }
        if not reference or not others:
            return self._unmeasured(allowed, -self.margin, self.margin)
        middle = fmean(reference.values())
        distances = {value: fmean(each.values()) - middle for value, each in others.items()}
        value = max(distances, key=lambda each: abs(distances[each]))
        interval = compare(reference, others[value])
        found = f"largest {points(distances[value])} points{_between(interval)} (at {plain(value)})"
        return self._judge_within(
            allowed, found, interval, (-self.margin, self.margin), difference=distances[value]
        )


Band = Annotated[MeanBand | GainBand | OrderBand | NearBand, Field(discriminator="kind")]


def _between(interval: Interval) -> str:
    return "" if math.isnan(interval[0]) else f" ({points_interval(*interval)})"
