"""The finals of the optimum: the kept candidate against the others, and which cheap one is as good."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from study.readings import SettingReadings
from study.statistics.pairwise import PairTest, compare_pairs


@dataclass(frozen=True)
class Final:
    """One candidate against the kept one.

    `gain` is the kept candidate's mean test accuracy less this one's (fraction), `low` and `high` its 95%
    interval, which holds for all pairs of candidates at once, `adjusted_p_value` Holm's over all pairs; NaN
    where there are too few readings, and for the kept candidate itself.
    """

    name: str
    readings: SettingReadings
    multiply_adds: int
    is_kept: bool
    gain: float = math.nan
    low: float = math.nan
    high: float = math.nan
    adjusted_p_value: float = math.nan

    @property
    def is_as_good(self) -> bool:
        """Whether it cannot be told from the kept one; false where nothing could be compared."""
        return self.is_kept or self.adjusted_p_value > 0.05


@dataclass(frozen=True)
class Finals:
    """All candidates, in the order of the study."""

    all: tuple[Final, ...]
    pairs: int
    """Pairs of candidates that were compared, for which all is corrected."""

    @property
    def kept(self) -> Final:
        """The candidate kept on validation."""
        return next(each for each in self.all if each.is_kept)

    @property
    def cheapest(self) -> Final:
        """The one of fewest multiply-adds that cannot be told from the kept one, which may be itself."""
        return min((each for each in self.all if each.is_as_good), key=lambda each: each.multiply_adds)


def compare_finals(readings: Mapping[str, SettingReadings], kept: str, costs: Mapping[str, int]) -> Finals:
    """Compare every candidate with the kept one by Welch's test, corrected for all pairs of candidates.

    All pairs, as which candidate is kept is itself read from data. Not paired by seed: from the same seed
    other shapes draw other weights.

    Args:
        readings: Test accuracies of each candidate.
        kept: Name of the one kept on validation.
        costs: Multiply-adds of one image, by candidate.

    Raises:
        KeyError: the kept candidate has no readings.
    """
    names = list(readings)
    found = compare_pairs({float(place): readings[name].test for place, name in enumerate(names)}, False)
    winner = float(names.index(kept)) if kept in names else None
    if winner is None:
        raise KeyError(f"{kept!r} is none of the candidates {', '.join(names)}")
    by_other = {_other(each, winner): each for each in found.tests if winner in (each.first, each.second)}
    finals = [
        _final(name, readings[name], costs[name], name == kept, by_other.get(float(place)), winner)
        for place, name in enumerate(names)
    ]
    return Finals(tuple(finals), len(found.tests))


def _other(pair: PairTest, winner: float) -> float:
    return pair.second if pair.first == winner else pair.first


def _final(
    name: str, readings: SettingReadings, cost: int, is_kept: bool, pair: PairTest | None, winner: float
) -> Final:
    if pair is None:
        return Final(name, readings, cost, is_kept)
    sign = 1 if pair.second == winner else -1  # a pair's difference is of its second less its first
    low, high = sorted((sign * pair.low, sign * pair.high))
    return Final(name, readings, cost, is_kept, sign * pair.difference, low, high, pair.adjusted_p_value)
