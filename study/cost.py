"""What a training will cost, from its hyperparameters."""

from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from study.spec import Hyperparameters


def multiply_adds(hyperparameters: Hyperparameters) -> int:
    """Multiply-adds of one forward pass of one image: convolution and the two dense layers.

    A training step costs about three forward passes (forward, gradients of the inputs, gradients of the
    weights), so ratios of this number are ratios of training cost.
    """
    rows = IMAGE_SIDE - hyperparameters.kernel_size + 1
    pooled = rows // 2
    convolution = rows**2 * hyperparameters.kernel_size**2 * hyperparameters.filters
    dense = pooled**2 * hyperparameters.filters * hyperparameters.dense_units
    return convolution + dense + hyperparameters.dense_units * len(CLASS_NAMES)
