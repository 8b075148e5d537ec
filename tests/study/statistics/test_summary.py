import math

import pytest

from study.statistics.summary import summarise

# Extra hours of sleep under the second drug, ten patients (Student 1908, Biometrika 6:1).
SLEEP = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)


def test_readings_are_summarised_as_in_students_own_example():
    # R's t.test(sleep$extra[11:20]) gives mean 2.33 and interval 0.8976775 to 3.7623225.
    spread = summarise(SLEEP)
    assert (spread.count, spread.minimum, spread.maximum) == (10, -0.1, 5.5)
    assert spread.mean == pytest.approx(2.33)
    assert spread.standard_deviation == pytest.approx(2.002249, abs=1e-6)
    assert (spread.low, spread.high) == pytest.approx((0.8976775, 3.7623225), abs=1e-7)


def test_the_interval_is_the_one_computed_by_hand():
    # 1 to 5: mean 3, s = sqrt(2.5), t(0.975; 4) = 2.776445, half width t * s / sqrt(5).
    spread = summarise([1, 2, 3, 4, 5])
    half = 2.776445 * math.sqrt(2.5) / math.sqrt(5)
    assert (spread.low, spread.high) == pytest.approx((3 - half, 3 + half), abs=1e-6)


def test_equal_readings_have_an_interval_without_width():
    spread = summarise([0.5, 0.5, 0.5])
    assert (spread.mean, spread.standard_deviation, spread.low, spread.high) == (0.5, 0, 0.5, 0.5)


def test_one_reading_bears_no_deviation_and_no_interval():
    spread = summarise([0.9])
    assert (spread.count, spread.mean, spread.minimum, spread.maximum) == (1, 0.9, 0.9, 0.9)
    assert all(math.isnan(value) for value in (spread.standard_deviation, spread.low, spread.high))


def test_no_readings_are_refused():
    with pytest.raises(ValueError, match=r"^no readings to summarise; give at least one$"):
        summarise([])
