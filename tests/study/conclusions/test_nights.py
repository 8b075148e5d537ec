"""The morning after: every verdict, what it is compared with, and that a drift is told once."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from study.conclusions.nights import MAX_RUNS, NIGHT_ALPHA, NightReading, Verdict, compare_night

SETTINGS = ("filters=8", "filters=16", "filters=32", "filters=64", "filters=128")


def night(
    run_id: str, bits: str = "", by: float = 0.0, exercise: int = 2, repeats: int = 5
) -> list[NightReading]:
    """Five settings; `bits` names the state of the machine: other bits, other weights and other readings."""
    random = np.random.default_rng([exercise, *bits.encode()])
    return [
        NightReading(
            run_id=run_id,
            exercise=exercise,
            setting=setting,
            identity=setting,
            seed=seed,
            key=f"{setting} {seed}",
            weights_sha256=f"{exercise} {setting} {seed} {bits}",
            accuracy=0.89 + by + float(random.normal(0, 0.002)),
        )
        for setting in SETTINGS
        for seed in range(1, repeats + 1)
    ]


def failed(readings: Sequence[NightReading]) -> list[NightReading]:
    return [replace(each, weights_sha256=None, accuracy=None) for each in readings]


def only(verdicts: Sequence[Verdict]) -> Verdict:
    (verdict,) = verdicts
    return verdict


def test_a_night_with_nothing_before_it_is_the_first():
    verdict = only(compare_night(night("b"), []))
    assert (verdict.name, verdict.trials, verdict.compared_with) == ("first", 25, None)
    assert verdict.difference is None and verdict.p_value is None


def test_a_night_of_other_settings_is_a_first_one():
    earlier = [replace(each, identity=f"{each.identity} epochs=9") for each in night("a")]
    assert only(compare_night(night("b"), [earlier])).name == "first"


def test_other_exercises_of_earlier_runs_are_not_compared():
    assert only(compare_night(night("b"), [night("a", exercise=3)])).name == "first"


def test_equal_weights_are_identical_whatever_the_settings_are_called():
    renamed = [replace(each, setting=f"kernels {each.setting}") for each in night("a")]
    verdict = only(compare_night(night("b"), [renamed]))
    assert (verdict.name, verdict.compared_with, verdict.changed_trials) == ("identical", "a", 0)
    assert (verdict.difference, verdict.p_value) == (0.0, None)


def test_identical_nights_are_counted_as_one_reading_each():
    verdict = only(compare_night(night("d"), [night("a"), night("b"), night("c")]))
    assert (verdict.earlier_runs, verdict.distinct_readings, verdict.compared_with) == (3, 25, "c")


def test_of_two_machines_in_turn_each_is_identical_to_its_own_last_night():
    earlier = [night("a", "one"), night("b", "other"), night("c", "one"), night("d", "other")]
    verdict = only(compare_night(night("e", "one"), earlier))
    assert (verdict.name, verdict.compared_with, verdict.distinct_readings) == ("identical", "c", 50)


def test_new_weights_with_like_accuracies_are_the_same_within_noise():
    verdict = only(compare_night(night("b", "new"), [night("a")]))
    assert (verdict.name, verdict.changed_trials, verdict.compared_with) == ("same within noise", 25, "a")
    assert verdict.p_value is not None and verdict.threshold is not None
    assert verdict.p_value > verdict.threshold == NIGHT_ALPHA
    assert verdict.difference is not None and abs(verdict.difference) < 0.002


def test_a_point_less_everywhere_has_drifted():
    verdict = only(compare_night(night("b", "new", by=-0.01), [night("a")]))
    assert verdict.name == "drifted"
    assert verdict.p_value is not None and verdict.p_value <= NIGHT_ALPHA
    assert verdict.difference == pytest.approx(-0.01, abs=0.002)


def test_only_exercises_with_new_weights_share_the_chance_of_a_false_alarm():
    tonight = night("b", "new") + night("b", "new", exercise=3) + night("b", exercise=4)
    earlier = [night("a") + night("a", exercise=3) + night("a", exercise=4)]
    verdicts = compare_night(tonight, earlier)
    assert [each.name for each in verdicts] == ["same within noise", "same within noise", "identical"]
    assert [each.threshold for each in verdicts] == [NIGHT_ALPHA / 2, NIGHT_ALPHA / 2, None]


def test_a_drift_is_told_once_and_later_nights_are_compared_with_it():
    earlier = [night("a"), night("b", "new", by=-0.01)]
    again = only(compare_night(night("c", "newer", by=-0.01), earlier, {("b", 2)}))
    assert (again.name, again.earlier_runs, again.distinct_readings) == ("same within noise", 1, 25)
    back = only(compare_night(night("c"), earlier, {("b", 2)}))
    assert back.name == "drifted"


def test_a_drift_of_another_exercise_leaves_the_readings_as_they_are():
    earlier = [night("a"), night("b")]
    assert only(compare_night(night("c"), earlier, {("b", 3)})).earlier_runs == 2


def test_single_readings_cannot_tell_drift_from_chance():
    verdict = only(compare_night(night("b", "new", by=-0.2, repeats=1), [night("a", repeats=1)]))
    assert (verdict.name, verdict.p_value, verdict.threshold) == ("unclear", None, None)
    assert verdict.difference == pytest.approx(-0.2, abs=0.01)
    assert verdict.setting in SETTINGS


def test_failed_trials_are_counted_and_not_compared():
    tonight = night("b")
    verdict = only(compare_night(failed(tonight[:3]) + tonight[3:], [night("a")]))
    assert (verdict.name, verdict.trials, verdict.failed_trials) == ("identical", 25, 3)


def test_an_exercise_whose_trials_all_failed_has_no_reading():
    verdict = only(compare_night(failed(night("b")), [night("a")]))
    assert (verdict.name, verdict.failed_trials, verdict.compared_with) == ("no reading", 25, None)


def test_an_earlier_night_that_failed_is_passed_over():
    verdict = only(compare_night(night("c"), [night("a"), failed(night("b"))]))
    assert (verdict.name, verdict.compared_with) == ("identical", "a")


def test_further_repeats_of_the_same_weights_are_no_change():
    verdict = only(compare_night(night("b", repeats=8), [night("a", repeats=8)[::2]]))
    assert (verdict.name, verdict.changed_trials) == ("identical", 0)


def test_settings_count_as_dependent_where_the_seeds_are_others():
    tonight = night("b", "new", by=-0.006)
    shifted = [replace(each, seed=each.seed + 100) for each in tonight]
    same, other = (only(compare_night(each, [night("a")])) for each in (tonight, shifted))
    assert same.p_value is not None and other.p_value is not None
    assert same.name == "drifted"
    assert other.p_value > same.p_value


def test_one_new_bit_is_no_longer_identical():
    tonight = night("b")
    tonight[7] = replace(tonight[7], weights_sha256="another", accuracy=0.8901)
    verdict = only(compare_night(tonight, [night("a")]))
    assert (verdict.name, verdict.changed_trials) == ("same within noise", 1)


def test_no_more_than_the_latest_runs_are_compared():
    earlier = [night(f"{number:03d}", str(number)) for number in range(MAX_RUNS + 5)]
    verdict = only(compare_night(night("z", "z"), earlier))
    assert (verdict.earlier_runs, verdict.distinct_readings) == (MAX_RUNS, 25 * MAX_RUNS)
    assert verdict.compared_with == f"{MAX_RUNS + 4:03d}"


@pytest.mark.parametrize("count", [1, 5])
def test_an_exercise_of_one_reading_or_setting_is_compared_with_what_came_after_a_drift(count: int):
    nights = [night(name, name)[:count] for name in "abc"]
    found = only(compare_night(night("d", "d")[:count], nights, {("b", 2)}))
    assert (found.earlier_runs, found.compared_with) == (2, "c")


def test_a_night_that_has_none_of_the_settings_still_ends_what_is_compared():
    others = [replace(each, identity="another") for each in night("b", "b")]
    found = only(compare_night(night("c", "c"), [night("a", "a"), others], {("b", 2)}))
    assert found.name == "first"


def test_the_difference_is_the_mean_over_settings_and_one_as_before_counts_as_none():
    tonight = [
        replace(each, weights_sha256=f"new {each.seed}", accuracy=each.accuracy + 0.01)
        if each.setting == "filters=8"
        else each
        for each in night("b")
    ]
    found = only(compare_night(tonight, [night("a")]))
    assert (found.changed_trials, found.distinct_readings) == (5, 25)
    assert found.difference == pytest.approx(0.01 / 5)
    assert (found.threshold, found.setting) == (1 / 365, "filters=8")


def test_what_is_unclear_names_the_setting_that_moved_farthest():
    tonight = night("b", "a", repeats=1)
    tonight = [
        replace(each, weights_sha256="new", accuracy=each.accuracy - 0.1 * (each.setting == "filters=32"))
        for each in tonight
    ]
    found = only(compare_night(tonight, [night("a", "a", repeats=1)]))
    assert (found.name, found.setting) == ("unclear", "filters=32")


def test_a_fall_of_every_seed_is_found_though_seeds_differ_far_more():
    rng = np.random.default_rng(7)
    before = [replace(each, accuracy=float(rng.normal(0.89, 0.02))) for each in night("a")]
    tonight = [
        replace(each, run_id="b", weights_sha256=f"{each.key} new", accuracy=each.accuracy - 0.002)
        for each in before
    ]
    found = only(compare_night(tonight, [before]))
    assert (found.name, found.p_value) == ("drifted", pytest.approx(3 * 2 * norm.sf(5)))
