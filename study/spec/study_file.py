"""Read a study from its YAML file; every mistake is one line with file, field, value and what is allowed."""

import difflib
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from study.errors import InputError
from study.spec import bands, claims, data, exercises, published, sweeps
from study.spec.bands import Band
from study.spec.claims import Claim
from study.spec.exercises import Range, Search
from study.spec.layers import LAB, Layer, by_number, count_found, extend
from study.spec.network import Network, read_network
from study.spec.published import PublishedAverage, read_averages, read_readings
from study.spec.setting import TRAINING_PARAMETERS, Setting, parameter_names, reading_for
from study.spec.study import NARROWED, Study
from study.wording import shortened, shown
from study.yaml_file import read_yaml

STUDIES_FOLDER = Path(__file__).resolve().parents[2] / "studies"
"""The folder of the studies that ship, and of those a user adds."""

MAX_COMPLAINTS = 20
"""The most mistakes of a file that are reported at once."""

_OWNERS: dict[int | str, type[BaseModel]] = {
    "data": data.DataSlice,
    "arrays": data.ArrayNames,
    "baseline": Setting,
    "images": exercises.ImagesExercise,
    "sweep": sweeps.ParameterSweep,
    "sweep.grid": sweeps.GridSweep,
    "sweep.zip": sweeps.ZipSweep,
    "optimum": exercises.OptimumExercise,
    "model": exercises.ModelExercise,
    "search": Search,
    "range": Range,
    "options": exercises.Options,
    "published": published.PublishedSource,
    "mean": bands.MeanBand,
    "gain": bands.GainBand,
    "order": bands.OrderBand,
    "near": bands.NearBand,
    "best": claims.BestClaim,
    "higher": claims.HigherClaim,
    "trend": claims.TrendClaim,
}
"""The class of each part of a field's location."""

_CHOICES = ("bool", "int", "float", "str")
"""The types of a value in `fixed` and `candidates`, as pydantic adds them to its location."""

_CHOICE_PLACES = (
    *((5, ("control",)), (6, ("fixed",)), (6, ("values",)), (6, ("planned",))),
    *((7, ("candidates",)), (7, ("grid",)), (7, ("zip",))),
    *((length, ("search",)) for length in (9, 10, 11)),
)
"""The length of such a location, and its fourth part."""


