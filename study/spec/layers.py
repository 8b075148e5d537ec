"""Take a study's file and change parts of it by another file, before either is checked."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from study.errors import InputError
from study.spec.data import DEFAULT_SOURCE, NAMED_SOURCES
from study.wording import listing, shown

LAB = "lab"
"""The name of the lab's network."""


class Layer(NamedTuple):
    """A study's file, and what stands in it."""

    path: Path
    content: dict[str, Any]


def extend(base: Layer, above: Layer) -> Layer:
    """Return a study with what another file changes of it: a JSON Merge Patch (RFC 7396).

    Mappings are merged key by key, null takes a key away, and all else is replaced. Exercises that are given
    as a mapping are changed by their numbers.

    Raises:
        InputError: there is no exercise of a number, or no mapping that changes it.
    """
    content = _move_paths(base, above.path.parent)
    changes = dict(above.content)
    if isinstance(changes.get("exercises"), dict):
        known = by_number(content.get("exercises"))
        given = {str(number): each for number, each in changes["exercises"].items()}
        for number, each in given.items():
            if each is not None and not isinstance(each, dict):
                raise InputError(
                    f"{above.path}: exercises.{number}: {shown(each)} is not allowed; give a mapping of what "
                    "changes, or null to leave the exercise out"
                )
            if number not in known and "kind" not in (each or {}):
                raise InputError(
                    f"{above.path}: exercises: {shown(number)} is not in {base.path}, which has "
                    f"{listing(list(known)) if known else 'none'}; to add an exercise, give its 'kind', too"
                )
        added = {each: {"number": each} for each in changes["exercises"] if str(each) not in known}
        numbered = known | {str(number): each for number, each in added.items()}
        changes["exercises"] = list(_merge(numbered, given).values())
    return Layer(above.path, _merge(content, changes))


def _merge(base: Any, changes: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return changes
    removed = [key for key, each in changes.items() if each is None]
    merged = base | {key: _merge(base.get(key), each) for key, each in changes.items()}
    return {key: each for key, each in merged.items() if key not in removed}


def by_number(exercises: Any) -> dict[str, Any]:
    """Return the exercises of a study's file by their numbers, as far as they have one."""
    if isinstance(exercises, dict):
        return {str(number): each for number, each in exercises.items()}
    listed = exercises if isinstance(exercises, list) else []
    return {str(each["number"]): each for each in listed if isinstance(each, dict) and "number" in each}


def _move_paths(layer: Layer, folder: Path) -> dict[str, Any]:
    """Return what stands in a study's file, with paths that can be read from another folder."""
    content, start = dict(layer.content), layer.path.resolve().parent
    if isinstance(content.get("data"), str):
        content["data"] = {"source": content["data"]}
    for part, keys in (("data", ("source", "test")), ("published", ("averages", "readings"))):
        if isinstance(content.get(part), dict):
            content[part] = given = dict(content[part])
            for key in keys:
                is_name = key == "source" and given.get(key) in (DEFAULT_SOURCE, *NAMED_SOURCES)
                if isinstance(given.get(key), str) and not is_name:
                    given[key] = str(start / Path(given[key]).expanduser())
    if isinstance(content.get("model"), str) and content["model"] != LAB:
        content["model"] = os.path.relpath(start / content["model"], folder.resolve())
    return content


def count_found(content: Any, location: Sequence[int | str]) -> int:
    """Count the parts of a location that stand in a file; pydantic's names of kinds do not."""
    depth = 0
    for part in location:
        with suppress(LookupError, TypeError):
            content, depth = content[part], depth + 1
    return depth
