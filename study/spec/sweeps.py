"""The forms of a sweep: one parameter with its values, two as a grid, or several whose values go together."""

from abc import abstractmethod
from collections.abc import Mapping
from itertools import product
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from study.fact import Fact
from study.spec.network import Value
from study.spec.setting import Setting, check_changes
from study.wording import listing, name_setting, phrase, plain, shown

Level = bool | float | str
"""A value of a single parameter; a whole number is a float."""

_FORMS = {"parameter": "parameter", "values": "parameter", "grid": "grid", "zip": "zip"}
"""The keys that say what is varied, and the form that each belongs to."""


class ExerciseBase(Fact):
    """The fields of every exercise."""

    number: int = Field(ge=1, le=99)
    title: str = Field(min_length=1)
    question: str = Field(min_length=1)


class SweepExercise(ExerciseBase):
    """Vary something, hold the rest at the baseline, repeat each setting with fresh seeds.

    The tables know a setting by its level: the parameter's number; of words and of combinations their place
    in the study, from 1.
    """

    kind: Literal["sweep"]
    repeats: int = Field(ge=1, le=1000)
    fixed: dict[str, Value] = Field(default_factory=dict, description="changes to the baseline")

    @model_validator(mode="before")
    @classmethod
    def _check_form(cls, values: Any) -> Any:
        given = [name for name in _FORMS if isinstance(values, Mapping) and name in values]
        if len({_FORMS[name] for name in given}) > 1:
            raise ValueError(
                f"{listing(given)} are given; a sweep has 'parameter' with 'values', or 'grid', or 'zip': "
                "keep one of them"
            )
        return values

    @field_validator("fixed")
    @classmethod
    def _check_fixed(cls, fixed: dict[str, Value]) -> dict[str, Value]:
        return check_changes(fixed)

    @property
    @abstractmethod
    def levels(self) -> dict[float, dict[str, Value]]:
        """Return what each setting changes, by its level, in the order of the study."""

    @property
    def varied(self) -> tuple[str, ...]:
        """Return the names of the parameters that it varies."""
        return tuple(next(iter(self.levels.values())))

    @property
    def varies(self) -> str:
        """Return these names as the tables have them: "width, depth"."""
        return ", ".join(self.varied)

    @property
    def noun(self) -> str:
        """Return what a setting is called in sentences."""
        return "value" if len(self.varied) == 1 else "combination"

    @property
    def is_ordered(self) -> bool:
        """Say whether its levels are numbers, along which accuracy may rise or fall."""
        return False

    @property
    def control_level(self) -> float | None:
        """Return the level with which all others are compared together, if there is one."""
        return None

    @property
    def planned_levels(self) -> tuple[float, ...]:
        """Return the levels that are compared with the control one by one."""
        return ()

    def label(self, level: float) -> str:
        """Return a setting's values alone, for an axis or a table's cell: "64", "adam", "8, 2"."""
        return ", ".join(map(plain, self.levels[level].values()))

    def phrase(self, level: float) -> str:
        """Name a setting for a sentence: "64 filters", "width 8 and depth 2"."""
        return listing([phrase(name, value) for name, value in self.levels[level].items()])

    def setting_name(self, level: float) -> str:
        """Name a setting for the tables: "filters=64", "width=8, depth=2"."""
        return name_setting(self.levels[level])

    @property
    def trial_count(self) -> int:
        """Count the trials it needs."""
        return self.repeats * len(self.levels)

    def reads_prefixes(self, baseline: Setting) -> bool:
        """Say whether the settings, two or more, differ only in how much of the same trainings they read.

        Few epochs are the beginning of many, but not where a schedule is stretched over them.
        """
        settings = self.settings(baseline).values()
        is_budget = self.varied == ("epochs",) and len(settings) > 1
        return is_budget and all(each.schedule_epochs is None for each in settings)

    def settings(self, baseline: Setting) -> dict[float, Setting]:
        """Return the setting of each level, in the order of the study."""
        held = baseline.with_changes(self.fixed)
        return {level: held.with_changes(changes) for level, changes in self.levels.items()}

    def _check_not_fixed(self) -> None:
        both = [name for name in self.varied if name in self.fixed]
        if both:
            raise ValueError(f"fixed: {both[0]!r} is what this exercise varies; leave it out")


