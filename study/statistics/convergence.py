"""Times to an event that not every training reached: medians that count the others as censored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from statsmodels.duration.survfunc import SurvfuncRight

_ROUNDING = 1e-9


@dataclass(frozen=True)
class TimeToEvent:
    """How many of the trainings reached an event, and the median time until then, in the unit of the times.

    The median is None unless more than half reached it: no time is ever made up for a training that did not.
    """

    trainings: int
    reached: int
    median: float | None


def summarise_times(reached: Sequence[float], unreached: Sequence[float]) -> TimeToEvent:
    """Summarise times to an event by the Kaplan-Meier median (1958, J. Am. Stat. Assoc. 53:457).

    Args:
        reached: The time of the event, of each training that reached it.
        unreached: How long each other training was watched: its event is later than that, if it comes.

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


def _median(times: np.ndarray, remaining: np.ndarray) -> float | None:
    """Where the curve falls below a half; the middle of the stretch where it is just a half, as R's survfit.

    Not by statsmodels' own quantile, which takes the end of that stretch: of four times the third.
    """
    below = np.flatnonzero(remaining < 0.5 - _ROUNDING)
    if not below.size:
        return None
    first = int(below[0])
    is_half = first > 0 and abs(remaining[first - 1] - 0.5) <= _ROUNDING
    return float((times[first - 1] + times[first]) / 2 if is_half else times[first])
