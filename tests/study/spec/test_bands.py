"""The bands: inside by the mean, outside only where the interval leaves the band out."""

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from study.spec.bands import Band, BandVerdict, Cell, GainBand, MeanBand, NearBand, OrderBand, Readings
from study.statistics.difference import welch


def _compare(first: Readings, second: Readings) -> tuple[float, float]:
    return welch(list(first.values()), list(second.values())).interval()


def _steady(means: dict[Cell, float]) -> dict[Cell, dict[int, float]]:
    """Readings with these means that hardly spread."""
    return {cell: {1: mean - 1e-4, 2: mean, 3: mean + 1e-4} for cell, mean in means.items()}


MEAN = MeanBand(kind="mean", claim="C", exercise=4, value=5, low=89.0, high=90.1)
OPTIMUM = MeanBand(kind="mean", claim="C", exercise=7, low=91.0, high=92.5)
GAIN = GainBand(kind="gain", claim="C", exercise=4, start=1, end=20, low=2, high=5)
ORDER = OrderBand(kind="order", claim="C", exercise=5, groups=((0.01,), (0.001, 0.1), (0.00001,)))
NEAR = NearBand(kind="near", claim="C", exercise=6, reference=0, margin=0.5)

RATES = {(5, 0.01): 89.5, (5, 0.001): 87.0, (5, 0.1): 82.0, (5, 0.00001): 73.0}
DROPOUTS = {(6, 0.0): 91.0, (6, 0.1): 91.25, (6, 0.5): 90.75}


@pytest.mark.parametrize(
    ("band", "means", "found", "inside"),
    [
        (MEAN, {(4, 5.0): 89.5}, "89.50%", True),
        (MEAN, {(4, 5.0): 89.0}, "89.00%", True),
        (MEAN, {(4, 5.0): 90.1}, "90.10%", True),
        (MEAN, {(4, 5.0): 88.7}, "88.70%", False),
        (MEAN, {(4, 5.0): 90.2}, "90.20%", False),
        (MEAN, {(4, 2.0): 89.5, (5, 5.0): 89.5}, "not measured", None),
        (OPTIMUM, {(7, None): 91.5}, "91.50%", True),
        (OPTIMUM, {(7, None): 92.8}, "92.80%", False),
        (OPTIMUM, {}, "not measured", None),
        (GAIN, {(4, 1.0): 87.0, (4, 20.0): 90.5}, "+3.50 points", True),
        (GAIN, {(4, 1.0): 87.0, (4, 20.0): 92.5}, "+5.50 points", False),
        (GAIN, {(4, 1.0): 87.0, (4, 20.0): 86.5}, "−0.50 points", False),
        (GAIN, {(4, 1.0): 87.0}, "not measured", None),
        (GAIN, {(4, 20.0): 87.0}, "not measured", None),
        (ORDER, RATES, "0.01 > 0.001 > 0.1 > 0.00001", True),
        (ORDER, RATES | {(5, 0.1): 88.0}, "0.01 > 0.1 > 0.001 > 0.00001", True),
        (ORDER, RATES | {(5, 0.1): 90.0}, "0.1 > 0.01 > 0.001 > 0.00001", False),
        (ORDER, RATES | {(5, 0.1): 10.0}, "0.01 > 0.001 > 0.00001 > 0.1", False),
        (ORDER, {(5, 0.01): 89.5, (5, 0.001): 87.0}, "not measured", None),
        (NEAR, DROPOUTS, "largest +0.25 points (at 0.1)", True),
        (NEAR, DROPOUTS | {(6, 0.5): 90.5}, "largest −0.50 points (at 0.5)", True),
        (NEAR, DROPOUTS | {(6, 0.5): 90.25}, "largest −0.75 points (at 0.5)", False),
        (NEAR, {(6, 0.1): 91.0}, "not measured", None),
        (NEAR, {(6, 0.0): 91.0, (7, None): 80.0, (5, 0.1): 80.0}, "not measured", None),
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
    ("band", "allowed"),
    [
        (MEAN, "89 to 90.1%"),
        (GAIN, "+2.00 to +5.00 points"),
        (ORDER, "0.01 > 0.001 and 0.1 > 0.00001"),
        (NEAR, "at most 0.5 points apart"),
    ],
)
def test_a_band_says_what_it_allows(band: Band, allowed: str):
    assert band.judge({}, _compare) == BandVerdict(
        "C", band.exercise, allowed, "not measured", "not measured"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "near", "reference": 0, "margin": 0}, "margin\n  Input should be greater than 0"),
        ({"kind": "order", "groups": [[1]]}, "Tuple should have at least 2 items"),
        ({"kind": "order", "groups": [[1], []]}, "Tuple should have at least 1 item"),
        ({"kind": "mean", "low": 1}, "high\n  Field required"),
        ({"kind": "median"}, "'median' found using 'kind' does not match"),
    ],
)
def test_an_impossible_band_is_refused(changes: dict[str, object], message: str):
    with pytest.raises(ValidationError, match=re.escape(message)):
        TypeAdapter(Band).validate_python({"claim": "C", "exercise": 2, **changes})


@pytest.mark.parametrize(
    ("band", "readings"),
    [
        (MEAN, {(4, 5.0): {1: 88.0, 2: 89.9}}),
        (MEAN, {(4, 5.0): {1: 88.7}}),
        (GAIN, {(4, 1.0): {1: 87.0, 2: 89.0}, (4, 20.0): {1: 88.0, 2: 91.0}}),
        (ORDER, {(5, value): {1: 85.0 + value, 2: 88.0} for value in (0.01, 0.001, 0.1, 0.00001)}),
        (ORDER, _steady(RATES | {(5, 0.1): 89.5})),  # 0.1 and 0.01 are equal, where 0.01 should be above
        (NEAR, {(6, 0.0): {1: 90.0, 2: 91.0}, (6, 0.1): {1: 90.0, 2: 92.5}}),
    ],
)
def test_a_mean_that_misses_its_band_by_less_than_its_interval_cannot_be_told(
    band: Band, readings: dict[Cell, Readings]
):
    assert band.judge(readings, _compare).verdict == "cannot tell"


def test_an_interval_that_would_leave_what_an_accuracy_can_be_ends_there():
    found = MEAN.judge({(4, 5.0): {1: 10.0, 2: 89.0}}, _compare).found
    assert found == "49.50% (0.00 to 100.00)"
    assert MEAN.judge({(4, 5.0): {1: 89.5}}, _compare).found == "89.50% (one reading)"


def test_the_interval_of_a_gain_is_told_in_points():
    found = GAIN.judge({(4, 1.0): {1: 87.0, 2: 88.0}, (4, 20.0): {1: 90.0, 2: 92.0}}, _compare).found
    low, high = _compare({1: 87.0, 2: 88.0}, {1: 90.0, 2: 92.0})
    assert found == f"+3.50 points (−{-low:.2f} to +{high:.2f})"
