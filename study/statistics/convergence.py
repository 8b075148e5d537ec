"""Take medians of times to an event that not every training reached: the others count as censored."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight

from study.statistics.difference import SAME


def median_time(reached: Sequence[float], unreached: Sequence[float]) -> float | None:
    """Return the Kaplan-Meier median (1958, J. Am. Stat. Assoc. 53:457) of times to an event, in their unit.

    None where the estimated share of those still to reach it never falls below a half. Of a stretch at just
    a half it is the middle, as R's survfit; statsmodels' own quantile takes the end, the third of four times.

    Args:
        reached: The time of the event, for each training that reached it.
        unreached: The time for which each other training ran: its event is later than that, if it comes.
    """
    if not reached:
        return None
    is_reached = np.repeat([1, 0], [len(reached), len(unreached)])
    curve = SurvfuncRight(np.array([*reached, *unreached], dtype=float), is_reached)
    times, remaining = curve.surv_times, curve.surv_prob
    below = np.flatnonzero(remaining < 0.5 - SAME)
    if not below.size:
        return None
    first = int(below[0])
    is_half = first > 0 and abs(remaining[first - 1] - 0.5) <= SAME
    return float((times[first - 1] + times[first]) / 2 if is_half else times[first])


TimesToEvent = tuple[Sequence[float], Sequence[float]]
"""Times of the event where it was reached, and times so far where it was not; at least one time."""


def compare_times(first: TimesToEvent, second: TimesToEvent) -> float:
    """Return the p value of the log-rank test (Mantel 1966, Cancer Chemother. Rep. 50:163), by SciPy."""
    # scipy-stubs do not know this class's arguments
    before, after = (
        cast(Any, stats.CensoredData)(uncensored=each[0], right=each[1]) for each in (first, second)
    )
    return float(stats.logrank(before, after).pvalue)
