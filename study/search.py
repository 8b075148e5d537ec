"""The search for the optimum, as a study declares it: ranges, a budget, and who goes on to the finals."""

import math
from collections.abc import Iterable
from random import Random
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from study.fact import Fact
from study.setting import Hyperparameters, Setting, check_changes
from study.wording import listing, shown

REDUCTION = 3
"""Of the candidates that reach a rung, about one in so many goes on, and trains so many times as long.

Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning" (ASHA), use 4; 3 is the reduction that
Li et al. 2018, "Hyperband", call optimal in theory (e), and stops fewer slow starters.
"""

_FIRST_RUNG = 6
"""The part of the longest training after which it is first decided whether one goes on: a sixth."""

FEWEST_REPEATS = 10
"""Fresh seeds at least, with which the finalists are trained again."""


class Range(Fact):
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float
    log: bool = Field(False, description="tried evenly in the logarithm")
    step: float | None = Field(None, gt=0, description="only every so many from low on")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low={self.low:g} is not below high={self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low={self.low:g} with log; a logarithmic range begins above 0")
        if self.log and self.step is not None:
            raise ValueError(f"step={self.step:g} with log; give one of them")
        return self


Choices = tuple[int | float | str, ...]
"""Values of which one is tried, in no order."""

Values = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("list")],
    Discriminator(lambda values: "range" if isinstance(values, dict | Range) else "list"),
]
"""What is tried of one parameter; a mapping is meant as a range, and is told what is wrong with that."""


class Search(Fact):
    """Candidates from ranges, trained to one rung after another as long as they are promising.

    All train with the study's first seed; only validation is looked at.
    """

    space: dict[str, Values] = Field(description="a range or a list of values, by parameter")
    trainings: int | None = Field(None, ge=1, le=10_000, description="trainings to begin, at most")
    minutes: float | None = Field(None, gt=0, description="minutes of one lane to train, at most, about")
    generation: int = Field(8, ge=1, le=1000, description="trainings that are decided on together")
    finalists: int = Field(3, ge=1, le=20, description="candidates trained again with fresh seeds")

    @field_validator("space")
    @classmethod
    def _check_space(cls, space: dict[str, Range | Choices]) -> dict[str, Range | Choices]:
        if not space:
            raise ValueError("give a range or a list of values for at least one parameter")
        if "patience" in space:
            raise ValueError("'patience' cannot be searched: the search itself ends what is hopeless")
        return {name: _checked(name, values) for name, values in space.items()}

    @model_validator(mode="after")
    def _check_budget(self) -> Self:
        if (self.trainings is None) == (self.minutes is None):
            raise ValueError("give 'trainings' or 'minutes' as the budget, one of them")
        return self

    def budgets(self, baseline: Setting) -> tuple[int, ...]:
        """The numbers of epochs a setting may have, fewest first."""
        epochs = self.space.get("epochs", (baseline.epochs,))
        if isinstance(epochs, Range):
            return tuple(range(int(epochs.low), int(epochs.high) + 1, int(epochs.step or 1)))
        return tuple(sorted(int(each) for each in epochs))

    def contains(self, hyperparameters: Hyperparameters, baseline: Setting) -> bool:
        """Whether the search could have come upon these hyperparameters."""
        return all(
            self._allows(name, value) if name in self.space else value == getattr(baseline, name)
            for name, value in hyperparameters.model_dump().items()
        )

    def _allows(self, name: str, value: Any) -> bool:
        values = self.space[name]
        if not isinstance(values, Range):
            return value in values
        steps = 0.0 if values.step is None else (value - values.low) / values.step
        return bool(values.low <= value <= values.high) and abs(steps - round(steps)) < 1e-6

    def draw(self, baseline: Setting, random: Random) -> Setting:
        """A setting of the space, each value as likely, with the most epochs it may have."""
        values = {name: _draw(name, each, random) for name, each in self.space.items() if name != "epochs"}
        return baseline.with_changes({**values, "epochs": self.budgets(baseline)[-1], "patience": None})


def rungs_to(longest: int) -> tuple[int, ...]:
    """The epochs after which it is decided whether a training goes on, and the longest, which is the last.

    They begin at a sixth of the longest and grow by `REDUCTION`: 3, 9, 20 of 20. At a ninth, as three steps
    of `REDUCTION` would have it, dropout and many units, which learn slowly, were stopped whatever they
    would have come to (2, 6, 20 epochs, seen on 50,000 images).
    """
    rungs = [max(1, longest // _FIRST_RUNG)]
    while rungs[-1] * REDUCTION * 2 <= longest:
        rungs.append(rungs[-1] * REDUCTION)
    return (*(each for each in rungs if each < longest), longest)


def expected_epochs(rungs: Iterable[int], kept: int = 0) -> float:
    """Mean number of epochs a candidate trains beyond those kept, if one in `REDUCTION` passes each rung."""
    epochs, start = 0.0, kept
    for number, rung in enumerate(rungs):
        epochs += max(0, rung - start) / REDUCTION**number
        start = max(start, rung)
    return epochs


def _checked(name: str, values: Range | Choices) -> Range | Choices:
    """The values of a parameter, each of which it may have.

    Raises:
        ValueError: one it may not have, or no parameter has the name.
    """
    if isinstance(values, Range):
        ends = [check_changes({name: end})[name] for end in (values.low, values.high)]
        if any(isinstance(end, str) for end in ends):
            raise ValueError(f"{name}: a range of words; give a list")
        if isinstance(ends[0], int) and values.step is not None and values.step % 1:
            raise ValueError(f"{name}: step={values.step:g}; a whole number is needed")
        return values
    if not values:
        raise ValueError(f"{name}: the list is empty; give the values to try")
    checked = [check_changes({name: value})[name] for value in values]
    twice = [value for value in checked if checked.count(value) > 1]
    if twice:
        raise ValueError(f"{name}: {shown(twice[0])} is listed twice in {listing(list(map(str, checked)))}")
    return tuple(checked)


def _draw(name: str, values: Range | Choices, random: Random) -> Any:
    if not isinstance(values, Range):
        return random.choice(values)
    low, high = (math.log(values.low), math.log(values.high)) if values.log else (values.low, values.high)
    number = random.uniform(low, high)
    number = math.exp(number) if values.log else number
    return round(number) if _is_whole(name) else number


def _is_whole(name: str) -> bool:
    return isinstance(getattr(Setting(), name), int)
