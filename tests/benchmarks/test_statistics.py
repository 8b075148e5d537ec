"""The simulation of studies whose truth is known, in small; the whole one's figures: `docs/statistics.md`."""

from math import sqrt

import pytest

from benchmarks.statistics import (
    SPREAD,
    SWEEPS,
    UNITS,
    claim_falsely,
    cover_all,
    cover_difference,
    cover_mean,
    find_difference,
    judge_published,
    normal,
)
from study.statistics.power import power_of

FEWER = range(40)
MANY = range(1000)


def _within(happened: int, simulations: range, low: float, high: float) -> bool:
    """Whether a rate is between two, but for three standard errors of the simulation."""
    rate, count = happened / len(simulations), len(simulations)
    return low - 3 * sqrt(low * (1 - low) / count) <= rate <= high + 3 * sqrt(high * (1 - high) / count)


@pytest.mark.parametrize("sweep", [SWEEPS[0], SWEEPS[2], SWEEPS[4], SWEEPS[6]], ids=lambda sweep: sweep[0])
def test_a_study_without_any_difference_claims_one_in_at_most_five_of_a_hundred(sweep):
    assert _within(claim_falsely(FEWER, *sweep[1:]), FEWER, 0, 0.05)


def test_the_intervals_of_all_settings_hold_the_truth_at_once():
    assert _within(cover_all(FEWER, UNITS, 5), FEWER, 0.93, 1)


@pytest.mark.parametrize("repeats", [2, 5, 35])
def test_the_interval_of_a_mean_holds_it_as_often_as_it_says(repeats: int):
    assert _within(cover_mean(MANY, normal, repeats, 0.89, is_bootstrap=False), MANY, 0.94, 0.96)


def test_the_interval_of_a_difference_holds_it_as_often_as_it_says():
    assert _within(cover_difference(MANY, 5), MANY, 0.94, 0.96)


@pytest.mark.parametrize(("difference", "repeats"), [(0.003, 35), (0.01, 5)])
def test_differences_are_found_as_often_as_predicted(difference: float, repeats: int):
    predicted = power_of(difference, SPREAD, repeats)
    found = find_difference(MANY, difference, repeats, 0.05)
    assert _within(found, MANY, predicted - 0.015, predicted)


def test_a_verdict_is_wrong_in_at_most_five_of_a_hundred():
    assert _within(judge_published(MANY, "differs", 0.0, 5, 0.005), MANY, 0, 0.05)
    assert _within(judge_published(MANY, "agrees", 0.005, 35, 0.005), MANY, 0, 0.05)
