"""A network of one's own: a function in a file beside the study, read without running it.

Its keyword arguments are hyperparameters. They are read from the text of the file: planning a study runs none
of its author's code. The lanes import it, and only if its text is the one that was read.
"""

import ast
import difflib
import hashlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from study.errors import InputError
from study.fact import Fact
from study.wording import listing, shown

Value = bool | int | float | str
"""The value of a hyperparameter."""

FORM = "def build(input_shape, classes, *, depth: int = 2, width: int = 32)"
"""An example of a function that makes a network."""

LAB_PARAMETERS = ("filters", "kernel_size", "dense_units", "dropout")
"""The hyperparameters of the lab's network; those of training go with every network."""

_Kind = Literal["int", "float", "str", "bool"]
_EXPECTED = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false"}


class Parameter(Fact):
    """A keyword argument of a network's function: its annotation and its default."""

    kind: _Kind
    choices: tuple[Value, ...] = ()
    """The values of `Literal[...]`; empty if every value of the kind is allowed."""
    default: Value

    def check(self, name: str, value: Any) -> Value:
        """Return a value with its type.

        Raises:
            ValueError: it does not fit the annotation.
        """
        number = _as_number(value) if self.kind in ("int", "float") else None
        found: Value | None = None
        if self.kind == "int" and number is not None and number % 1 == 0:
            found = int(number)
        elif self.kind == "float":
            found = number
        elif self.kind in ("str", "bool") and type(value).__name__ == self.kind:
            found = value
        if found is None or (self.choices and found not in self.choices):
            raise ValueError(f"{name}={shown(value)}: the network takes {self.allowed}")
        return found

    @property
    def allowed(self) -> str:
        """Describe the allowed values."""
        return f"one of {listing(list(map(str, self.choices)))}" if self.choices else _EXPECTED[self.kind]


class NetworkFile(Fact):
    """A function in a file, and the hash of the text that decides what it does."""

    file: str
    """As the study names it: relative to the study's file."""
    function: str
    sha256: str
    """SHA-256 of the file and of what it imports from its folder."""
    path: str = Field("", exclude=True)
    """Where it lies; empty in results, which never say what code to run."""

    @property
    def name(self) -> str:
        """Return "network.py:build"."""
        return f"{self.file}:{self.function}"

    def __eq__(self, other: object) -> bool:
        """Compare all but the place."""
        return isinstance(other, NetworkFile) and self._decisive == other._decisive

    def __hash__(self) -> int:
        """Hash all but the place."""
        return hash(self._decisive)

    @property
    def _decisive(self) -> tuple[str, str]:
        return self.function, self.sha256


