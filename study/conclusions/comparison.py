"""Compare two runs setting by setting, and list their differences: code, versions, data, machine."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from study.fact import Fact
from study.records import Read, SettingId
from study.statistics import SIGNIFICANCE, Difference, correct, paired, welch
from study.wording import plain, shortened

Verdict = Literal["identical", "agrees", "differs", "cannot tell"]


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
    verdict: Verdict


def compare_runs(first: Trials, second: Trials, margin: float) -> list[SettingComparison]:
    """Compare the settings that both runs have, in the order of the first.

    Where both read the same seeds, seed by seed (paired t test); else as independent samples (Welch's). They
    differ if the p value, corrected for all settings, is at most 5%; else they agree if the 90% interval lies
    within the margin either way (two one-sided tests, Schuirmann 1987).

    Args:
        first: One run.
        second: The other.
        margin: A fraction, above 0.

    Raises:
        ValueError: the margin is not above 0.
    """
    if not margin > 0:
        raise ValueError(f"margin={margin:g}; give one above 0")
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
    means = (_mean(first), _mean(second))
    low, high = (0.0, 0.0) if found is None else found.interval()
    return SettingComparison(
        *setting,
        (len(first), len(second)),
        means,
        0.0 if found is None else found.difference,
        low,
        high,
        first.keys() == second.keys(),
        adjusted,
        "identical" if found is None or adjusted is None else _judge(found, adjusted, margin),
    )


def _judge(found: Difference, adjusted: float, margin: float) -> Verdict:
    if adjusted <= SIGNIFICANCE:
        return "differs"
    low, high = found.interval(1 - 2 * SIGNIFICANCE)
    return "agrees" if -margin < low and high < margin else "cannot tell"  # NaN: cannot tell


def _test(first: Mapping[int, Read], second: Mapping[int, Read]) -> Difference:
    if first.keys() == second.keys():
        seeds = sorted(first)
        return paired(_accuracies(first, seeds), _accuracies(second, seeds))
    return welch(_accuracies(first, sorted(first)), _accuracies(second, sorted(second)))


def _is_identical(first: Mapping[int, Read], second: Mapping[int, Read]) -> bool:
    """Say whether all seeds they share, at least one, have the same weights."""
    seeds = first.keys() & second.keys()
    return bool(seeds) and all(first[seed].weights == second[seed].weights for seed in seeds)


def _accuracies(trials: Mapping[int, Read], seeds: Sequence[int]) -> list[float]:
    return [trials[seed].accuracy for seed in seeds]


def _mean(trials: Mapping[int, Read]) -> float:
    return sum(each.accuracy for each in trials.values()) / len(trials)


NOT_RECORDED = "not recorded"

_TITLES = {
    "tensorflow": "TensorFlow", "keras": "Keras", "numpy": "NumPy", "python": "Python", "prefect": "Prefect",
}  # fmt: skip


class Provenance(Fact):
    """Everything recorded of a run that may change its readings; None if unknown."""

    git_commit: str | None
    git_dirty: bool | None
    versions: dict[str, str]
    data_fingerprint: str
    device: str
    engine: str
    processor: str
    lock_sha256: str | None
    git_diff_sha256: str | None = None
    """Of the uncommitted changes; None where there are none."""
    study_definition: str
    """The study as it ran, as JSON."""


class Change(Fact):
    """One thing that changed."""

    name: str
    before: str
    now: str

    def __str__(self) -> str:
        """Return the change in words; of a long hash, the beginning."""
        return f"{self.name}: {_brief(self.before)} → {_brief(self.now)}"


def name_changes(before: Provenance, now: Provenance) -> tuple[Change, ...]:
    """Name everything recorded that differs between two runs, the code first."""
    return (
        *compare_facts(list_facts(before), list_facts(now)),
        *_name_definition_changes(before.study_definition, now.study_definition),
    )


def compare_facts(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[Change, ...]:
    """List the facts that differ, by name; a fact that one side lacks counts as not recorded there."""
    pairs = {
        name: (before.get(name, NOT_RECORDED), now.get(name, NOT_RECORDED))
        for name in dict.fromkeys((*now, *before))
    }
    return tuple(Change(name=name, before=old, now=new) for name, (old, new) in pairs.items() if old != new)


def list_facts(of: Provenance) -> dict[str, str]:
    """Return everything recorded of a run except its study, by name, in words."""
    dirty = NOT_RECORDED if of.git_dirty is None else "yes" if of.git_dirty else "no"
    return {
        "git commit": of.git_commit or NOT_RECORDED,
        "uncommitted changes": of.git_diff_sha256 or dirty,
        **{_TITLES.get(name, name): version for name, version in sorted(of.versions.items())},
        "data fingerprint": of.data_fingerprint,
        "kind of device": of.device,
        "engine": of.engine or NOT_RECORDED,
        "processor": of.processor or NOT_RECORDED,
        "lock file": of.lock_sha256 or NOT_RECORDED,
    }


def read_changes(text: str) -> tuple[Change, ...]:
    """Read the changes of a row of the table `nights`."""
    return tuple(Change.model_validate(each) for each in json.loads(text))


def write_changes(changes: tuple[Change, ...]) -> str:
    """Return changes as the JSON that the table `nights` holds."""
    return json.dumps([change.model_dump() for change in changes], ensure_ascii=False)


def _name_definition_changes(before: str, now: str) -> list[Change]:
    """Name the differences of two studies, by their places in the study's file.

    Published readings change no training. An exercise that only one of them ran does not change any other.
    """
    old, new = (_flatten(json.loads(text)) for text in (before, now))
    shared = _exercises(old) & _exercises(new)
    places = [
        place
        for place in dict.fromkeys((*new, *old))
        if old.get(place) != new.get(place) and (not place[0].startswith("exercise ") or place[0] in shared)
    ]
    return [
        Change(
            name=f"study: {' '.join(place)}",
            before=shortened(old.get(place, "–"), 100),
            now=shortened(new.get(place, "–"), 100),
        )
        for place in places
    ]


_Place = tuple[str, ...]


def _flatten(definition: dict[str, Any]) -> dict[_Place, str]:
    found: dict[_Place, str] = {}
    for name, value in definition.items():
        if name == "exercises":
            for exercise in value:
                found |= _flatten_value((f"exercise {exercise['number']}",), exercise)
        elif name != "published":
            found |= _flatten_value((name,), value)
    return found


def _flatten_value(place: _Place, value: Any) -> dict[_Place, str]:
    if not isinstance(value, dict):
        return {place: _word(value)}
    found: dict[_Place, str] = {}
    for name, inner in value.items():
        found |= _flatten_value((*place, name), inner)
    return found


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_word, value)) or "none"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return "none" if value is None else str(value)
    return plain(value)


def _exercises(flat: dict[_Place, str]) -> set[str]:
    return {place[0] for place in flat if place[0].startswith("exercise ")}


def _brief(text: str) -> str:
    is_hash = len(text) >= 40 and set(text) <= set("0123456789abcdef")
    return f"{text[:10]}…" if is_hash else text
