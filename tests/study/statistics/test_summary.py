import math

import numpy as np
import pytest

from study.statistics.summary import sampling_error, summarise

# Extra hours of sleep under the second drug, ten patients (Student 1908, Biometrika 6:1).
SLEEP = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)


def test_readings_are_summarised_as_in_students_own_example():
    # R's t.test(sleep$extra[11:20]) gives mean 2.33 and interval 0.8976775 to 3.7623225.
    spread = summarise(SLEEP)
    assert (spread.count, spread.minimum, spread.maximum) == (10, -0.1, 5.5)
    assert spread.mean == pytest.approx(2.33)
    assert spread.standard_deviation == pytest.approx(2.002249, abs=1e-6)
    assert (spread.low, spread.high) == pytest.approx((0.8976775, 3.7623225), abs=1e-7)


@pytest.mark.parametrize(("readings", "has"), [([0.1, 0.1, 0.1], False), ([0.9], False), ([0.1, 0.2], True)])
def test_a_single_reading_and_equal_ones_support_no_interval(readings: list[float], has: bool):
    assert summarise(readings).has_interval is has


def test_one_reading_bears_no_deviation_and_no_interval():
    spread = summarise([0.9])
    assert (spread.count, spread.mean, spread.minimum, spread.maximum) == (1, 0.9, 0.9, 0.9)
    assert all(math.isnan(value) for value in (spread.standard_deviation, spread.low, spread.high))


def test_no_readings_are_refused():
    with pytest.raises(ValueError, match=r"^no readings to summarise; give at least one$"):
        summarise([])


def test_the_sampling_error_is_that_of_drawing_other_test_images():
    rng = np.random.default_rng(4)
    accuracies = rng.binomial(10_000, 0.9, 20_000) / 10_000
    assert sampling_error(0.9, 10_000) == pytest.approx(accuracies.std(), rel=0.02)
    assert sampling_error(0.0, 1) == sampling_error(1.0, 1) == 0
