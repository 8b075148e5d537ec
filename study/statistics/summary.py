"""Summarise repeated readings by mean, spread and intervals, and times to an event by medians."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import stdtrit
from statsmodels.duration.survfunc import SurvfuncRight

from study.statistics.difference import SAME


@dataclass(frozen=True)
class Spread:
    """Readings summarised: `low` and `high` are the 95% confidence interval of the mean.

    Standard deviation and interval are NaN for a single reading: one reading supports neither.
    """

    count: int
    mean: float
    standard_deviation: float
    low: float
    high: float
    minimum: float
    maximum: float


def summarise(readings: Sequence[float], confidence: float = 0.95) -> Spread:
    """Summarise readings by mean, standard deviation (n - 1) and Student's t interval of the mean.

    Raises:
        ValueError: there are no readings.
    """
    if not readings:
        raise ValueError("no readings to summarise; give at least one")
    values = np.asarray(readings, dtype=float)
    mean, count = float(values.mean()), len(values)
    deviation = float(values.std(ddof=1)) if count > 1 else math.nan
    half = (
        float(stdtrit(count - 1, (1 + confidence) / 2)) * deviation / math.sqrt(count)
        if count > 1
        else math.nan
    )
    return Spread(count, mean, deviation, mean - half, mean + half, float(values.min()), float(values.max()))


FEWEST = 20
"""Below this number of readings there is no interval: resamples contain only values that occurred."""

_RESAMPLES = 9999
_SEED = 20_170_825  # the day Fashion-MNIST appeared; any constant would do


def bootstrap_interval(readings: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Return the BCa bootstrap interval of the mean (Efron 1987, J. Am. Stat. Assoc. 82:171).

    None for fewer than 20 readings. The same readings, in any order, always give the same interval.
    """
    if len(readings) < FEWEST:
        return None
    values = np.sort(np.asarray(readings, dtype=float))
    if np.ptp(values) < SAME:
        return float(values[0]), float(values[0])
    found = stats.bootstrap(
        (values,), np.mean, confidence_level=confidence, n_resamples=_RESAMPLES, rng=_SEED, vectorized=True
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def sampling_error(accuracy: float, images: int) -> float:
    """Return an accuracy's binomial standard error (fraction) from the choice of test images.

    It differs in kind from the spread over seeds, which is read on one and the same test set.

    Raises:
        ValueError: the accuracy is not a fraction, or there are no images.
    """
    if not 0 <= accuracy <= 1 or images < 1:
        raise ValueError(f"accuracy={accuracy:g}, images={images}; give a fraction and at least 1")
    return math.sqrt(accuracy * (1 - accuracy) / images)


_ROUNDING = 1e-9


@dataclass(frozen=True)
class TimeToEvent:
    """The number of trainings that reached an event, and the median time until then, in the times' unit.

    The median is None unless more than half reached it: a training that did not never gets an invented time.
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
