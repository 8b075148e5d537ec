"""Two runs: identical by weights, else by tests corrected for all settings."""

import numpy as np
import pytest
from scipy.stats import ttest_ind, ttest_rel

from study.conclusions.comparison import compare_runs
from study.records.readings import Read

NAMES = [(2, f"filters={value}") for value in (8, 16, 32, 64, 128)]


def _run(seed: int, shift: float = 0.0, repeats: int = 5, first: int = 1, spread: float = 0.004) -> dict:
    rng = np.random.default_rng(seed)
    return {
        name: {
            first + repeat: Read(float(rng.normal(0.9 + shift, spread)), f"{seed}-{name}-{repeat}")
            for repeat in range(repeats)
        }
        for name in NAMES
    }


def test_a_run_is_identical_to_itself():
    compared = compare_runs(_run(1), _run(1), margin=0.005)
    assert [each.verdict for each in compared] == ["identical"] * 5
    assert all(each.adjusted_p_value is None and each.difference == 0 for each in compared)


def test_two_points_in_one_setting_are_its_difference_and_no_others():
    second = _run(2)
    second[NAMES[2]] = {
        seed: Read(each.accuracy + 0.02, each.weights) for seed, each in second[NAMES[2]].items()
    }
    compared = compare_runs(_run(1), second, margin=0.005)
    assert [each.setting for each in compared if each.verdict == "differs"] == ["filters=32"]


def test_many_readings_without_a_difference_agree_within_the_margin():
    compared = compare_runs(_run(1, repeats=60), _run(2, repeats=60, first=100), margin=0.005)
    assert [each.verdict for each in compared] == ["agrees"] * 5
    assert not any(each.is_paired for each in compared)


def test_the_same_seeds_are_compared_one_by_one():
    rng = np.random.default_rng(5)
    moved = {
        name: {
            seed: Read(each.accuracy + 0.003 + rng.normal(0, 1e-4), "new") for seed, each in trials.items()
        }
        for name, trials in _run(1).items()
    }
    compared = compare_runs(_run(1), moved, margin=0.005)
    assert all(each.is_paired and each.verdict == "differs" for each in compared)


def test_a_single_reading_each_cannot_tell_unless_its_weights_are_equal():
    first, second = _run(1, repeats=1), _run(2, repeats=1)
    assert {each.verdict for each in compare_runs(first, second, 0.005)} == {"undecided"}
    assert {each.verdict for each in compare_runs(first, first, 0.005)} == {"identical"}


def test_without_a_difference_hardly_a_pair_of_runs_differs_anywhere():
    differ = 0
    for seed in range(300):
        compared = compare_runs(_run(2 * seed), _run(2 * seed + 1, first=50), margin=0.005)
        differ += any(each.verdict == "differs" for each in compared)
    assert differ / 300 <= 0.08  # 5%, and three standard errors of 300


def test_settings_that_only_one_run_has_are_left_out():
    second = _run(2)
    del second[NAMES[0]]
    second[NAMES[1]] = {}
    assert [each.setting for each in compare_runs(_run(1), second, 0.005)] == [name for _, name in NAMES[2:]]


def test_means_differences_and_intervals_are_those_of_the_readings():
    first = {(2, "filters=8"): {1: Read(0.90, "a"), 2: Read(0.92, "b")}}
    second = {(2, "filters=8"): {1: Read(0.91, "c"), 2: Read(0.95, "d")}}
    (paired,) = compare_runs(first, second, 0.005)
    assert (paired.exercise, paired.setting, paired.counts, paired.is_paired) == (
        2,
        "filters=8",
        (2, 2),
        True,
    )
    assert (*paired.means, paired.difference) == pytest.approx((0.91, 0.93, 0.02))
    half = 12.7062 * 0.01  # the differences 0.01 and 0.03; Student's t of one degree of freedom
    assert (paired.low, paired.high) == pytest.approx((0.02 - half, 0.02 + half), abs=1e-6)
    assert paired.adjusted_p_value == pytest.approx(ttest_rel([0.91, 0.95], [0.90, 0.92]).pvalue)
    others = {(2, "filters=8"): {3: Read(0.91, "c"), 4: Read(0.95, "d"), 5: Read(0.96, "e")}}
    (apart,) = compare_runs(first, others, 0.005)
    assert (apart.counts, apart.is_paired) == ((2, 3), False)
    expected = ttest_ind([0.91, 0.95, 0.96], [0.90, 0.92], equal_var=False)
    assert apart.adjusted_p_value == pytest.approx(expected.pvalue)
    assert apart.low == pytest.approx(expected.confidence_interval(0.95).low)


def test_an_interval_that_reaches_the_margin_on_one_side_cannot_tell():
    readings = (0.9, 0.901, 0.902, 0.9005, 0.9015)
    first = {(2, "a"): {seed: Read(each, "a") for seed, each in enumerate(readings)}}
    for sign in (1, -1):
        moved = {
            seed: Read(each + sign * (0.003 + 0.004 * (-1) ** seed), "b")
            for seed, each in enumerate(readings)
        }
        assert [each.verdict for each in compare_runs(first, {(2, "a"): moved}, 0.005)] == ["undecided"]
        assert [each.verdict for each in compare_runs(first, {(2, "a"): moved}, 0.05)] == ["agrees"]


def test_other_weights_of_one_shared_seed_are_not_identical():
    first = {(2, "a"): {1: Read(0.9, "x"), 2: Read(0.9, "y")}}
    second = {(2, "a"): {1: Read(0.9, "x"), 2: Read(0.9, "z")}}
    assert compare_runs(first, second, 0.005)[0].verdict != "identical"
    fewer = {(2, "a"): {2: Read(0.9, "y"), 3: Read(0.8, "w")}}
    (found,) = compare_runs(first, fewer, 0.005)
    assert (found.verdict, found.low, found.high, found.difference) == ("identical", 0, 0, 0)
