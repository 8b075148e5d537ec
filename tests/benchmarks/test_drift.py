"""The simulation of quiet years and of drifts, in small; the whole one's figures: `docs/nights.md`."""

from collections import Counter
from math import sqrt

import numpy as np
import pytest

from benchmarks.drift import LAB, NEW, NIGHTS, NOISES, Quiet, simulate_drifts, simulate_nights, simulate_year


@pytest.mark.parametrize("quiet", NOISES, ids=lambda quiet: quiet.words)
def test_a_year_of_quiet_nights_has_at_most_one_false_alarm_within_the_error_of_simulation(quiet: Quiet):
    nights = 120
    expected = nights / NIGHTS
    alarms = simulate_year(1, quiet, nights)
    assert alarms <= expected + 3 * sqrt(expected)  # a test of t scores gives 30 where trainings collapse


@pytest.mark.parametrize(("new", "found_often"), [(1.0, (3,)), (NEW, (2, 3, 6))])
def test_half_a_point_everywhere_is_mostly_found_where_readings_spread_little(
    new: float, found_often: tuple[int, ...]
):
    everywhere = {setting.name: -0.005 for setting in LAB}
    found = Counter(number for seed in range(20) for number in simulate_drifts(seed, everywhere, 1, new))
    assert min(found[exercise] for exercise in found_often) >= 15


def test_a_simulated_night_has_every_trial_of_the_sweeps_with_new_weights():
    night = next(simulate_nights(np.random.default_rng(1)))
    assert len(night) == len({each.weights_sha256 for each in night}) == 114
    assert Counter(each.exercise for each in night) == {2: 25, 3: 25, 4: 20, 5: 20, 6: 24}
