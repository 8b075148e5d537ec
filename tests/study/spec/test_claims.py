"""The published claims: each verdict, on readings made for it and on the published ones."""

import re
from collections.abc import Mapping

import pytest
from pydantic import TypeAdapter, ValidationError

from study.spec.claims import BestClaim, Claim, ClaimVerdict, HigherClaim, Readings, TrendClaim
from study.spec.published import read_readings
from study.spec.study_file import read_study

STEADY = (0.001, -0.001, 0.002, -0.002)
BEST = BestClaim(kind="best", claim="C", exercise=2, value=64)
HIGHER = HigherClaim(kind="higher", claim="C", exercise=2, value=64, than=(8, 16))
TREND = TrendClaim(kind="trend", claim="C", exercise=2, values=(8, 16, 64))


def _around(means: Mapping[float, float]) -> dict[float, dict[int, float]]:
    return {value: {seed: mean + each for seed, each in enumerate(STEADY)} for value, mean in means.items()}


RISING = _around({8: 0.88, 16: 0.89, 64: 0.90})
FALLING = _around({8: 0.90, 16: 0.89, 64: 0.88})
EQUAL = _around({8: 0.90, 16: 0.9001, 64: 0.9002})
ONE_ABOVE = _around({8: 0.90, 16: 0.88, 64: 0.885})
ONE_NEAR = _around({8: 0.88, 16: 0.8999, 64: 0.90})


@pytest.mark.parametrize("claim", [BEST, HIGHER, TREND])
@pytest.mark.parametrize("is_paired", [False, True])
def test_a_claim_is_supported_contradicted_or_cannot_be_told(claim: Claim, is_paired: bool):
    assert claim.judge(RISING, is_paired).verdict == "supported"
    assert claim.judge(FALLING, is_paired).verdict == "contradicted"
    assert claim.judge(EQUAL, is_paired=False).verdict == "undecided"


@pytest.mark.parametrize("claim", [BEST, HIGHER, TREND])
def test_a_claim_of_what_was_not_measured_is_not_judged(claim: Claim):
    unknown = ClaimVerdict("not measured", "not measured")
    assert claim.judge({}, is_paired=False) == unknown
    assert claim.judge({8: RISING[8], 16: RISING[16]}, is_paired=False) == unknown


P = r"p (below )?0\.\d+"


@pytest.mark.parametrize(
    ("claim", "readings", "verdict", "reason"),
    [
        (BEST, RISING, "supported", rf"better than 8 \(\+2\.00, {P}\) and 16 \(\+1\.00, {P}\)"),
        (BEST, FALLING, "contradicted", rf"worse than 8 \(−2\.00, {P}\) and 16 \(−1\.00, {P}\)"),
        (HIGHER, ONE_ABOVE, "contradicted", rf"worse than 8 \(−1\.50, {P}\)"),
        (HIGHER, ONE_NEAR, "undecided", rf"not significantly better than 16 \(\+0\.01, {P}\)"),
        (HIGHER, {**RISING, 8: {1: 0.5}}, "undecided", "a single reading to compare with 8"),
        (HIGHER, {8: RISING[8], 64: RISING[64]}, "undecided", "not measured: 16"),
        (TREND, RISING, "supported", rf"\+2\.00 points from first to last, Kendall's tau 0\.\d+, {P}"),
    ],
)
def test_the_reason_has_each_difference_and_its_p_value_or_what_is_missing(
    claim: Claim, readings: Readings, verdict: str, reason: str
):
    found = claim.judge(readings, is_paired=False)
    assert found.verdict == verdict
    assert re.fullmatch(reason, found.reason)


def test_a_trend_of_paired_readings_is_that_of_page():
    found = TREND.judge(EQUAL, is_paired=True)
    assert re.fullmatch(rf"\+0\.02 points from first to last, Page's L \(scaled\) 1, {P}", found.reason)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "higher", "value": 8, "than": [16, 8]}, "than: 8 is the value itself; give others"),
        ({"kind": "trend", "values": [1, 2, 1]}, "values: 1, 2 and 1; each value once"),
    ],
)
def test_an_impossible_claim_is_refused(changes: dict[str, object], message: str):
    with pytest.raises(ValidationError, match=re.escape(message)):
        TypeAdapter(Claim).validate_python({"claim": "C", "exercise": 2, **changes})


def test_what_the_published_readings_bear_of_the_published_claims():
    published = read_study("lab").published
    assert published is not None
    cells = read_readings(published)
    found = {}
    for claim in published.claims:
        readings = {
            value: {number: accuracy / 100 for number, accuracy in each.items()}
            for (exercise, value), each in cells.items()
            if exercise == claim.exercise and value is not None
        }
        found[claim.claim] = claim.judge(readings, is_paired=False).verdict
    assert {claim for claim, verdict in found.items() if verdict == "supported"} == {
        "More filters raise accuracy",
        "More epochs raise accuracy",
        "Learning rate 0.01 is best",
    }
    assert {claim for claim, verdict in found.items() if verdict == "not measured"} == {
        "More dense units raise accuracy",  # of Exercise 3 only averages were published
        "64 dense units are best",
    }
    assert "contradicted" not in found.values()


@pytest.mark.parametrize(
    ("claim", "readings", "difference"),
    [
        (BEST, RISING, 0.01),  # to 16, which is nearer than 8
        (BEST, FALLING, -0.01),
        (HIGHER, ONE_NEAR, 0.0001),
        (TREND, RISING, 0.02),
        (HIGHER, {}, None),
    ],
)
def test_a_claim_has_the_difference_and_p_value_that_decide(
    claim: Claim, readings: Readings, difference: float | None
):
    found = claim.judge(readings, is_paired=False)
    assert found.difference == pytest.approx(difference)
    assert (found.p_value is None) == (difference is None)
    if found.low is not None:
        assert found.low < found.difference < found.high
        assert (found.verdict == "undecided") == (found.low < 0 < found.high)
