"""What picking by test accuracy adds: by hand, and against what is known of noise."""

import math

import numpy as np
import pytest

from study.statistics.optimism import Curve, measure_optimism, measure_setting_optimism

# Expected largest of k standard normals (Harter 1961, Biometrika 48:151, Table 1).
LARGEST_OF = {2: 0.56419, 5: 1.16296, 10: 1.53875, 20: 1.86748}


def make_noise(choices: int, count: int = 20_000) -> list[Curve]:
    validation, test = np.random.default_rng(choices).normal(size=(2, count, choices))
    return [Curve(tuple(v), tuple(t)) for v, t in zip(validation.tolist(), test.tolist(), strict=True)]


def test_optimism_is_the_best_test_accuracy_less_that_of_the_epoch_best_on_validation():
    found = measure_optimism([Curve((0.80, 0.90, 0.85), (0.81, 0.86, 0.88))])
    assert found.values == pytest.approx([0.02])
    assert found.mean == pytest.approx(0.02)


def test_of_epochs_equal_on_validation_the_earliest_is_chosen():
    assert Curve((0.8, 0.9, 0.9), (0.7, 0.8, 0.85)).optimism == pytest.approx(0.05)


def test_mean_and_interval_are_those_of_the_trainings():
    # 1, 2 and 3 points: s = 1, t(0.975; 2) = 4.302653.
    found = measure_optimism([Curve((1.0, 0.0), (0.5, 0.5 + by)) for by in (0.01, 0.02, 0.03)])
    half = 0.01 * 4.302653 / math.sqrt(3)
    assert (found.mean, found.low, found.high) == pytest.approx((0.02, 0.02 - half, 0.02 + half), abs=1e-8)


def test_a_single_training_bears_no_interval():
    found = measure_optimism([Curve((0.8, 0.9), (0.8, 0.9))])
    assert (found.values, found.mean) == ((0.0,), 0.0)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_where_the_validation_images_are_the_test_images_there_is_exactly_none():
    curves = [Curve(each.test, each.test) for each in make_noise(10, count=500)]
    found = measure_optimism(curves)
    assert set(found.values) == {0.0}
    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)


def test_optimism_is_never_negative():
    assert min(measure_optimism(make_noise(5)).values) >= 0


@pytest.mark.parametrize("choices", sorted(LARGEST_OF))
def test_of_pure_noise_the_optimism_is_the_expected_largest_of_so_many_normals(choices):
    # Validation knows nothing of test there: what it picks is worth 0 on average.
    found = measure_optimism(make_noise(choices))
    error = (found.high - found.low) / (2 * 1.96)
    assert error < 0.01
    assert found.mean == pytest.approx(LARGEST_OF[choices], abs=4 * error)


def test_the_better_validation_knows_test_the_smaller_the_optimism():
    generator = np.random.default_rng(3)
    means = []
    for noise in (0.0, 0.5, 2.0):
        skill, one, other = generator.normal(size=(3, 2_000, 5))
        pairs = zip((skill + noise * one).tolist(), (skill + noise * other).tolist(), strict=True)
        means.append(measure_optimism([Curve(tuple(v), tuple(t)) for v, t in pairs]).mean)
    assert means[0] == 0
    assert means == sorted(means)


def test_with_validation_like_test_the_optimism_is_what_a_reading_picked_on_test_is_above_the_truth():
    # The skill behind the readings is hidden in life, not here. Both picks are equally skilled on average.
    skill, one, other = np.random.default_rng(4).normal(size=(3, 20_000, 5))
    validation, test = skill + one, skill + other
    rows, by_test = np.arange(len(skill)), test.argmax(axis=1)
    excess = (test[rows, by_test] - skill[rows, by_test]).mean()
    pairs = zip(validation.tolist(), test.tolist(), strict=True)
    assert measure_optimism([Curve(tuple(v), tuple(t)) for v, t in pairs]).mean == pytest.approx(
        excess, abs=0.03
    )


def test_a_setting_picked_on_test_is_compared_with_the_one_picked_on_validation_seed_by_seed():
    seeds = [[(0.90, 0.88), (0.91, 0.87)], [(0.90, 0.88), (0.89, 0.87)]]
    assert measure_setting_optimism(seeds).values == pytest.approx([0.01, 0.0])


def test_no_curves_are_refused():
    with pytest.raises(ValueError, match=r"^no curves to measure optimism on; give at least one$"):
        measure_optimism([])


@pytest.mark.parametrize("curve", [((), ()), ((0.5,), ()), ((0.5,), (0.5, 0.6))])
def test_accuracies_that_do_not_belong_together_are_refused(curve):
    message = rf"^{len(curve[0])} validation and {len(curve[1])} test accuracies; give as many of both, "
    with pytest.raises(ValueError, match=message + "at least one$"):
        Curve(*curve)
