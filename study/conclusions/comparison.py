"""Compare two runs setting by setting, and list their differences: code, versions, data, machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from study.records import Read, SettingId
from study.statistics import SIGNIFICANCE, Difference, correct, paired, welch
from study.status import Agreement

Trials = Mapping[SettingId, Mapping[int, Read]]
"""The readings of a run's completed trials, by setting and seed."""


@dataclass(frozen=True)
class SettingComparison:
    """One setting of two runs: accuracies as fractions, the difference is of the second run less the first.

    `adjusted_p_value` is corrected for all settings compared, by Holm; None where the weights are the same.
    """

    exercise: int
    setting: str
    counts: tuple[int, int]
    means: tuple[float, float]
    difference: float
    low: float
    high: float
    is_paired: bool
    adjusted_p_value: float | None
    verdict: Agreement


def compare_runs(first: Trials, second: Trials, margin: float) -> list[SettingComparison]:
    """Compare the settings that both runs have, in the order of the first.

    Where both read the same seeds, seed by seed (paired t test); else as independent samples (Welch's). They
    differ if the p value, corrected for all settings, is at most 5%; else they agree if the 90% interval lies
    within the margin either way (two one-sided tests, Schuirmann 1987).

    Args:
        first: One run.
        second: The other.
        margin: A fraction, above 0.
    """
    shared = [setting for setting in first if first[setting] and second.get(setting)]
    tested = [setting for setting in shared if not _is_identical(first[setting], second[setting])]
    found = {setting: _test(first[setting], second[setting]) for setting in tested}
    adjusted = dict(zip(tested, correct([each.p_value for each in found.values()]), strict=True))
    return [
        _compare(setting, first[setting], second[setting], found.get(setting), adjusted.get(setting), margin)
        for setting in shared
    ]


def _compare(
    setting: SettingId,
    first: Mapping[int, Read],
    second: Mapping[int, Read],
    found: Difference | None,
    adjusted: float | None,
    margin: float,
) -> SettingComparison:
    low, high = (0.0, 0.0) if found is None else found.interval()
    return SettingComparison(
        *setting,
        (len(first), len(second)),
        (fmean(_accuracies(first)), fmean(_accuracies(second))),
        0.0 if found is None else found.difference,
        low,
        high,
        first.keys() == second.keys(),
        adjusted,
        Agreement.IDENTICAL if found is None or adjusted is None else _judge(found, adjusted, margin),
    )


def _judge(found: Difference, adjusted: float, margin: float) -> Agreement:
    if adjusted <= SIGNIFICANCE:
        return Agreement.DIFFERS
    low, high = found.interval(1 - 2 * SIGNIFICANCE)
    is_within = -margin < low and high < margin  # false for NaN
    return Agreement.AGREES if is_within else Agreement.UNDECIDED


def _test(first: Mapping[int, Read], second: Mapping[int, Read]) -> Difference:
    if first.keys() == second.keys():
        return paired(_accuracies(first), _accuracies(second))
    return welch(_accuracies(first), _accuracies(second))


def _is_identical(first: Mapping[int, Read], second: Mapping[int, Read]) -> bool:
    """Say whether all seeds they share, at least one, have the same weights."""
    seeds = first.keys() & second.keys()
    return bool(seeds) and all(first[seed].weights == second[seed].weights for seed in seeds)


def _accuracies(trials: Mapping[int, Read]) -> list[float]:
    return [trials[seed].accuracy for seed in sorted(trials)]
