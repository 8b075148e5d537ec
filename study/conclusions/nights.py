"""Compare a night with earlier runs, exercise by exercise: the test of a shift, and the verdict."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import ndtr, stdtr

from study.fashion_mnist import TEST_COUNT
from study.status import NightVerdict

FEWEST = 2
"""Readings of a setting tonight, and earlier; with fewer, no shift can be detected."""


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
    test_images: int = TEST_COUNT
    """The number that each accuracy is read on."""

    @property
    def is_testable(self) -> bool:
        """Say whether there are enough readings to see any shift."""
        return min(len(self.tonight), len(self.earlier)) >= FEWEST

    @property
    def difference(self) -> float:
        """Return the mean of tonight less the mean of the earlier ones."""
        return float(np.mean(self.tonight) - np.mean(self.earlier))


@dataclass(frozen=True)
class Shift:
    """The evidence for a shift of an exercise: the chance of so large a difference without one."""

    p_value: float
    setting: str
    """The setting that differs most surely."""


def find_shift(samples: Sequence[Sample]) -> Shift | None:
    """Test an exercise for a shift; None if no setting has enough readings.

    Three questions, each with a third of the chance of a false alarm: have all settings together moved, by
    ranks among all earlier readings (`combined_score`); have they moved by ranks within the same seed
    (`paired_score`); and has any one setting moved far, by a t test that does not depend on one reading
    (`robust_p_value`), corrected for the number of settings (Bonferroni).

    Why ranks: with added t scores (Stouffer 1949), one reading that collapses raises an alarm once many
    earlier ones did not. The price is some power, as `benchmarks/drift.py` shows.

    Why pairs: a seed's readings are nearer to each other than to those of other seeds. With the first layer's
    weights off by a millionth at the start, 14 trainings of the baseline were off by 0.00, 0.02, 0.18 and 1.9
    points after 3 epochs at learning rates 0.0001, 0.001, 0.01 and 0.1 (root mean square), where seeds differ
    by 0.7, 0.6, 0.4 and 2.8.
    """
    testable = [sample for sample in samples if sample.is_testable]
    if not testable:
        return None
    singles = {
        sample.setting: robust_p_value(sample.tonight, sample.earlier, sample.test_images)
        for sample in testable
    }
    most = min(singles, key=lambda name: singles[name])
    scores = (combined_score(testable), paired_score(testable))
    together = [2 * float(ndtr(-abs(score))) for score in scores]
    return Shift(min(1.0, 3 * min(*together, len(singles) * singles[most])), most)


def combined_score(samples: Sequence[Sample]) -> float:
    """Combine the rank scores of all samples to one standard normal score, or a smaller one."""
    return _combine([(each.trainings, rank_score(each.tonight, each.earlier)) for each in samples])


def paired_score(samples: Sequence[Sample]) -> float:
    """Combine the rank scores of all pairs to one standard normal score, or a smaller one.

    With one earlier reading each this is the sign test. Pairs of equal readings carry no information and do
    not count.
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
    """Return the standardised sum of scores, each with the trainings that it reads.

    We assume that scores of the same trainings are wholly dependent, which bounds the variance of their sum,
    and that all others are independent.
    """
    sizes = Counter(trainings for trainings, _ in scores)
    variance = sum(size**2 for size in sizes.values())
    return sum(score for _, score in scores) / math.sqrt(variance) if scores else 0.0


