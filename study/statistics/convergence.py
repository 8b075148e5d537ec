"""Take medians of times to an event that not every training reached: the others count as censored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight

_ROUNDING = 1e-9


@dataclass(frozen=True)
class TimeToEvent:
    """The number of trainings that reached an event, and the median time until then, in the times' unit.

    The median is None where the estimated share of those still to reach it never falls below a half.
    """

    trainings: int
    reached: int
    median: float | None


def summarise_times(reached: Sequence[float], unreached: Sequence[float]) -> TimeToEvent:
    """Summarise times to an event by the Kaplan-Meier median (1958, J. Am. Stat. Assoc. 53:457).

    Args:
        reached: The time of the event, for each training that reached it.
        unreached: The time for which each other training ran: its event is later than that, if it comes.

    Raises:
        ValueError: there are no times, or one is negative or not finite.
    """
    times = np.array([*reached, *unreached], dtype=float)
    if not times.size or not np.isfinite(times).all() or times.min() < 0:
        raise ValueError(f"times {times.tolist()}: give at least one, each finite and not negative")
    if not reached:
        return TimeToEvent(len(times), 0, None)
    is_reached = np.repeat([1, 0], [len(reached), len(unreached)])
    curve = SurvfuncRight(times, is_reached)
    return TimeToEvent(len(times), len(reached), _median(curve.surv_times, curve.surv_prob))


Times = tuple[Sequence[float], Sequence[float]]
"""Times of the event where it was reached, and times so far where it was not."""


def compare_times(first: Times, second: Times) -> float:
    """Return the p value of the log-rank test of two samples of times to an event.

    Mantel 1966, Cancer Chemother. Rep. 50:163, by SciPy.

    Raises:
        ValueError: a sample has no time.
    """
    if not all(any(each) for each in (first, second)):
        raise ValueError("a sample has no time; give at least one of each")
    # scipy-stubs do not know this class's arguments
    before, after = (
        cast(Any, stats.CensoredData)(uncensored=each[0], right=each[1]) for each in (first, second)
    )
    return float(stats.logrank(before, after).pvalue)


def _median(times: np.ndarray, remaining: np.ndarray) -> float | None:
    """Return where the curve falls below a half; the middle of a stretch at just a half, as R's survfit.

    We do not use statsmodels' own quantile: it takes the end of that stretch, the third of four times.
    """
    below = np.flatnonzero(remaining < 0.5 - _ROUNDING)
    if not below.size:
        return None
    first = int(below[0])
    is_half = first > 0 and abs(remaining[first - 1] - 0.5) <= _ROUNDING
    return float((times[first - 1] + times[first]) / 2 if is_half else times[first])
