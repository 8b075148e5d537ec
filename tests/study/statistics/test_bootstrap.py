import numpy as np
import pytest
from scipy import stats

from study.statistics.bootstrap import bootstrap_interval

STEADY = tuple(np.random.default_rng(1).normal(0.9, 0.004, 30))
COLLAPSING = (*STEADY[:27], 0.1, 0.1, 0.1)


def test_fewer_than_twenty_readings_have_no_bootstrap_interval():
    assert bootstrap_interval(STEADY[:19]) is None
    assert bootstrap_interval(STEADY[:20]) is not None


def test_it_is_scipys_bca_interval():
    found = stats.bootstrap((np.array(STEADY),), np.mean, n_resamples=9999, rng=3).confidence_interval
    assert bootstrap_interval(STEADY) == pytest.approx((found.low, found.high), abs=1e-4)


def test_where_readings_collapse_it_reaches_further_down_than_up():
    low, high = bootstrap_interval(COLLAPSING)
    mean = float(np.mean(COLLAPSING))
    assert mean - low > 1.3 * (high - mean)
    assert high < 0.91


def test_the_order_of_readings_changes_nothing():
    assert bootstrap_interval(COLLAPSING) == bootstrap_interval(COLLAPSING[::-1])


def test_readings_that_do_not_vary_have_an_interval_without_width():
    assert bootstrap_interval([0.1] * 20) == (0.1, 0.1)