def rank_score(tonight: Sequence[float], earlier: Sequence[float]) -> float:
    """Return Wilcoxon's rank sum (1945), standardised and corrected for ties; 0 if all readings are equal.

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


def robust_p_value(
    tonight: Sequence[float], earlier: Sequence[float], test_images: int = TEST_COUNT
) -> float:
    """Return the two-sided p value of a pooled t test that does not depend on one reading.

    It is the larger of that with all readings and that without tonight's most deviant one. Each sample has at
    least two readings.
    """
    values = np.sort(np.asarray(tonight, dtype=float))
    reference = np.asarray(earlier, dtype=float)
    falls = values.mean() < reference.mean()
    rest = values[1:] if falls else values[:-1]
    if (rest.mean() < reference.mean()) != falls:
        return 1.0
    return max(_pooled_p_value(each, reference, test_images) for each in (values, rest))


def _pooled_p_value(values: np.ndarray, reference: np.ndarray, test_images: int) -> float:
    freedom = len(values) + len(reference) - 2
    squares = len(values) * values.var() + len(reference) * reference.var()
    if np.ptp(values) < 1e-9 and np.ptp(reference) < 1e-9:
        # There is no spread: we take that of a proportion counted over the test images.
        middle = float(np.mean([values.mean(), reference.mean()]))
        squares = freedom * max(middle * (1 - middle), 1 / test_images) / test_images
    error = math.sqrt(squares / freedom * (1 / len(values) + 1 / len(reference)))
    return 2 * float(stdtr(freedom, -abs(values.mean() - reference.mean()) / error))


NIGHT_ALPHA = 1 / 365
"""Chance of any false alarm in a night without change: one alarm a year is expected at most, if every night's
weights differ; none where they are identical."""

MAX_RUNS = 30
"""The number of latest earlier runs with which a night is compared."""


@dataclass(frozen=True)
class NightReading:
    """One trial of a run."""

    run_id: str
    exercise: int
    setting: str
    identity: str
    """The setting's hyperparameters, epochs and patience, as one text: names may change, these decide."""
    seed: int
    key: str
    weights_sha256: str | None
    """None if the trial failed."""
    accuracy: float | None
    """Test accuracy (fraction); None if the trial failed."""


@dataclass(frozen=True)
class Verdict:
    """The result of comparing one exercise of a night with earlier runs."""

    exercise: int
    name: NightVerdict
    trials: int
    failed_trials: int
    changed_trials: int = 0
    """Trials whose weights no earlier run had."""
    compared_with: str | None = None
    """The latest earlier run it was compared with; if identical, the latest one it is identical to."""
    earlier_runs: int = 0
    distinct_readings: int = 0
    """Earlier readings it was compared with; equal weights count once."""
    difference: float | None = None
    """Mean over its settings of tonight's mean accuracy less the earlier one (fraction)."""
    p_value: float | None = None
    threshold: float | None = None
    """It drifted if the p value is not above this."""
    setting: str | None = None
    """The setting that differs most surely."""


@dataclass(frozen=True)
class _Comparison:
    """One exercise's readings of tonight, and the earlier ones to compare them with."""

    exercise: int
    asked: Sequence[NightReading]
    runs: Sequence[Sequence[NightReading]]
    """The earlier runs' readings of the same settings, oldest first."""

    @cached_property
    def tonight(self) -> list[NightReading]:
        return [each for each in self.asked if each.weights_sha256 is not None]

    @cached_property
    def known(self) -> dict[str, dict[str, float]]:
        """Return earlier accuracies by the setting's identity and the weights' hash: equal bits once."""
        return _list_accuracies(self.runs)

    @cached_property
    def of_seed(self) -> dict[tuple[str, int], dict[str, float]]:
        """Return the same by the setting's identity and the seed."""
        found: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
        for run in self.runs:
            for each in run:
                found[each.identity, each.seed][str(each.weights_sha256)] = float(each.accuracy or 0.0)
        return dict(found)

    @cached_property
    def comparable(self) -> list[NightReading]:
        """Return tonight's trials that an earlier run has read with the same seed."""
        return [each for each in self.tonight if (each.identity, each.seed) in self.of_seed]

    def find_changed(self) -> list[NightReading]:
        """Find tonight's trials with weights that no earlier run had, of settings that were read before.

        A new seed of a setting whose other seeds are unchanged is not a change.
        """
        paired = {each.identity for each in self.comparable}
        of_known = [each for each in self.tonight if each.identity in self.known]
        unpaired = [each for each in of_known if each.identity not in paired]
        changed = [each for each in self.comparable if each.weights_sha256 not in self.known[each.identity]]
        return changed + unpaired

    def find_samples(self, changed: Sequence[NightReading], test_images: int) -> list[Sample]:
        """Find the settings that changed, with all their readings.

        Settings share seeds, and a seed may suit all of them. If tonight's seeds are those of the earlier
        readings, this cancels; if they are not, we treat the settings as dependent.
        """
        keys: dict[str, set[str]] = defaultdict(set)
        for each in self.asked:
            keys[each.identity].add(each.key)
        pairs: dict[str, dict[str, Pair]] = defaultdict(dict)
        for each in self.comparable:
            earlier = tuple(self.of_seed[each.identity, each.seed].values())
            pairs[each.identity][each.key] = Pair(each.key, float(each.accuracy or 0.0), earlier)
        tonight = _list_accuracies([self.tonight])
        return [
            Sample(
                setting=name,
                trainings=frozenset(keys[identity]) if identity in pairs else "other seeds",
                tonight=tuple(tonight[identity].values()),
                earlier=tuple(self.known[identity].values()),
                pairs=tuple(pairs[identity].values()) if identity in pairs else (),
                test_images=test_images,
            )
            for identity, name in {each.identity: each.setting for each in changed}.items()
        ]

    def find_twin(self) -> str:
        """Find the latest run with tonight's weights in every comparable trial; else the latest run."""
        wanted = {(each.identity, each.seed, each.weights_sha256) for each in self.comparable}
        for run in reversed(self.runs):
            if wanted <= {(each.identity, each.seed, each.weights_sha256) for each in run}:
                return run[0].run_id
        return self.runs[-1][0].run_id


