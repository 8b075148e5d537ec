import numpy as np
import pytest

from study.statistics.summary import sampling_error


def test_the_sampling_error_is_that_of_drawing_other_test_images():
    rng = np.random.default_rng(4)
    accuracies = rng.binomial(10_000, 0.9, 20_000) / 10_000
    assert sampling_error(0.9, 10_000) == pytest.approx(accuracies.std(), rel=0.02)


def test_an_accuracy_of_nothing_or_all_has_no_sampling_error():
    assert sampling_error(0.0, 1) == sampling_error(1.0, 1) == 0
