import numpy as np
import pytest

from study.statistics.sampling_error import sampling_error


def test_the_sampling_error_is_that_of_drawing_other_test_images():
    rng = np.random.default_rng(4)
    accuracies = rng.binomial(10_000, 0.9, 20_000) / 10_000
    assert sampling_error(0.9, 10_000) == pytest.approx(accuracies.std(), rel=0.02)
    with pytest.raises(ValueError, match="accuracy=90, images=100; give a fraction"):
        sampling_error(90, 100)