def compare_night(
    tonight: Sequence[NightReading],
    earlier: Sequence[Sequence[NightReading]],
    drifted: Collection[tuple[str, int]] = (),
    test_images: int = TEST_COUNT,
) -> list[Verdict]:
    """Judge each exercise of a night.

    A drift is reported once: later nights are compared with it and with runs after it, not with runs before
    it.

    Args:
        tonight: Every trial of the run.
        earlier: Those of each earlier run, oldest first; of the same study and protocol.
        drifted: Run and exercise of each earlier verdict `drifted`.
        test_images: The number that each accuracy is read on.
    """
    by_exercise: dict[int, list[NightReading]] = defaultdict(list)
    for each in tonight:
        by_exercise[each.exercise].append(each)
    comparisons = [
        _Comparison(number, asked, _find_runs(number, asked, earlier, drifted))
        for number, asked in sorted(by_exercise.items())
    ]
    changed = {each.exercise: each.find_changed() for each in comparisons}
    samples = {each.exercise: each.find_samples(changed[each.exercise], test_images) for each in comparisons}
    shifts = {number: find_shift(found) for number, found in samples.items()}
    tested = sum(shift is not None for shift in shifts.values())
    return [
        _judge(
            each, len(changed[each.exercise]), samples[each.exercise], shifts[each.exercise],
            NIGHT_ALPHA / max(tested, 1),
        )
        for each in comparisons
    ]  # fmt: skip


def _find_runs(
    exercise: int,
    asked: Sequence[NightReading],
    earlier: Sequence[Sequence[NightReading]],
    drifted: Collection[tuple[str, int]],
) -> list[list[NightReading]]:
    """Find the latest runs' completed readings of the same settings, beginning with the last drift."""
    settings = {each.identity for each in asked}
    runs: list[list[NightReading]] = []
    for run in earlier:
        of_exercise = [each for each in run if each.exercise == exercise and each.weights_sha256 is not None]
        readings = [each for each in of_exercise if each.identity in settings]
        if of_exercise and (of_exercise[0].run_id, exercise) in drifted:
            runs.clear()
        if readings:
            runs.append(readings)
    return runs[-MAX_RUNS:]


def _judge(
    comparison: _Comparison, changed: int, samples: Sequence[Sample], shift: Shift | None, threshold: float
) -> Verdict:
    trials, done = len(comparison.asked), len(comparison.tonight)
    bare = Verdict(comparison.exercise, NightVerdict.NO_READING, trials, trials - done)
    if not done:
        return bare
    of_tonight = {each.identity for each in comparison.tonight} & comparison.known.keys()
    if not of_tonight:
        return replace(bare, name=NightVerdict.FIRST)
    told = replace(
        bare,
        name=NightVerdict.IDENTICAL,
        changed_trials=changed,
        compared_with=comparison.find_twin(),
        earlier_runs=len(comparison.runs),
        distinct_readings=sum(len(comparison.known[identity]) for identity in of_tonight),
        difference=float(sum(sample.difference for sample in samples) / len(of_tonight)) + 0.0,
    )
    if not changed:
        return told
    if shift is None:
        widest = max(samples, key=lambda sample: abs(sample.difference))
        return replace(told, name=NightVerdict.UNCLEAR, setting=widest.setting)
    name = NightVerdict.DRIFTED if shift.p_value <= threshold else NightVerdict.SAME
    return replace(told, name=name, p_value=shift.p_value, threshold=threshold, setting=shift.setting)


def _list_accuracies(runs: Sequence[Sequence[NightReading]]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for run in runs:
        for each in run:
            if each.weights_sha256 is not None and each.accuracy is not None:
                found[each.identity][each.weights_sha256] = each.accuracy
    return dict(found)
