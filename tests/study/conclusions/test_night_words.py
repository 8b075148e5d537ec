"""A night in words: short for a table, whole for a message."""

import pytest

from study.conclusions.changes import Change, name_changes
from study.conclusions.night_words import (
    MAX_NAMED,
    describe_changes,
    describe_night,
    describe_verdict,
    shorten_verdicts,
)
from study.conclusions.nights import Verdict
from tests.study.conclusions.test_changes import BEFORE


def test_the_gravest_verdict_comes_first_with_its_exercises():
    verdicts = {2: "identical", 5: "drifted", 3: "drifted", 7: "unclear"}
    assert shorten_verdicts(verdicts) == "drifted 3, 5; unclear 7; identical 2"
    assert shorten_verdicts({2: "identical", 3: "identical"}) == "identical"


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict(2, "no reading", 1, 1), "No reading: all 1 trial failed."),
        (Verdict(2, "first", 25, 0), "First: no earlier run has read these settings."),
        (
            Verdict(2, "identical", 25, 2, 0, "a", 9, 25, 0.0),
            "Identical: the weights of run a. 2 trials failed and are not compared.",
        ),
        (
            Verdict(2, "same within noise", 25, 0, 25, "a", 3, 75, 0.001, 0.25, 0.0005, "filters=8"),
            "Same within noise: +0.10 points against 75 distinct readings of 3 runs "
            "(p = 0.25, an alarm at 0.0005 or below); the weights of 25 of 25 trials are new.",
        ),
        (
            Verdict(2, "drifted", 25, 0, 25, "a", 1, 25, -0.2, 1e-9, 0.0005, "filters=8"),
            "DRIFTED: −20.00 points against 25 distinct readings of run a, most surely filters=8 "
            "(p = 1e-09, an alarm at 0.0005 or below); the weights of 25 of 25 trials are new.",
        ),
        (
            Verdict(7, "unclear", 2, 0, 1, "a", 1, 2, -0.01),
            "Unclear: the weights of 1 of 2 trials are new, −1.00 points against 2 distinct readings of run "
            "a; single readings do not separate drift from chance.",
        ),
    ],
)
def test_each_verdict_reads_as_a_sentence(verdict: Verdict, words: str):
    assert describe_verdict(verdict) == words


def test_a_night_that_is_compared_with_nothing_has_no_changes():
    assert describe_changes("first", None, (), True) == ""


def test_uncommitted_changes_are_named_where_nothing_else_explains_new_weights():
    words = describe_changes("drifted", "a", (), True)
    assert words == (
        "Nothing recorded changed since run a, and yet the weights differ. "
        "The code has uncommitted changes, of which nothing is recorded."
    )


def test_many_changes_are_named_up_to_a_number():
    versions = {f"library-{number:02d}": "1" for number in range(MAX_NAMED + 3)}
    changes = name_changes(
        BEFORE.model_copy(update={"versions": {}}), BEFORE.model_copy(update={"versions": versions})
    )
    words = describe_changes("drifted", "a", changes, False)
    assert words.endswith("; and 3 more.")
    assert words.count("→") == MAX_NAMED


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (
            {2: "identical", 5: "drifted", 3: "drifted"},
            "drifted 3, 5; identical 2; changed: Keras: 3.1 → 3.2",
        ),
        ({2: "identical", 3: "identical"}, "identical"),
    ],
)
def test_an_alarm_says_which_exercises_drifted_and_what_changed_and_a_quiet_night_does_not(
    verdicts: dict[int, str], words: str
):
    changes = [Change(name="Keras", before="3.1", now="3.2")]
    assert describe_night("lab", verdicts, changes) == f"lab: {words}"


def test_a_drift_without_a_recorded_cause_says_so():
    assert describe_night("lab", {2: "drifted"}, []) == "lab: drifted; changed: nothing that is recorded"
