"""How much too good an accuracy looks when the test images pick the epoch or the setting."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from study.statistics.spread import summarise


@dataclass(frozen=True)
class Curve:
    """Accuracies (fractions) of what one may pick from: `validation[i]` and `test[i]` are of the same choice.

    Of a training these are its epochs, of a seed the settings of a sweep.

    Raises:
        ValueError: there is nothing to pick from, or not as many accuracies of both kinds.
    """

    validation: tuple[float, ...]
    test: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check that each choice has both accuracies."""
        if not self.test or len(self.validation) != len(self.test):
            raise ValueError(
                f"{len(self.validation)} validation and {len(self.test)} test accuracies; "
                "give as many of both, at least one"
            )

    @property
    def optimism(self) -> float:
        """The highest test accuracy less that of the choice with the highest validation accuracy.

        Of equal validation accuracies the earliest is chosen. A fraction, never negative.
        """
        return max(self.test) - self.test[int(np.argmax(self.validation))]


@dataclass(frozen=True)
class Optimism:
    """The optimism of each training or seed (fractions), their mean and its 95% interval (Student's t).

    The interval is over trainings, the images held fixed; it is NaN for a single value.
    """

    values: tuple[float, ...]
    mean: float
    low: float
    high: float


def measure_optimism(curves: Sequence[Curve]) -> Optimism:
    """Measure what picking the epoch by test accuracy adds to the accuracy of the epoch validation picks.

    With validation images as many as test images, and alike, both pick equally good epochs on average: the
    difference then is what the pick itself adds (Cawley and Talbot 2010, JMLR 11:2079). Where the validation
    images are the test images, as in protocol `lab`, it is zero by construction and says nothing.

    Args:
        curves: The epochs of each training.

    Raises:
        ValueError: there are no curves.
    """
    if not curves:
        raise ValueError("no curves to measure optimism on; give at least one")
    values = tuple(curve.optimism for curve in curves)
    spread = summarise(values)
    return Optimism(values, spread.mean, spread.low, spread.high)


def measure_setting_optimism(seeds: Sequence[Sequence[tuple[float, float]]]) -> Optimism:
    """Measure the same for picking the setting: by its test accuracy against by its validation accuracy.

    Args:
        seeds: For each seed, validation and test accuracy (fractions) of each setting, in the sweep's order.

    Raises:
        ValueError: there are no seeds, or a seed has no settings.
    """
    return measure_optimism(
        [
            Curve(tuple(validation for validation, _ in settings), tuple(test for _, test in settings))
            for settings in seeds
        ]
    )