def list_studies(folder: Path = STUDIES_FOLDER) -> list[str]:
    """List the names of the studies in a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def list_exercise_numbers(folder: Path = STUDIES_FOLDER) -> list[int]:
    """List the exercise numbers of all readable studies in a folder, sorted."""
    numbers: set[int] = set()
    for name in list_studies(folder):
        with suppress(InputError):  # a run of this study reports what is wrong
            numbers |= {exercise.number for exercise in read_study(name, folder).exercises}
    return sorted(numbers)


def is_path(name_or_path: str) -> bool:
    """Say whether a study is given by a path to its file, not by its name."""
    return name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path


def find_study(name_or_path: str, folder: Path = STUDIES_FOLDER) -> Path:
    """Find the file of a study given by its name in `studies/` or by a path to a YAML file.

    Raises:
        InputError: there is no such file.
    """
    path = Path(name_or_path) if is_path(name_or_path) else folder / f"{name_or_path}.yaml"
    try:
        if path.is_file():
            return path
    except OSError as error:  # a name that is too long, or a folder that may not be looked into
        raise InputError(f"study {shown(name_or_path)}: {error.strerror}; give another file") from error
    names = ", ".join(list_studies(folder)) or "none"
    raise InputError(
        f"study {shown(name_or_path)} not found: there is no file {path}; "
        f"give one of the names in {folder} ({names}) or a path to a YAML file"
    )


def read_study(name_or_path: str, folder: Path = STUDIES_FOLDER) -> Study:
    """Read and check a study, given by name or path.

    Raises:
        InputError: no such file, not YAML, an unknown key, an impossible value or a duplicate name; or the
            published averages that it names cannot be read.
    """
    path = find_study(name_or_path, folder)
    layers = _read_layers(path, folder)
    content = reduce(extend, layers).content
    content["model"] = network = _read_model(path, content.get("model", LAB))
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        with reading_for(network):
            lines = [_place(detail, layers, content) for detail in _causes(error.errors())]
        if len(lines) > MAX_COMPLAINTS:
            lines = [*lines[:MAX_COMPLAINTS], f"{path}: {len(lines) - MAX_COMPLAINTS} more mistakes"]
        raise InputError("\n".join(lines)) from error
    if study.data.is_own:
        if study.data.found is not None:
            raise InputError(f"{path}: data.found: the program itself fills it in; leave it out")
        study = study.model_copy(update={"data": study.data.located(path)})
    if study.published is None:
        return study
    located = study.published.located(path, folder, *(each.path.parent for each in layers))
    averages = read_averages(located)  # otherwise the error would appear only after all training
    read_readings(located)
    _check_numbers(path, study, [*located.bands, *located.claims, *averages.values()])
    return study.model_copy(update={"published": located})


def _read_layers(path: Path, folder: Path, above: tuple[Path, ...] = ()) -> list[Layer]:
    """Read a study's file and those that it extends, the first one of them first.

    Raises:
        InputError: one is missing, not a mapping, or extends itself.
    """
    content, chain = _parse(path), (*above, path)
    if above:
        content.pop("name", None)  # every study has its own
    if "extends" not in content:
        return [Layer(path, content)]
    given = content.pop("extends")
    if not isinstance(given, str):
        raise InputError(f"{path}: extends: {shown(given)} is not allowed; give a study's name or its path")
    try:
        base = find_study(str(path.parent / given) if is_path(given) else given, folder)
    except InputError as error:
        raise InputError(f"{path}: extends: {error}") from error
    if base.resolve() in [each.resolve() for each in chain]:
        circle = " extends ".join(str(each) for each in (*chain, base))
        raise InputError(f"{path}: extends: {shown(given)} ends in a circle: {circle}; leave one out")
    return [*_read_layers(base, folder, chain), Layer(path, content)]


def _place(detail: ErrorDetails, layers: Sequence[Layer], content: dict[str, Any]) -> str:
    """Describe a mistake after the file that it stands in: the last one that has most of its location."""
    location, line = detail["loc"], _describe(detail)
    exercises: Any = content.get("exercises")
    found = exercises[location[1]] if location[:1] == ("exercises",) and len(location) > 1 else None
    number = str(found.get("number")) if isinstance(found, dict) else ""

    def depth(layer: Layer) -> int:
        if not number:
            return count_found(layer.content, location)
        return count_found(by_number(layer.content.get("exercises")), (number, *location[2:]))

    owner = max(reversed(layers), key=depth)
    if number and isinstance(owner.content.get("exercises"), dict):
        line = line.replace(f"exercises[{location[1]}]", f"exercises.{number}", 1)
    return f"{owner.path}: {line}"


def _check_numbers(path: Path, study: Study, published: Sequence[Band | Claim | PublishedAverage]) -> None:
    """Raise InputError if a published value is of a sweep whose settings are no numbers."""
    others = {sweep.number: sweep for sweep in study.sweeps if not sweep.is_ordered}
    for each in published:
        if each.exercise in others:
            sweep = others[each.exercise]
            what = "an average" if isinstance(each, PublishedAverage) else shown(each.claim)
            raise InputError(
                f"{path}: published: {what} is of exercise {each.exercise}, which varies {sweep.varies} "
                f"({'; '.join(map(sweep.label, sweep.levels))}); published values are compared by a number: "
                "leave it out"
            )


def _read_model(path: Path, given: Any) -> Network | None:
    """Return the network that a study names; None for the lab's.

    Raises:
        InputError: it names none.
    """
    if given == LAB:
        return None
    if not isinstance(given, str):
        raise InputError(f"{path}: model: {shown(given)} is not allowed; give lab, or FILE.py:FUNCTION")
    try:
        return read_network(given, path.parent, TRAINING_PARAMETERS)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def choose_exercises(study: Study, numbers: frozenset[int]) -> Study:
    """Return the study with only these exercises; all of them when none is named.

    Raises:
        InputError: an unknown number, or an exercise without the one it needs.
    """
    if not numbers:
        return study
    try:
        return study.only(numbers)
    except ValidationError as error:
        raise InputError(f"--exercises: {_clean(error.errors()[0]['msg'])}") from error
    except ValueError as error:
        raise InputError(f"--exercises: {error}") from error


def adapt_study(study: Study, repeats: int | None, protocol: str | None) -> Study:
    """Return the study with other repeats in every sweep, or another protocol; None leaves it as written.

    Raises:
        InputError: the study does not allow it.
    """
    changes: dict[str, Any] = {} if protocol is None else {"protocol": protocol}
    if repeats is not None:
        changes["exercises"] = [
            each.model_copy(update={"repeats": repeats}) if each.kind == "sweep" else each
            for each in study.exercises
        ]
    if not changes:
        return study
    try:
        return Study.model_validate({**dict(study), **changes}, context=NARROWED)
    except ValidationError as error:
        options = " ".join(
            [f"--repeats {repeats}"] * bool(repeats) + [f"--protocol {protocol}"] * bool(protocol)
        )
        raise InputError(f"{options}: {_clean(error.errors()[0]['msg'])}") from error


def _parse(path: Path) -> Any:
    content = read_yaml(path)
    if not isinstance(content, dict):
        found = "nothing" if content is None else type(content).__name__
        keys = ", ".join(_allowed_keys(()))
        raise InputError(f"{path}: found {found}, expected a mapping with keys {keys}")
    return content


def _causes(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Return the mistakes without lists that are too short only because their items are not allowed.

    A value that may be a number or a text, and is neither, is reported once.
    """
    parents = {detail["loc"][: -2 if _is_choice(detail) else -1] for detail in details}
    return [
        each
        for each in details
        if (each["type"] != "too_short" or each["loc"] not in parents)
        and not (_is_choice(each) and each["loc"][-1] != _CHOICES[0])
    ]


