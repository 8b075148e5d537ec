"""Test whether accuracy rises or falls along ordered settings, all at once, not pair by pair."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.statistics.difference import SAME, SIGNIFICANCE
from study.statistics.pairwise import Pairwise, Readings


@dataclass(frozen=True)
class Trend:
    """A two-sided test for a trend along settings in their order.

    `statistic` is Kendall's tau-b, or for paired settings Page's L scaled between its least and most possible
    values: -1 to 1 both. The p value is 1 if there are too few readings, or none varies.
    """

    name: str
    statistic: float
    p_value: float

    @property
    def rising(self) -> bool:
        """Say whether accuracy rises; else it falls, or does neither."""
        return self.statistic > 0

    @property
    def is_seen(self) -> bool:
        """Say whether there is a trend, at the level of every test."""
        return self.p_value <= SIGNIFICANCE


def find_trend(groups: Sequence[Readings], is_paired: bool) -> Trend:
    """Test for a trend along three settings or more.

    By Page's test over the seeds they share if paired, else by Kendall's.
    """
    if not is_paired:
        return kendall([list(each.values()) for each in groups])
    shared = sorted(set.intersection(*(set(each) for each in groups)))
    return page(np.array([[each[seed] for each in groups] for seed in shared]))


def turning_point(values: Sequence[float], trend: Trend, pairwise: Pairwise) -> tuple[float, float] | None:
    """Return an inner value, and the end behind it that is significantly lower; None if there is none.

    Where there is one, the trend is not a steady one: accuracy rises up to a value and then falls.

    Args:
        values: The settings in their order.
        trend: The trend that was found along them.
        pairwise: The settings compared pair by pair.
    """
    end = values[-1] if trend.rising else values[0]
    inner = [value for value in values[1:-1] if value in pairwise.settings and end in pairwise.settings]
    higher = [value for value in inner if end in pairwise.lower_than(value)]
    best = max(higher, key=lambda value: pairwise.of(end, value).difference, default=None)
    return None if best is None else (best, end)


def kendall(groups: Sequence[Sequence[float]]) -> Trend:
    """Test readings by Kendall's tau-b (1938, Biometrika 30:81; ties: 1945, 33:239) with settings' places."""
    places = np.repeat(np.arange(len(groups)), [len(each) for each in groups])
    readings = np.concatenate([np.asarray(each, dtype=float) for each in groups])
    if len(readings) < 3 or np.ptp(readings) < SAME:
        return Trend("Kendall's tau", 0.0, 1.0)
    found = stats.kendalltau(places, readings)
    return Trend("Kendall's tau", float(found.statistic), float(found.pvalue))


def page(readings: np.ndarray) -> Trend:
    """Test by Page's trend test (1963, J. Am. Stat. Assoc. 58:216), two-sided; readings (seeds, settings).

    Equal readings of a seed share their mean rank.
    """
    name = "Page's L (scaled)"
    if readings.shape[0] < 2 or np.ptp(readings, axis=1).max() < SAME:
        return Trend(name, 0.0, 1.0)
    ranks = stats.rankdata(readings, axis=1)
    rising = stats.page_trend_test(ranks, ranked=True)
    falling = stats.page_trend_test(ranks[:, ::-1], ranked=True)
    middle = readings.shape[0] * readings.shape[1] * (readings.shape[1] + 1) ** 2 / 4
    most = readings.shape[0] * float(np.sum(np.arange(1, readings.shape[1] + 1) ** 2))
    scaled = (float(rising.statistic) - middle) / (most - middle)
    return Trend(name, scaled, min(1.0, 2 * min(float(rising.pvalue), float(falling.pvalue))))
