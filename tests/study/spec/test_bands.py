"""The bands: inside if the whole interval is, outside if all of it is out of the band."""

import re

import pytest

from study.spec.bands import Band, BandVerdict, Cell, GainBand, MeanBand, NearBand, OrderBand, Readings
from study.statistics.difference import welch


def _compare(first: Readings, second: Readings) -> tuple[float, float]:
    return welch(list(first.values()), list(second.values())).interval()


def _steady(means: dict[Cell, float]) -> dict[Cell, dict[int, float]]:
    """Readings with these means that hardly spread."""
    return {cell: {1: mean - 1e-6, 2: mean, 3: mean + 1e-6} for cell, mean in means.items()}


MEAN = MeanBand(kind="mean", claim="C", exercise=4, value=5, low=89.0, high=90.1)
OPTIMUM = MeanBand(kind="mean", claim="C", exercise=7, low=91.0, high=92.5)
GAIN = GainBand(kind="gain", claim="C", exercise=4, start=1, end=20, low=2, high=5)
ORDER = OrderBand(kind="order", claim="C", exercise=5, groups=((0.01,), (0.001, 0.1), (0.00001,)))
NEAR = NearBand(kind="near", claim="C", exercise=6, reference=0, margin=0.5)

RATES = {(5, 0.01): 0.895, (5, 0.001): 0.87, (5, 0.1): 0.82, (5, 0.00001): 0.73}
DROPOUTS = {(6, 0.0): 0.91, (6, 0.1): 0.9125, (6, 0.5): 0.9075}


@pytest.mark.parametrize(
    ("band", "means", "found", "inside"),
    [
        (MEAN, {(4, 5.0): 0.895}, "89.50%", True),
        (MEAN, {(4, 5.0): 0.8901}, "89.01%", True),
        (MEAN, {(4, 5.0): 0.9009}, "90.09%", True),
        (MEAN, {(4, 5.0): 0.887}, "88.70%", False),
        (MEAN, {(4, 5.0): 0.902}, "90.20%", False),
        (MEAN, {(4, 2.0): 0.895, (5, 5.0): 0.895}, "not measured", None),
        (OPTIMUM, {(7, None): 0.915}, "91.50%", True),
        (OPTIMUM, {(7, None): 0.928}, "92.80%", False),
        (OPTIMUM, {}, "not measured", None),
        (GAIN, {(4, 1.0): 0.87, (4, 20.0): 0.905}, "+3.50 points", True),
        (GAIN, {(4, 1.0): 0.87, (4, 20.0): 0.925}, "+5.50 points", False),
        (GAIN, {(4, 1.0): 0.87, (4, 20.0): 0.865}, "−0.50 points", False),
        (GAIN, {(4, 1.0): 0.87}, "not measured", None),
        (GAIN, {(4, 20.0): 0.87}, "not measured", None),
        (ORDER, RATES, "0.01 > 0.001 > 0.1 > 0.00001", True),
        (ORDER, RATES | {(5, 0.1): 0.88}, "0.01 > 0.1 > 0.001 > 0.00001", True),
        (ORDER, RATES | {(5, 0.1): 0.9}, "0.1 > 0.01 > 0.001 > 0.00001", False),
        (ORDER, RATES | {(5, 0.1): 0.1}, "0.01 > 0.001 > 0.00001 > 0.1", False),
        (ORDER, {(5, 0.01): 0.895, (5, 0.001): 0.87}, "not measured", None),
        (NEAR, DROPOUTS, "largest +0.25 points (at 0.1)", True),
        (NEAR, DROPOUTS | {(6, 0.5): 0.9052}, "largest −0.48 points (at 0.5)", True),
        (NEAR, DROPOUTS | {(6, 0.5): 0.9025}, "largest −0.75 points (at 0.5)", False),
        (NEAR, {(6, 0.1): 0.91}, "not measured", None),
        (NEAR, {(6, 0.0): 0.91, (7, None): 0.8, (5, 0.1): 0.8}, "not measured", None),
    ],
)
def test_a_band_says_what_it_found_and_whether_that_is_inside(
    band: Band, means: dict[Cell, float], found: str, inside: bool | None
):
    verdict = band.judge(_steady(means), _compare)
    words = {True: "inside", False: "outside", None: "not measured"}
    assert (verdict.claim, verdict.verdict) == ("C", words[inside])
    assert re.sub(r" \([−+.\d]+ to [−+.\d]+\)", "", verdict.found) == found