def _is_choice(detail: ErrorDetails) -> bool:
    """Say whether it explains why a value is not one of its allowed types."""
    location = detail["loc"]
    return (len(location), location[3:4]) in _CHOICE_PLACES and location[-1] in _CHOICES


def _describe(detail: ErrorDetails) -> str:
    field = _field(detail["loc"])
    if _is_choice(detail):
        field = _field(detail["loc"][:-1])
        return f"{field}: {shown(detail['input'])} is not allowed: Input should be a number or a text"
    if detail["type"] == "union_tag_invalid":
        tag = detail["ctx"]["tag"]
        # The forms of a sweep are no kinds of their own.
        expected = re.sub(r"'sweep\.\w+', ", "", detail["ctx"]["expected_tags"])
        return f"{field}.kind: {shown(tag)} is not allowed: Input should be {expected}"
    if detail["type"] == "union_tag_not_found":
        return f"{field}.kind: missing; this key must be given"
    if detail["type"] == "extra_forbidden":
        return _describe_unknown_key(detail, field)
    if detail["type"] == "missing":
        return f"{field}: missing; this key must be given"
    message = _clean(detail["msg"])
    if detail["type"] == "value_error":
        return f"{field}: {message}" if field else message
    return f"{field}: {shown(detail['input'])} is not allowed: {message}"


def _describe_unknown_key(detail: ErrorDetails, field: str) -> str:
    key = str(detail["loc"][-1])
    allowed = _allowed_keys(detail["loc"])
    close = difflib.get_close_matches(key, allowed, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    value = shown(detail["input"])
    return f"{field}: unknown key {shown(key)} with value {value}{hint}; allowed: {', '.join(allowed)}"


def _allowed_keys(location: tuple[int | str, ...]) -> list[str]:
    owner: type[BaseModel] = Study
    for part in location[:-1]:
        owner = _OWNERS.get(part, owner)
    if owner is Study:
        return [*Study.model_fields, "extends"]
    return list(parameter_names() if owner is Setting else owner.model_fields)


def _field(location: tuple[int | str, ...]) -> str:
    """Return `exercises[1].values[0]` for pydantic's ('exercises', 1, 'sweep', 'values', 0)."""
    text = ""
    for position, part in enumerate(location):
        is_tag = isinstance(part, str) and (
            isinstance(location[max(position - 1, 0)], int) or (position == 6 and location[4] == "space")
        )
        if isinstance(part, int):
            text += f"[{part}]"
        elif not is_tag:
            name = shortened(part, 60)  # a key of the file's own may be anything
            text += f".{name}" if text else name
    return text


def _clean(message: str) -> str:
    return message.removeprefix("Value error, ")
