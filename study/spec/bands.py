"""The bands within which a replication agrees with the published values, each judged on our readings.

Accuracies here are in percent, differences in points.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from study.fact import Fact
from study.wording import plain, points

Cell = tuple[int, float | None]
"""Exercise number and the value of its parameter (None: the chosen optimum)."""

Readings = Mapping[int, float]
"""Accuracies (percent) by seed."""

Interval = tuple[float, float]

Compare = Callable[[Readings, Readings], Interval]
"""The 95% interval of the second mean less the first; NaN if there are too few readings."""

Verdict = Literal["inside", "outside", "cannot tell", "not measured"]


@dataclass(frozen=True)
class BandVerdict:
    """The verdict on our means at one band.

    It is `outside` only if the 95% interval excludes the band; it is `cannot tell` if our mean is outside and
    its interval is not, or there is no interval.
    """

    claim: str
    exercise: int
    allowed: str
    found: str
    verdict: Verdict


class _Band(Fact):
    claim: str = Field(min_length=1)
    exercise: int

    def _verdict(self, allowed: str, found: str, inside: bool, outside: bool) -> BandVerdict:
        verdict: Verdict = "inside" if inside else "outside" if outside else "cannot tell"
        return BandVerdict(self.claim, self.exercise, allowed, found, verdict)

    def _unmeasured(self, allowed: str) -> BandVerdict:
        return BandVerdict(self.claim, self.exercise, allowed, "not measured", "not measured")


class _Range(_Band):
    low: float
    high: float

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low={self.low:g} is above high={self.high:g}; nothing could lie within")
        return self

    def _judge_range(self, allowed: str, found: str, estimate: float, interval: Interval) -> BandVerdict:
        outside = interval[0] > self.high or interval[1] < self.low  # false if the interval is NaN
        return self._verdict(allowed, found, self.low <= estimate <= self.high, outside)


class MeanBand(_Range):
    """The mean accuracy of one setting lies between `low` and `high` percent."""

    kind: Literal["mean"]
    value: float | None = None

    def judge(self, ours: Mapping[Cell, Readings], compare: Compare) -> BandVerdict:
        """Compare our mean (percent) with the band."""
        from study.statistics import summarise  # late: a study is read before SciPy is needed

        allowed = f"{self.low:g} to {self.high:g}%"
        readings = ours.get((self.exercise, self.value))
        if not readings:
            return self._unmeasured(allowed)
        spread = summarise(list(readings.values()))
        low, high = max(spread.low, 0.0), min(spread.high, 100.0)
        within = f" ({low:.2f} to {high:.2f})" if spread.count > 1 else " (one reading)"
        interval = (spread.low, spread.high)
        return self._judge_range(allowed, f"{spread.mean:.2f}%{within}", spread.mean, interval)


class GainBand(_Range):
    """Going from one value to another gains between `low` and `high` points."""

    kind: Literal["gain"]
    start: float
    end: float

    def judge(self, ours: Mapping[Cell, Readings], compare: Compare) -> BandVerdict:
        """Compare our gain (points) with the band."""
        allowed = f"{points(self.low / 100)} to {points(self.high / 100)} points"
        start, end = ours.get((self.exercise, self.start)), ours.get((self.exercise, self.end))
        if not start or not end:
            return self._unmeasured(allowed)
        gain, interval = fmean(end.values()) - fmean(start.values()), compare(start, end)
        found = f"{points(gain / 100)} points{_between(interval)}"
        return self._judge_range(allowed, found, gain, interval)


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
    margin: float = Field(gt=0)

    def judge(self, ours: Mapping[Cell, Readings], compare: Compare) -> BandVerdict:
        """Compare our largest distance from the reference (points) with the margin."""
        allowed = f"at most {self.margin:g} points apart"
        reference = ours.get((self.exercise, self.reference))
        others = {
            value: readings
            for (exercise, value), readings in ours.items()
            if exercise == self.exercise and value is not None and value != self.reference and readings
        }
        if not reference or not others:
            return self._unmeasured(allowed)
        middle = fmean(reference.values())
        distances = {value: fmean(each.values()) - middle for value, each in others.items()}
        value = max(distances, key=lambda each: abs(distances[each]))
        interval = compare(reference, others[value])
        found = f"largest {points(distances[value] / 100)} points{_between(interval)} (at {plain(value)})"
        outside = interval[0] > self.margin or interval[1] < -self.margin
        return self._verdict(allowed, found, abs(distances[value]) <= self.margin, outside)


Band = Annotated[MeanBand | GainBand | OrderBand | NearBand, Field(discriminator="kind")]


def _between(interval: Interval) -> str:
    low, high = interval
    return "" if low != low else f" ({points(low / 100)} to {points(high / 100)})"
