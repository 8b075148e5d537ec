import numpy as np
import pytest
from scipy.stats import binomtest, chi2

from study.statistics.same_test_set import compare_on_same_images, sampling_error


def make_answers(both: int, only_first: int, only_second: int, neither: int) -> tuple[list[bool], list[bool]]:
    counts = (both, only_first, only_second, neither)
    first = np.repeat([True, True, False, False], counts)
    return first.tolist(), np.repeat([True, False, True, False], counts).tolist()


def test_the_p_value_is_that_of_the_binomial_test_of_the_images_only_one_has_right():
    found = compare_on_same_images(*make_answers(9000, 90, 140, 770))
    assert found.p_value == pytest.approx(binomtest(90, 230, 0.5).pvalue)
    assert (found.only_first, found.only_second, found.images) == (90, 140, 10_000)


def test_of_many_such_images_the_p_value_is_that_of_mcnemars_own_statistic():
    # chi-squared with Edwards's continuity correction (1948), as R's mcnemar.test computes it
    found = compare_on_same_images(*make_answers(7940, 860, 960, 240))
    assert found.p_value == pytest.approx(chi2.sf((100 - 1) ** 2 / 1820, 1))


def test_the_interval_covers_the_difference_over_fresh_test_sets():
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(2000):
        kind = random.choice(4, size=1000, p=[0.85, 0.04, 0.06, 0.05])
        found = compare_on_same_images(np.isin(kind, (0, 1)).tolist(), np.isin(kind, (0, 2)).tolist())
        covered += found.low <= 0.02 <= found.high
    assert 0.935 <= covered / 2000 <= 0.965


def test_models_that_are_right_on_the_same_images_do_not_differ():
    found = compare_on_same_images([True, False, True], [True, False, True])
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_swapping_the_models_turns_the_difference_around():
    first, second = make_answers(50, 7, 20, 3)
    one, other = compare_on_same_images(first, second), compare_on_same_images(second, first)
    assert other.difference == -one.difference
    assert (other.low, other.high) == pytest.approx((-one.high, -one.low))
    assert other.p_value == one.p_value


def test_other_images_are_refused():
    with pytest.raises(ValueError, match="1 and 2 images; give the same ones for both models"):
        compare_on_same_images([True], [True, False])


def test_the_sampling_error_is_that_of_drawing_other_test_images():
    rng = np.random.default_rng(4)
    accuracies = rng.binomial(10_000, 0.9, 20_000) / 10_000
    assert sampling_error(0.9, 10_000) == pytest.approx(accuracies.std(), rel=0.02)
    with pytest.raises(ValueError, match="accuracy=90, images=100; give a fraction"):
        sampling_error(90, 100)
