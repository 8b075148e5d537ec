"""Two models on one test set: whether they differ on its images, seeds held fixed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar

EXACT_UP_TO = 1000
"""Images that only one model has right, up to which the exact test is used; it is as quick."""


@dataclass(frozen=True)
class SameTestSet:
    """What two models make of the same images.

    `difference` is the accuracy of the second less that of the first (fraction); `low` and `high` are its 95%
    interval over test sets of this size, seeds held fixed.
    """

    images: int
    only_first: int
    only_second: int
    difference: float
    low: float
    high: float
    p_value: float


def sampling_error(accuracy: float, images: int) -> float:
    """The standard error (fraction) of an accuracy from which images happen to be in the test set: binomial.

    It is of another kind than the spread over seeds, which is read on one and the same test set.

    Raises:
        ValueError: the accuracy is no fraction, or there are no images.
    """
    if not 0 <= accuracy <= 1 or images < 1:
        raise ValueError(f"accuracy={accuracy:g}, images={images}; give a fraction and at least 1")
    return math.sqrt(accuracy * (1 - accuracy) / images)


def compare_on_same_images(first: Sequence[bool], second: Sequence[bool]) -> SameTestSet:
    """Compare two models by McNemar's test (1947, Psychometrika 12:153) on which images each has right.

    The interval is Wald's for paired proportions (Agresti 2002, Categorical Data Analysis, 10.1.1).

    Raises:
        ValueError: there are no images, or not as many for both.
    """
    one, other = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if not one.size or one.shape != other.shape:
        raise ValueError(f"{one.size} and {other.size} images; give the same ones for both models")
    only_first, only_second = int((one & ~other).sum()), int((~one & other).sum())
    images, apart = len(one), only_first + only_second
    difference = (only_second - only_first) / images
    error = math.sqrt(apart - (only_second - only_first) ** 2 / images) / images
    test = mcnemar([[0, only_first], [only_second, 0]], exact=apart <= EXACT_UP_TO)
    half = 1.959963984540054 * error  # the normal distribution's 97.5% quantile
    return SameTestSet(
        images,
        only_first,
        only_second,
        difference,
        difference - half,
        difference + half,
        float(test.pvalue) if apart else 1.0,
    )