class Network(NetworkFile):
    """A network of one's own with its hyperparameters."""

    parameters: dict[str, Parameter]

    @property
    def source(self) -> NetworkFile:
        """Return it without its hyperparameters, for the facts of a training."""
        return NetworkFile(file=self.file, function=self.function, sha256=self.sha256, path=self.path)

    @property
    def own(self) -> dict[str, Parameter]:
        """Return the hyperparameters that the lab's network does not have."""
        return {name: each for name, each in self.parameters.items() if name not in LAB_PARAMETERS}

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the hyperparameters of the lab's network that it does not take."""
        return tuple(name for name in LAB_PARAMETERS if name not in self.parameters)

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values of which some are hyperparameters of the network, these with their types.

        Raises:
            ValueError: one does not fit its annotation.
        """
        known = self.parameters
        return {
            name: known[name].check(name, each) if name in known else each for name, each in values.items()
        }


def read_network(given: str, folder: Path, reserved: tuple[str, ...]) -> Network:
    """Read FILE.py:FUNCTION, relative to a folder, from its text.

    Args:
        given: What the study says.
        folder: The folder of the study's file.
        reserved: Names of the hyperparameters of training, which the function may not take.

    Raises:
        InputError: there is no such function, or its arguments cannot be hyperparameters.
    """
    file, _, function = given.rpartition(":")
    if not file.endswith(".py") or not function.isidentifier():
        raise InputError(f"model: {shown(given)} is not allowed; give lab, or FILE.py:FUNCTION")
    path = (folder / file).resolve()
    tree = _parse(path)
    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    if function not in functions:
        close = difflib.get_close_matches(function, functions, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        has = listing(list(functions)) if functions else "none"
        raise InputError(f"model: {path} has no function {function!r}{hint}; its functions: {has}")
    where = f"model: {path}, line {functions[function].lineno}: {function}"
    parameters = dict(_read_parameters(functions[function].args, where, reserved))
    return Network(
        file=file, function=function, sha256=hash_sources(path), path=str(path), parameters=parameters
    )


def hash_sources(path: Path) -> str:
    """Hash a file and every module that it imports from its folder, by names and texts.

    Raises:
        InputError: one cannot be read as Python.
    """
    digest = hashlib.sha256()
    for each in list_sources(path):
        digest.update(f"{each.relative_to(path.parent).as_posix()}\0".encode() + each.read_bytes() + b"\0")
    return digest.hexdigest()


def list_sources(path: Path) -> list[Path]:
    """List a file and the files of its folder that its `import` statements reach, sorted.

    Raises:
        InputError: one cannot be read as Python.
    """
    found, waiting = set[Path](), [path]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += [each for each in _imports(file, path.parent) if each.is_file()]
    return sorted(found)


def _imports(file: Path, folder: Path) -> Iterator[Path]:
    """List the places in the folder where the modules may lie that a file imports."""
    for node in ast.walk(_parse(file)):
        if isinstance(node, ast.Import):
            names = [each.name.split(".") for each in node.names]
            top = folder
        elif isinstance(node, ast.ImportFrom):
            base = node.module.split(".") if node.module else []
            names = [[*base, each.name] for each in node.names]
            top = file.parents[node.level - 1] if node.level else folder
        else:
            continue
        for parts in names:
            for end in range(len(parts) + 1):
                place = top.joinpath(*parts[:end])
                yield place / "__init__.py"
                yield place.with_name(f"{place.name}.py")


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"model: {path} cannot be read: {error.strerror}; FILE.py lies beside the study's "
                         "file") from error  # fmt: skip
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise InputError(f"model: {path}{line} is not Python: {reason}") from error


def _read_parameters(
    arguments: ast.arguments, where: str, reserved: tuple[str, ...]
) -> Iterator[tuple[str, Parameter]]:
    places = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    if len(places) != 2 or arguments.vararg or arguments.kwarg or arguments.defaults:
        raise InputError(f"{where} must take the shape of the input and the number of classes, then named "
                         f"arguments, such as {FORM}")  # fmt: skip
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        name = argument.arg
        if name in reserved:
            raise InputError(f"{where} takes {name!r}, which belongs to the training; choose another name")
        try:
            yield name, _read_parameter(argument.annotation, default)
        except ValueError as error:
            raise InputError(f"{where} takes {name!r}: {error}") from error


def _read_parameter(annotation: ast.expr | None, default: ast.expr | None) -> Parameter:
    """Read an annotation and a default.

    Raises:
        ValueError: one is missing or not allowed, or they do not fit.
    """
    allowed = "int, float, str, bool or Literal[...], and a default that is written out"
    text = "no annotation" if annotation is None else ast.unparse(annotation)
    choices: tuple[Any, ...] = ()
    kind = text
    if isinstance(annotation, ast.Subscript) and text.split("[")[0].split(".")[-1] == "Literal":
        choices = _written(annotation.slice)
        choices = choices if isinstance(choices, tuple) else (choices,)
        kinds = {type(each).__name__ for each in choices}
        kind = kinds.pop() if len(kinds) == 1 else text
    if kind not in get_args(_Kind):
        raise ValueError(f"found {text}; needed is {allowed}")
    if default is None:
        raise ValueError(f"found no default; needed is {allowed}")
    unchecked = Parameter(kind=kind, choices=choices, default=0)
    return unchecked.model_copy(update={"default": unchecked.check("its default", _written(default))})


def _written(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise ValueError(f"{ast.unparse(node)} is not a value that is written out") from error


def _as_number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None