@pytest.mark.parametrize(
    ("band", "allowed", "bounds"),
    [
        (MEAN, "89 to 90.1%", (0.89, 90.1 / 100)),
        (GAIN, "+2.00 to +5.00 points", (0.02, 0.05)),
        (ORDER, "0.01 > 0.001 and 0.1 > 0.00001", (None, None)),
        (NEAR, "at most 0.5 points apart", (-0.005, 0.005)),
    ],
)
def test_a_band_says_what_it_allows(band: Band, allowed: str, bounds: tuple[float | None, float | None]):
    expected = BandVerdict("C", band.exercise, allowed, "not measured", "not measured", *bounds)
    assert band.judge({}, _compare) == expected


@pytest.mark.parametrize(
    ("band", "means", "mean", "difference"),
    [
        (MEAN, {(4, 5.0): 0.895}, 0.895, None),
        (GAIN, {(4, 1.0): 0.87, (4, 20.0): 0.865}, None, -0.005),
        (NEAR, DROPOUTS, None, 0.0025),
    ],
)
def test_the_numbers_of_a_band_are_numbers_too(
    band: Band, means: dict[Cell, float], mean: float | None, difference: float | None
):
    found = band.judge(_steady(means), _compare)
    assert (found.mean_accuracy, found.difference) == (pytest.approx(mean), pytest.approx(difference))
    middle = mean if difference is None else difference
    assert found.low <= middle + 1e-9 and middle - 1e-9 <= found.high


@pytest.mark.parametrize(
    ("band", "readings"),
    [
        (MEAN, {(4, 5.0): {1: 0.88, 2: 0.899}}),
        (MEAN, {(4, 5.0): {1: 0.88, 2: 0.91}}),  # its mean lies in the band
        (MEAN, {(4, 5.0): {1: 0.887}}),
        (GAIN, {(4, 1.0): {1: 0.87, 2: 0.89}, (4, 20.0): {1: 0.88, 2: 0.91}}),
        (ORDER, {(5, value): {1: 0.85 + value / 100, 2: 0.88} for value in (0.01, 0.001, 0.1, 0.00001)}),
        (ORDER, _steady(RATES | {(5, 0.1): 0.895})),  # 0.1 and 0.01 are equal, where 0.01 should be above
        (NEAR, {(6, 0.0): {1: 0.9, 2: 0.91}, (6, 0.1): {1: 0.9, 2: 0.925}}),
    ],
)
def test_an_interval_that_reaches_in_and_out_of_a_band_leaves_it_undecided(
    band: Band, readings: dict[Cell, Readings]
):
    assert band.judge(readings, _compare).verdict == "undecided"


def test_an_interval_that_would_leave_what_an_accuracy_can_be_ends_there():
    found = MEAN.judge({(4, 5.0): {1: 0.1, 2: 0.89}}, _compare).found
    assert found == "49.50% (0.00 to 100.00)"
    assert MEAN.judge({(4, 5.0): {1: 0.895}}, _compare).found == "89.50% (one reading)"


def test_the_interval_of_a_gain_is_told_in_points():
    found = GAIN.judge({(4, 1.0): {1: 0.87, 2: 0.88}, (4, 20.0): {1: 0.9, 2: 0.92}}, _compare).found
    low, high = _compare({1: 0.87, 2: 0.88}, {1: 0.9, 2: 0.92})
    assert found == f"+3.50 points (−{-100 * low:.2f} to +{100 * high:.2f})"
