"""What the engines are measured against: the work of an epoch."""

from benchmarks.engine import count_multiply_adds
from study.spec.setting import Hyperparameters


def test_the_work_of_an_epoch_is_a_convolution_and_a_quarter_and_three_dense_products_an_image():
    convolution, dense = 26 * 26 * 9 * 32, 13 * 13 * 32 * 16 + 16 * 10
    shape = Hyperparameters(filters=32, kernel_size=3, dense_units=16)
    assert count_multiply_adds(shape, 1000) == 1000 * (1.25 * convolution + 3 * dense)
