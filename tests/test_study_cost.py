import pytest

from study.cost import multiply_adds
from study.spec import Hyperparameters


@pytest.mark.parametrize(
    ("changes", "convolution", "hidden", "output"),
    [
        ({}, 26 * 26 * 3 * 3 * 32, 13 * 13 * 32 * 16, 16 * 10),
        ({"filters": 64}, 26 * 26 * 3 * 3 * 64, 13 * 13 * 64 * 16, 16 * 10),
        ({"dense_units": 512}, 26 * 26 * 3 * 3 * 32, 13 * 13 * 32 * 512, 512 * 10),
        ({"kernel_size": 5}, 24 * 24 * 5 * 5 * 32, 12 * 12 * 32 * 16, 16 * 10),
        ({"kernel_size": 4}, 25 * 25 * 4 * 4 * 32, 12 * 12 * 32 * 16, 16 * 10),  # pooling drops an odd row
        ({"kernel_size": 27}, 2 * 2 * 27 * 27 * 32, 1 * 1 * 32 * 16, 16 * 10),
    ],
)
def test_multiply_adds_are_those_of_the_three_layers(
    changes: dict[str, int], convolution: int, hidden: int, output: int
):
    hyperparameters = Hyperparameters().model_copy(update=changes)
    assert multiply_adds(hyperparameters) == convolution + hidden + output


def test_the_baseline_costs_281_376_multiply_adds():
    assert multiply_adds(Hyperparameters()) == 281_376


def test_dropout_and_learning_cost_nothing():
    changed = Hyperparameters(dropout=0.5, learning_rate=0.1, momentum=0.0, batch_size=64)
    assert multiply_adds(changed) == multiply_adds(Hyperparameters())
