"""Read a YAML file that a user wrote, within limits; every mistake is one line with the file."""

import math
import warnings
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError, YAMLWarning
from ruamel.yaml.nodes import Node

from study.errors import InputError
from study.wording import shortened

MAX_BYTES = 100_000
"""The longest file: twenty times the lab study, half a second of reading."""

MAX_VALUES = 100_000
"""The most values of a file with its aliases written out: a few lines of aliases can mean billions."""


def read_yaml(path: Path) -> Any:
    """Read a YAML file: mappings, sequences and scalars; refuse tags that make other objects.

    Raises:
        InputError: the file cannot be read, is too long, is not YAML, or stands for too much.
    """
    text = _read_text(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", YAMLWarning)  # such as a repeated anchor
            if "&" in text:
                _check_aliases(path, _loader().compose(text))
            return _loader().load(text)
    except InputError:
        raise
    except RecursionError as error:
        raise InputError(f"{path}: not readable as YAML: it is nested too deeply") from error
    except (YAMLError, YAMLWarning, ValueError) as error:  # ValueError: such as an impossible date
        raise InputError(f"{path}: not readable as YAML: {_reason(error)}") from error
    except Exception as error:  # KeyError, AttributeError, OverflowError…: a tag whose value does not fit it
        reason = f"a value does not fit its tag ({type(error).__name__}: {error})"
        raise InputError(f"{path}: not readable as YAML: {shortened(reason, 500)}") from error


def _reason(error: Exception) -> str:
    """Say what is wrong and where, without advice for programmers only."""
    text = str(error).replace('"<unicode string>", ', "")
    for advice in ("To suppress this check", "; use sys.set_int_max_str_digits"):
        text = text.partition(advice)[0]
    return shortened(text, 500)


def _loader() -> YAML:
    return YAML(typ="safe", pure=True)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{path}: longer than {MAX_BYTES:,} bytes, which is the most a study may be")
    try:
        return content.decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not readable as YAML: {error}") from error


def _check_aliases(path: Path, root: Node | None) -> None:
    if root is not None and _count_values(root, {}) > MAX_VALUES:
        raise InputError(
            f"{path}: its aliases (*name) stand for more than {MAX_VALUES:,} values, or for themselves; "
            "write out what they stand for"
        )


def _count_values(node: Node, counted: dict[int, float]) -> float:
    """Count the values below a node with aliases written out; infinite if a node is part of itself."""
    if id(node) not in counted:
        counted[id(node)] = math.inf
        children = node.value if isinstance(node.value, list) else []
        parts = [part for child in children for part in (child if isinstance(child, tuple) else (child,))]
        counted[id(node)] = 1 + sum(_count_values(part, counted) for part in parts)
    return counted[id(node)]
