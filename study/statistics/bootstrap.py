"""Compute a confidence interval of a mean that follows the skew of its readings: BCa, by SciPy."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from study.statistics.difference import SAME

FEWEST = 20
"""Below this number of readings there is no interval: resamples contain only values that occurred."""

_RESAMPLES = 9999
_SEED = 20_170_825  # the day Fashion-MNIST appeared; any constant would do


def bootstrap_interval(readings: Sequence[float]) -> tuple[float, float] | None:
    """Return the BCa bootstrap interval of the mean (Efron 1987, J. Am. Stat. Assoc. 82:171).

    None for fewer than 20 readings. The same readings, in any order, always give the same interval.
    """
    if len(readings) < FEWEST:
        return None
    values = np.sort(np.asarray(readings, dtype=float))
    if np.ptp(values) < SAME:
        return float(values[0]), float(values[0])
    found = stats.bootstrap((values,), np.mean, n_resamples=_RESAMPLES, rng=_SEED, vectorized=True)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
