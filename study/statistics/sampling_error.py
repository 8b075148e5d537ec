"""How much of an accuracy is owed to which images happen to be in the test set."""

import math


def sampling_error(accuracy: float, images: int) -> float:
    """The standard error (fraction) of an accuracy from which images happen to be in the test set: binomial.

    It is of another kind than the spread over seeds, which is read on one and the same test set.

    Raises:
        ValueError: the accuracy is no fraction, or there are no images.
    """
    if not 0 <= accuracy <= 1 or images < 1:
        raise ValueError(f"accuracy={accuracy:g}, images={images}; give a fraction and at least 1")
    return math.sqrt(accuracy * (1 - accuracy) / images)
