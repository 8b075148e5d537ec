import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from study.errors import InputError
from study.published import (
    Band,
    BandVerdict,
    GainBand,
    MeanBand,
    NearBand,
    OrderBand,
    PublishedSource,
    judge,
    read_averages,
)
from study.study_file import read_study

HEADER = "exercise,parameter,value,n_readings,accuracy_pct,note\n"

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
        (ORDER, RATES | {(5, 0.1): 89.5}, "0.01 > 0.1 > 0.001 > 0.00001", False),
        (ORDER, {(5, 0.01): 89.5, (5, 0.001): 87.0}, "not measured", None),
        (NEAR, DROPOUTS, "largest +0.25 points (at 0.1)", True),
        (NEAR, DROPOUTS | {(6, 0.5): 90.5}, "largest −0.50 points (at 0.5)", True),
        (NEAR, DROPOUTS | {(6, 0.5): 90.25}, "largest −0.75 points (at 0.5)", False),
        (NEAR, {(6, 0.1): 91.0}, "not measured", None),
        (NEAR, {(6, 0.0): 91.0, (7, None): 80.0, (5, 0.1): 80.0}, "not measured", None),
    ],
)
def test_a_band_says_what_it_found_and_whether_that_is_inside(
    band: Band, means: dict[tuple[int, float | None], float], found: str, inside: bool | None
):
    verdict = band.judge(means)
    assert (verdict.claim, verdict.found, verdict.inside) == ("C", found, inside)


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
    assert band.judge({}) == BandVerdict("C", allowed, "not measured", None)


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


def test_a_study_without_published_values_has_no_averages_and_no_verdicts():
    assert read_averages(None) == {}
    assert judge(None, {(4, 5.0): 89.5}) == []


def test_averages_are_read_by_exercise_and_value(tmp_path: Path):
    path = tmp_path / "averages.csv"
    path.write_text(HEADER + "2,filters,8,5,89.496,\n3,dense_units,16,,88.5,by eye\n", encoding="utf-8")
    averages = read_averages(PublishedSource(averages=path))
    assert [(each.readings, each.accuracy_pct, each.note) for each in averages.values()] == [
        (5, 89.496, ""),
        (None, 88.5, "by eye"),
    ]
    assert list(averages) == [(2, 8.0), (3, 16.0)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"exercise,parameter,value\n2,filters,8\n", "KeyError: 'n_readings'"),
        (
            HEADER.encode() + b"2,filters,eight,5,89.5,\n",
            "ValueError: could not convert string to float: 'eight'",
        ),
        (
            HEADER.encode() + b"two,filters,8,5,89.5,\n",
            "ValueError: invalid literal for int() with base 10: 'two'",
        ),
        (
            HEADER.encode() + b"2,filters,8\n",
            "TypeError: float() argument must be a string or a real number, not 'NoneType'",
        ),
        (
            HEADER.encode() + b"2,filters,8,5,89.5,\xff\n",
            "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff",
        ),
    ],
)
def test_a_malformed_csv_is_answered_with_its_path_and_columns(tmp_path: Path, content: bytes, reason: str):
    path = tmp_path / "averages.csv"
    path.write_bytes(content)
    expected = (
        "expected columns exercise, parameter, value, n_readings, accuracy_pct, note with numbers in all"
    )
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {reason}')}.*; {expected}"):
        read_averages(PublishedSource(averages=path))


def test_the_lab_study_brings_a_published_average_of_every_value_it_sweeps():
    lab = read_study("lab")
    averages = read_averages(lab.published)
    assert averages[2, 8.0].accuracy_pct == 89.496
    swept = {(each.number, value) for each in lab.sweeps for value in each.values}
    assert swept - averages.keys() == set()
    assert all(50 < each.accuracy_pct < 95 for each in averages.values())


def test_the_lab_study_brings_eight_bands_that_speak_of_what_it_measures():
    lab = read_study("lab")
    measured = {(each.number, value): 90.0 for each in lab.sweeps for value in each.values}
    verdicts = judge(lab.published, {**measured, (7, None): 92.0})
    assert len(verdicts) == 8
    assert [verdict.claim for verdict in verdicts if verdict.inside is None] == []
