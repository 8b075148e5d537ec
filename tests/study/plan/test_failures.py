"""Failed trainings: a setting that fails all its attempts is given up, and too many failures stop the run."""

from study.plan.failures import MAX_FAILED, MIN_FAILED, Failures, describe_reasons
from study.plan.plan import Training
from study.records.record import Source, StopRule
from study.spec.setting import Hyperparameters

SOURCE = Source(protocol="lab", data="data", held_out_images=0, model="1", tensorflow="2", device="CPU")


def make_training(filters: int, seed: int = 1) -> Training:
    return Training(
        hyperparameters=Hyperparameters(filters=filters),
        seed=seed,
        source=SOURCE,
        rules=(StopRule(epochs=2),),
        label=f"filters={filters} seed={seed}",
    )


def test_a_setting_that_failed_all_attempts_is_in_quarantine_whatever_the_seed():
    failures = Failures(100)
    failures.add(make_training(8, seed=1), "LaneDied: lane-0 died")
    assert failures.why_not(make_training(8, seed=2)) == (
        "not attempted: this setting is in quarantine, as filters=8 seed=1 failed all its attempts: "
        "LaneDied: lane-0 died"
    )
    assert failures.why_not(make_training(16)) is None
    assert failures.too_many is None


def test_a_setting_of_which_a_training_succeeded_is_not_in_quarantine():
    failures = Failures(100)
    failures.add(make_training(8, seed=1), "OSError: the disk hiccuped")
    failures.succeed(make_training(8, seed=2))
    assert failures.why_not(make_training(8, seed=3)) is None


def test_more_than_the_stated_part_of_failures_stops_the_run():
    planned = 40
    failures = Failures(planned)
    for filters in range(1, int(MAX_FAILED * planned) + 1):
        failures.add(make_training(filters), "reason")
    assert failures.too_many is None
    failures.add(make_training(100), "reason")
    assert failures.too_many == (
        "the run stopped early, as 11 of 40 trainings failed all their attempts, more than 25%"
    )
    assert failures.why_not(make_training(200)) == (
        "not attempted: the run stopped early, as too many trainings had failed"
    )


def test_a_few_failures_never_stop_a_small_run():
    failures = Failures(4)
    for filters in range(1, MIN_FAILED + 1):
        failures.add(make_training(filters), "reason")
    assert failures.too_many is None


def test_reasons_are_told_by_kind_with_their_number_and_an_example():
    reasons = ["LaneDied: lane-0 died", "Diverged: the loss is nan", "LaneDied: lane-1 died"]
    assert describe_reasons(reasons) == "2 x LaneDied: lane-0 died; 1 x Diverged: the loss is nan"
    assert describe_reasons([]) == ""


def test_a_run_stops_when_more_than_a_quarter_and_more_than_four_failed():
    assert (MAX_FAILED, MIN_FAILED) == (0.25, 4)
