import numpy as np
import pytest

from study.statistics.summary import sampling_error


def test_the_sampling_error_is_that_of_drawing_other_test_images():
    rng = np.random.default_rng(4)
    accuracies = rng.binomial(10_000, 0.9, 20_000) / 10_000
    assert sampling_error(0.9, 10_000) == pytest.approx(accuracies.std(), rel=0.02)
    with pytest.raises(ValueError, match="accuracy=90, images=100; give a fraction"):
        sampling_error(90, 100)


def test_an_accuracy_of_nothing_or_all_has_no_sampling_error():
    assert sampling_error(0.0, 1) == sampling_error(1.0, 1) == 0
    with pytest.raises(ValueError, match=r"accuracy=0\.5, images=0; give a fraction and at least 1"):
        sampling_error(0.5, 0)
    with pytest.raises(ValueError, match=r"accuracy=-0\.1, images=9; give a fraction"):
        sampling_error(-0.1, 9)
