"""What the engines are measured against: the work of an epoch, and the peak of a core."""

import pytest

from benchmarks.engine import count_multiply_adds
from benchmarks.peak import Peak, measure_peak
from study.spec.setting import Hyperparameters


def test_the_work_of_an_epoch_is_a_convolution_and_a_quarter_and_three_dense_products_an_image():
    convolution, dense = 26 * 26 * 9 * 32, 13 * 13 * 32 * 16 + 16 * 10
    shape = Hyperparameters(filters=32, kernel_size=3, dense_units=16)
    assert count_multiply_adds(shape, 1000) == 1000 * (1.25 * convolution + 3 * dense)


@pytest.mark.slow
def test_the_peak_of_a_core_is_the_larger_of_what_was_measured():
    peak = measure_peak()
    assert peak.gflops == max(peak.matrix_product, peak.multiply_add_loop or 0.0) > 1.0
    assert Peak(90.0, None).words == "matrix product (NumPy) 90 GFLOP/s, multiply-add loop (C) no C compiler"
