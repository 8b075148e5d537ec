"""List what differs between two runs: code, versions, data, machine, lock file and study, by name."""

import json
from collections.abc import Mapping
from typing import Any

from study.fact import Fact
from study.wording import plain, shortened

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
    named: dict[str, Any] = {}
    for name, value in definition.items():
        if name == "exercises":
            named |= {f"exercise {each['number']}": each for each in value}
        elif name != "published":
            named[name] = value
    return _flatten_value((), named)


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