class ParameterSweep(SweepExercise):
    """Vary one parameter: numbers, words, or true and false."""

    parameter: str
    values: tuple[Level, ...] = Field(min_length=1)
    control: Level | None = Field(None, description="the value with which all others are compared together")
    planned: tuple[Level, ...] = Field((), description="values that are compared with the control one by one")

    @model_validator(mode="after")
    def _check_values(self) -> Self:
        for value in self.values:
            taken = check_changes({self.parameter: value})[self.parameter]
            if isinstance(value, str | bool) and not isinstance(taken, str | bool):
                raise ValueError(f"values: {shown(value)} is no number, which {self.parameter!r} needs")
        twice = [value for value in self.values if self.values.count(value) > 1]
        if twice:
            raise ValueError(f"values: {plain(twice[0])} is listed twice; each value once")
        if self.planned and self.control is None:
            raise ValueError("planned: there is no control to compare with; give 'control', too")
        named = (*self.planned, *(() if self.control is None else (self.control,)))
        other = [each for each in named if each not in self.values]
        if other:
            raise ValueError(
                f"{plain(other[0])} in 'control' or 'planned' is none of the values "
                f"{listing(list(map(plain, self.values)))}"
            )
        self._check_not_fixed()
        return self

    @property
    def is_ordered(self) -> bool:
        """Say whether the values are numbers."""
        return not any(isinstance(value, str | bool) for value in self.values)

    @property
    def levels(self) -> dict[float, dict[str, Value]]:
        """Return each value by itself, or of words by its place."""
        return {self._level(value): {self.parameter: value} for value in self.values}

    @property
    def control_level(self) -> float | None:
        """Return the level of the control."""
        return None if self.control is None else self._level(self.control)

    @property
    def planned_levels(self) -> tuple[float, ...]:
        """Return the levels of the planned values."""
        return tuple(map(self._level, self.planned))

    def _level(self, value: Level) -> float:
        return float(value) if self.is_ordered else self.values.index(value) + 1.0


Lists = dict[str, tuple[Value, ...]]
"""The values of several parameters, by name."""


class GridSweep(SweepExercise):
    """Vary two parameters: every combination of their values is a setting."""

    grid: Lists = Field(description="two parameters, each with two values or more")

    @field_validator("grid")
    @classmethod
    def _check_grid(cls, grid: Lists) -> Lists:
        if len(grid) != 2:
            raise ValueError(
                f"{_count_parameters(grid)}; a grid has two: for one give 'parameter' and 'values', for more "
                "a grid of each pair that matters"
            )
        checked = {name: check_list(name, values) for name, values in grid.items()}
        single = [name for name, values in checked.items() if len(values) < 2]
        if single:
            raise ValueError(f"{single[0]}: has one value; a grid needs two or more of each parameter")
        return checked

    @model_validator(mode="after")
    def _check_held(self) -> Self:
        self._check_not_fixed()
        return self

    @property
    def levels(self) -> dict[float, dict[str, Value]]:
        """Return the combinations by their place: the second parameter changes from one to the next."""
        return _number([dict(zip(self.grid, each, strict=True)) for each in product(*self.grid.values())])

    @property
    def cells(self) -> dict[float, tuple[int, int]]:
        """Return row and column of each combination, from 0: places of its values in their lists."""
        rows, columns = map(range, map(len, self.grid.values()))
        return dict(zip(self.levels, product(rows, columns), strict=True))


class ZipSweep(SweepExercise):
    """Vary several parameters together: the first values of all are a setting, then the second ones."""

    zip: Lists = Field(description="two parameters or more, each with as many values")

    @field_validator("zip")
    @classmethod
    def _check_zip(cls, lists: Lists) -> Lists:
        if len(lists) < 2:
            raise ValueError(
                f"{_count_parameters(lists)}; it needs two or more: for one give 'parameter' and 'values'"
            )
        lengths = {name: len(values) for name, values in lists.items()}
        if len(set(lengths.values())) > 1 or 0 in lengths.values():
            each = listing([f"{name} has {length}" for name, length in lengths.items()])
            raise ValueError(f"values are taken together, and {each}; give as many of each, one at least")
        return {name: _take(name, values) for name, values in lists.items()}

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        settings = list(self.levels.values())
        twice = [each for each in settings if settings.count(each) > 1]
        if twice:
            raise ValueError(f"zip: {name_setting(twice[0])} is listed twice; each combination once")
        self._check_not_fixed()
        return self

    @property
    def levels(self) -> dict[float, dict[str, Value]]:
        """Return the combinations by their place."""
        together = zip(*self.zip.values(), strict=True)
        return _number([dict(zip(self.zip, each, strict=True)) for each in together])


def check_list(name: str, values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Return the values of a parameter with their types.

    Raises:
        ValueError: there is none, one is listed twice or not allowed, or no parameter has the name.
    """
    if not values:
        raise ValueError(f"{name}: the list is empty; give the values to try")
    checked = _take(name, values)
    twice = [value for value in checked if checked.count(value) > 1]
    if twice:
        raise ValueError(f"{name}: {shown(twice[0])} is listed twice in {listing(list(map(str, checked)))}")
    return checked


def _take(name: str, values: tuple[Value, ...]) -> tuple[Value, ...]:
    return tuple(check_changes({name: value})[name] for value in values)


def _count_parameters(lists: Lists) -> str:
    if not lists:
        return "no parameter"
    return f"{len(lists)} parameter{'s' * (len(lists) > 1)} ({', '.join(map(shown, lists))})"


def _number(settings: list[dict[str, Value]]) -> dict[float, dict[str, Value]]:
    return {float(place): each for place, each in enumerate(settings, start=1)}
