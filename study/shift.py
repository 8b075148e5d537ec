"""Whether an exercise's accuracy has shifted: tonight's readings of its settings against earlier ones."""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtr

from study.fashion_mnist import TEST_COUNT

FEWEST = 2
"""Readings of a setting tonight, and earlier: with fewer, nothing that could happen would be a shift."""


@dataclass(frozen=True)
class Pair:
    """Tonight's reading of one training, and the distinct earlier ones of the same seed."""

    training: str
    tonight: float
    earlier: tuple[float, ...]


@dataclass(frozen=True)
class Sample:
    """One setting's test accuracies (fractions): tonight's, and the distinct ones of earlier runs.

    Settings with equal `trainings` read the same trainings, as those of an exercise on epochs do.
    """

    setting: str
    trainings: Hashable
    tonight: tuple[float, ...]
    earlier: tuple[float, ...]
    pairs: tuple[Pair, ...] = ()

    @property
    def is_testable(self) -> bool:
        """Whether there are enough readings for any shift to be seen."""
        return min(len(self.tonight), len(self.earlier)) >= FEWEST

    @property
    def difference(self) -> float:
        """Mean of tonight less mean of the earlier ones."""
        return float(np.mean(self.tonight) - np.mean(self.earlier))


@dataclass(frozen=True)
class Shift:
    """How surely an exercise has shifted: the chance of so large a difference if nothing had."""

    p_value: float
    setting: str
    """The setting that differs most surely."""


def find_shift(samples: Sequence[Sample]) -> Shift | None:
    """Test an exercise; None if no setting has enough readings to tell.

    Three questions, each with a third of the chance of a false alarm: have all settings together moved, by
    ranks among all earlier readings (`combined_score`); have they by ranks among those of the same seed
    (`paired_score`); and has any one setting moved far, by a t test that does not hang on one reading
    (`steadfast_p_value`), corrected for the number of settings (Bonferroni).

    Why ranks: where t scores are added up (Stouffer 1949), one reading that collapses is an alarm once there
    are many earlier ones that did not. The price is some power, as `benchmarks/drift.py` shows.

    Why pairs: a seed's readings are nearer to each other than to those of other seeds. With the first layer's
    weights off by a millionth at the start, 14 trainings of the baseline were off by 0.00, 0.02, 0.18 and 1.9
    points after 3 epochs at learning rates 0.0001, 0.001, 0.01 and 0.1 (root mean square), where seeds differ
    by 0.7, 0.6, 0.4 and 2.8.
    """
    testable = [sample for sample in samples if sample.is_testable]
    if not testable:
        return None
    singles = {sample.setting: steadfast_p_value(sample.tonight, sample.earlier) for sample in testable}
    most = min(singles, key=lambda name: singles[name])
    scores = (combined_score(testable), paired_score(testable))
    together = [2 * float(ndtr(-abs(score))) for score in scores]
    return Shift(min(1.0, 3 * min(*together, len(singles) * singles[most])), most)


def combined_score(samples: Sequence[Sample]) -> float:
    """The rank scores of all samples as one standard normal score, or a smaller one."""
    return _combine([(each.trainings, rank_score(each.tonight, each.earlier)) for each in samples])


def paired_score(samples: Sequence[Sample]) -> float:
    """The rank scores of all pairs as one standard normal score, or a smaller one.

    With one earlier reading each this is the sign test. Pairs of equal readings tell nothing: they are left
    out.
    """
    pairs = [pair for sample in samples for pair in sample.pairs]
    return _combine(
        [
            (pair.training, rank_score([pair.tonight], pair.earlier))
            for pair in pairs
            if any(abs(reading - pair.tonight) > 1e-9 for reading in pair.earlier)
        ]
    )


def _combine(scores: Sequence[tuple[Hashable, float]]) -> float:
    """The standardised sum of scores, each with the trainings that it reads.

    Scores of the same trainings are taken to be wholly dependent, which bounds the variance of their sum; all
    others to be independent.
    """
    sizes = Counter(trainings for trainings, _ in scores)
    variance = sum(size**2 for size in sizes.values())
    return sum(score for _, score in scores) / math.sqrt(variance) if scores else 0.0


def rank_score(tonight: Sequence[float], earlier: Sequence[float]) -> float:
    """Wilcoxon's rank sum (1945), standardised with the correction for ties; 0 where all readings are equal.

    Its distribution does not depend on that of the readings, and its tails are lighter than the normal ones.
    """
    count, others = len(tonight), len(earlier)
    both = count + others
    values = np.round([*tonight, *earlier], 9)  # rounding alone must not rank
    _, places, ties = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[places]  # equal readings share their mean rank
    variance = count * others / 12 * (both + 1 - float((ties**3 - ties).sum()) / (both * (both - 1)))
    if variance < 1e-9:
        return 0.0
    return float(ranks[:count].sum() - count * (both + 1) / 2) / math.sqrt(variance)


def steadfast_p_value(tonight: Sequence[float], earlier: Sequence[float]) -> float:
    """Two-sided p value of a pooled t test that does not hang on one reading.

    It is the larger of that with all readings and that without tonight's most deviant one. Each sample has at
    least two readings.
    """
    values = np.sort(np.asarray(tonight, dtype=float))
    reference = np.asarray(earlier, dtype=float)
    falls = values.mean() < reference.mean()
    rest = values[1:] if falls else values[:-1]
    if (rest.mean() < reference.mean()) != falls:
        return 1.0
    return max(_pooled_p_value(values, reference), _pooled_p_value(rest, reference))


def _pooled_p_value(values: np.ndarray, reference: np.ndarray) -> float:
    freedom = len(values) + len(reference) - 2
    squares = len(values) * values.var() + len(reference) * reference.var()
    if np.ptp(values) < 1e-9 and np.ptp(reference) < 1e-9:
        # No spread to go by: that of a proportion counted over the test images.
        middle = float(np.mean([values.mean(), reference.mean()]))
        squares = freedom * max(middle * (1 - middle), 1 / TEST_COUNT) / TEST_COUNT
    error = math.sqrt(squares / freedom * (1 / len(values) + 1 / len(reference)))
    return 2 * float(stdtr(freedom, -abs(values.mean() - reference.mean()) / error))
