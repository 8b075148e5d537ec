"""Two runs: identical by weights, else by tests corrected for all settings."""

import numpy as np
import pytest

from study.readings import Read
from study.run_comparison import compare_runs

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
    assert {each.verdict for each in compare_runs(first, second, 0.005)} == {"cannot tell"}
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


def test_a_margin_of_nothing_is_refused():
    with pytest.raises(ValueError, match="margin=0; give one above 0"):
        compare_runs(_run(1), _run(2), 0.0)
