"""Failed trainings: a setting that fails all its attempts is given up, and too many failures stop the run."""

from study.plan.failures import Failures, describe_reasons
from tests.rows import make_training


def test_a_setting_that_failed_all_attempts_is_in_quarantine_whatever_the_seed():
    failures = Failures(100)
    failures.add(make_training(seed=1, filters=8), "LaneDied: lane-0 died")
    assert failures.why_not(make_training(seed=2, filters=8)) == (
        "not attempted: this setting is in quarantine, as filters=8 seed=1 failed all its attempts: "
        "LaneDied: lane-0 died"
    )
    assert failures.why_not(make_training(filters=16)) is None
    assert failures.too_many is None


def test_a_setting_of_which_a_training_succeeded_is_not_in_quarantine():
    failures = Failures(100)
    failures.add(make_training(seed=1, filters=8), "OSError: the disk hiccuped")
    failures.succeed(make_training(seed=2, filters=8))
    assert failures.why_not(make_training(seed=3, filters=8)) is None


def test_more_than_a_quarter_of_failures_stops_the_run():
    failures = Failures(40)
    for seed in range(10):
        failures.add(make_training(seed), "reason")
    assert failures.too_many is None
    failures.add(make_training(seed=10), "reason")
    assert failures.too_many == (
        "the run stopped early, as 11 of 40 trainings failed all their attempts, more than 25%"
    )
    assert failures.why_not(make_training(filters=200)) == (
        "not attempted: the run stopped early, as too many trainings had failed"
    )


def test_four_failures_never_stop_a_small_run():
    failures = Failures(4)
    for seed in range(4):
        failures.add(make_training(seed), "reason")
    assert failures.too_many is None
    failures.add(make_training(seed=4), "reason")
    assert failures.too_many is not None


def test_reasons_are_told_by_kind_with_their_number_and_an_example():
    reasons = ["LaneDied: lane-0 died", "Diverged: the loss is nan", "LaneDied: lane-1 died"]
    assert describe_reasons(reasons) == "2 x LaneDied: lane-0 died; 1 x Diverged: the loss is nan"
    assert describe_reasons([]) == ""
