"""The published claims: each verdict, on readings made for it and on the published ones."""

import random
import re
from collections.abc import Mapping

import pytest
from pydantic import TypeAdapter, ValidationError

from study.spec.claims import NOT_MEASURED, BestClaim, Claim, ClaimVerdict, HigherClaim, TrendClaim
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


@pytest.mark.parametrize("claim", [BEST, HIGHER, TREND])
@pytest.mark.parametrize("is_paired", [False, True])
def test_a_claim_is_supported_contradicted_or_cannot_be_told(claim: Claim, is_paired: bool):
    assert claim.judge(RISING, is_paired).verdict == "supported"
    assert claim.judge(FALLING, is_paired).verdict == "contradicted"
    assert claim.judge(EQUAL, is_paired=False).verdict == "undecided"


@pytest.mark.parametrize("claim", [BEST, HIGHER, TREND])
def test_a_claim_of_what_was_not_measured_is_not_judged(claim: Claim):
    assert claim.judge({}, is_paired=False) == NOT_MEASURED
    assert claim.judge({8: RISING[8], 16: RISING[16]}, is_paired=False) == NOT_MEASURED


def test_the_reason_has_each_difference_and_its_p_value():
    reason = BEST.judge(RISING, is_paired=False).reason
    assert re.fullmatch(
        r"better than 8 \(\+2\.00, p (below )?0\.\d+\) and 16 \(\+1\.00, p (below )?0\.\d+\)", reason
    )
    assert TREND.judge(RISING, is_paired=False).reason.startswith(
        "+2.00 points from first to last, Kendall's tau"
    )
    assert "64" not in BEST.judge(FALLING, is_paired=False).reason


def test_a_single_reading_cannot_tell_and_the_reason_says_so():
    verdict = HIGHER.judge({**RISING, 8: {1: 0.5}}, is_paired=False)
    assert verdict.verdict == "undecided"
    assert "a single reading to compare with 8" in verdict.reason


def test_what_was_not_measured_of_others_keeps_a_claim_from_being_supported():
    verdict = HIGHER.judge({8: RISING[8], 64: RISING[64]}, is_paired=False)
    assert (verdict.verdict, verdict.reason) == ("undecided", "not measured: 16")


def test_the_order_of_repeats_changes_no_verdict():
    rng = random.Random(4)
    for readings in (RISING, FALLING, EQUAL):
        shuffled = {
            value: dict(rng.sample(list(each.items()), len(each))) for value, each in readings.items()
        }
        for claim in (BEST, HIGHER, TREND):
            assert claim.judge(shuffled, is_paired=True) == claim.judge(readings, is_paired=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "higher", "value": 8, "than": [16, 8]}, "than: 8 is the value itself; give others"),
        ({"kind": "higher", "value": 8, "than": []}, "Tuple should have at least 1 item"),
        ({"kind": "trend", "values": [1, 2]}, "Tuple should have at least 3 items"),
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


def test_a_claim_that_is_contradicted_names_what_is_higher():
    one = HIGHER.judge(_around({8: 0.90, 16: 0.88, 64: 0.885}), is_paired=False)
    assert one.verdict == "contradicted"
    assert re.fullmatch(r"worse than 8 \(−1\.50, p (below )?0\.\d+\)", one.reason)
    both = HIGHER.judge(FALLING, is_paired=False)
    assert re.fullmatch(r"worse than 8 \(−2\.00, p .+\) and 16 \(−1\.00, p .+\)", both.reason)


def test_the_reason_of_what_cannot_be_told_names_with_which_value():
    found = HIGHER.judge(_around({8: 0.88, 16: 0.8999, 64: 0.90}), is_paired=False)
    assert re.fullmatch(r"not significantly better than 16 \(\+0\.01, p 0\.\d+\)", found.reason)
    flat = TREND.judge(_around({8: 0.90, 16: 0.8999, 64: 0.9001}), is_paired=True)
    assert re.fullmatch(
        r"\+0\.01 points from first to last, Page's L \(scaled\) 0\.\d+, p 0\.\d+", flat.reason
    )


def test_what_was_not_measured_is_said_so_in_verdict_and_reason():
    assert BEST.judge({}, is_paired=False) == ClaimVerdict("not measured", "not measured")
