"""The kinds of exercises a study may have, and the search that an optimum exercise may declare."""

import math
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from study.fact import Fact
from study.fashion_mnist import TEST_COUNT
from study.spec.network import Value
from study.spec.setting import Hyperparameters, Setting, check_changes
from study.spec.sweeps import ExerciseBase, GridSweep, ParameterSweep, ZipSweep, check_list
from study.wording import listing, shown

REDUCTION = 3
"""About one in this number of the candidates at a rung continues, and trains this number of times as long.

Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning" (ASHA), use 4; 3 is the reduction that
Li et al. 2018, "Hyperband", call optimal in theory (e), and stops fewer slow starters.
"""

_FIRST_RUNG = 6
"""The part of the longest training after which we first decide whether a training continues: a sixth."""

MIN_REPEATS = 10
"""The fewest fresh seeds with which the finalists are trained again."""


Condition = dict[
    str,
    Annotated[
        tuple[Value, ...],
        BeforeValidator(lambda given: given if isinstance(given, list | tuple) else (given,)),
        Field(min_length=1),
    ],
]
"""The values of other parameters with which a parameter is searched; one value may stand alone."""


class _Conditional(Fact):
    when: Condition = Field(
        default_factory=dict,
        description="searched only where other parameters have this value, or one of these; else the "
        "baseline's value is kept",
        exclude_if=lambda condition: not condition,
    )


class Range(_Conditional):
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float
    log: bool = Field(False, description="tried evenly in the logarithm")
    step: float | None = Field(None, gt=0, description="distance from one value to the next, from low on")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low={self.low:g} is not below high={self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low={self.low:g} with log; a logarithmic range begins above 0")
        if self.log and self.step is not None:
            raise ValueError(f"step={self.step:g} with log; give one of them")
        return self


Choices = tuple[Value, ...]
"""The values to try, in no order."""


class Options(_Conditional):
    """Values to try, in no order, where a condition holds."""

    values: Choices


def _form_of_values(values: Any) -> str:
    if isinstance(values, Options) or (isinstance(values, dict) and "values" in values):
        return "options"
    return "range" if isinstance(values, dict | Range) else "list"


Values = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Options, Tag("options")] | Annotated[Choices, Tag("list")],
    Discriminator(_form_of_values),
]
"""The values to try of one parameter; a mapping without `values` counts as a range in errors."""


class Search(Fact):
    """Candidates from ranges, trained from rung to rung as long as they are promising.

    All train with the study's first seed; only validation decides.
    """

    space: dict[str, Values] = Field(description="a range or a list of values, by parameter")
    trainings: int | None = Field(None, ge=1, le=10_000, description="trainings to begin, at most")
    minutes: float | None = Field(None, gt=0, description="minutes of one lane to train, at most, about")
    generation: int = Field(8, ge=1, le=1000, description="trainings that are decided on together")
    finalists: int = Field(3, ge=1, le=20, description="candidates trained again with fresh seeds")

    @field_validator("space")
    @classmethod
    def _check_space(cls, space: dict[str, Values]) -> dict[str, Values]:
        if not space:
            raise ValueError("give a range or a list of values for at least one parameter")
        if "patience" in space:
            raise ValueError("'patience' cannot be searched: the search itself stops hopeless trainings")
        return {name: _checked(name, values) for name, values in space.items()}

    @model_validator(mode="after")
    def _check_conditions(self) -> Self:
        for name in self.space:
            for other, allowed in self._condition(name).items():
                if other not in self.space:
                    searched = listing(list(self.space))
                    raise ValueError(f"{name}: when: {shown(other)} is not in the space: {searched}")
                if "epochs" in (name, other):
                    raise ValueError(f"{name}: when: 'epochs' are read from one training; leave them out")
                for each in allowed:
                    if not self._allows(other, each):
                        raise ValueError(f"{name}: when: {other} is never {shown(each)} in the space")
        self._order()
        return self

    def _order(self) -> list[str]:
        """List the parameters, each after those that its condition names."""
        ordered: list[str] = []
        while left := [name for name in self.space if name not in ordered]:
            ready = [name for name in left if self._condition(name).keys() <= set(ordered)]
            if not ready:
                raise ValueError(f"when: {listing(left)} depend on each other; take one 'when' away")
            ordered.append(ready[0])
        return ordered

    def _condition(self, name: str) -> Condition:
        values = self.space.get(name)
        return values.when if isinstance(values, _Conditional) else {}

    def searches(self, name: str, values: Mapping[str, Any]) -> bool:
        """Say whether a parameter is searched in a candidate that has these values."""
        condition = self._condition(name)
        return name in self.space and all(values[other] in each for other, each in condition.items())

    def values_of(self, name: str) -> Range | Choices:
        """Return the values to try of a parameter."""
        values = self.space[name]
        return values.values if isinstance(values, Options) else values

    def choose(
        self, baseline: Setting, choice: Callable[[str, Range | Choices, bool], Any]
    ) -> dict[str, Any]:
        """Choose values of the parameters that are searched, of all but the epochs.

        Args:
            baseline: The setting whose values the other parameters keep.
            choice: Called with a parameter's name, the values to try, and whether they are whole numbers.
        """
        chosen: dict[str, Any] = {}
        for name in self._order():
            if name != "epochs" and self.searches(name, baseline.values | chosen):
                kept = baseline.values[name]
                is_whole = isinstance(kept, int) and not isinstance(kept, bool)
                chosen[name] = choice(name, self.values_of(name), is_whole)
        return chosen

    @model_validator(mode="after")
    def _check_budget(self) -> Self:
        if (self.trainings is None) == (self.minutes is None):
            raise ValueError("give 'trainings' or 'minutes' as the budget, one of them")
        return self

    def budgets(self, baseline: Setting) -> tuple[int, ...]:
        """List the numbers of epochs a setting may have, fewest first."""
        epochs = self.values_of("epochs") if "epochs" in self.space else (baseline.epochs,)
        if isinstance(epochs, Range):
            return tuple(range(int(epochs.low), int(epochs.high) + 1, int(epochs.step or 1)))
        return tuple(sorted(int(each) for each in epochs))

    def contains(self, hyperparameters: Hyperparameters, baseline: Setting) -> bool:
        """Say whether the search could have found these hyperparameters."""
        values = hyperparameters.values
        return all(
            self._allows(name, value) if self.searches(name, values) else value == baseline.values[name]
            for name, value in values.items()
        )

    def _allows(self, name: str, value: Any) -> bool:
        values = self.values_of(name)
        if not isinstance(values, Range):
            return value in values
        if isinstance(value, str):
            return False
        steps = 0.0 if values.step is None else (value - values.low) / values.step
        return bool(values.low <= value <= values.high) and abs(steps - round(steps)) < 1e-6

    def draw(self, baseline: Setting, random: Random) -> Setting:
        """Draw a setting of the space, each value equally likely, with the most epochs it may have."""
        values = self.choose(baseline, lambda _, each, is_whole: _draw(each, random, is_whole))
        return baseline.with_changes({**values, "epochs": self.budgets(baseline)[-1], "patience": None})


def rungs_to(longest: int) -> tuple[int, ...]:
    """List the epochs after which we decide whether a training continues; the last is the longest.

    They begin at a sixth of the longest and grow by `REDUCTION`: 3, 9, 20 of 20. A start at a ninth, by
    three steps of `REDUCTION`, always stopped dropout and many units, which learn slowly, whatever their
    final accuracy (2, 6, 20 epochs, seen on 50,000 images).
    """
    rungs = [max(1, longest // _FIRST_RUNG)]
    while rungs[-1] * REDUCTION * 2 <= longest:
        rungs.append(rungs[-1] * REDUCTION)
    return (*(each for each in rungs if each < longest), longest)


def expected_epochs(rungs: Sequence[int]) -> float:
    """Return a candidate's mean epochs if one in `REDUCTION` passes each rung."""
    steps = zip(rungs, (0, *rungs), strict=False)
    return math.fsum((rung - before) / REDUCTION**number for number, (rung, before) in enumerate(steps))


def _checked(name: str, values: Any) -> Any:
    """Return the values of a parameter, checked.

    Raises:
        ValueError: the parameter may not have a value, or no parameter has the name.
    """
    if isinstance(values, Options):
        return values.model_copy(update={"values": _checked(name, values.values)})
    if isinstance(values, Range):
        ends = [check_changes({name: end})[name] for end in (values.low, values.high)]
        if any(isinstance(end, str | bool) for end in ends):
            raise ValueError(f"{name}: a range of words; give a list")
        if isinstance(ends[0], int) and values.step is not None and values.step % 1:
            raise ValueError(f"{name}: step={values.step:g}; a whole number is needed")
        return values
    return check_list(name, values)


def _draw(values: Range | Choices, random: Random, is_whole: bool) -> Any:
    if not isinstance(values, Range):
        return random.choice(values)
    low, high = (math.log(values.low), math.log(values.high)) if values.log else (values.low, values.high)
    number = random.uniform(low, high)
    number = math.exp(number) if values.log else number
    return round(number) if is_whole else number


class ImagesExercise(ExerciseBase):
    """Draw the first nine training images."""

    kind: Literal["images"]


class OptimumExercise(ExerciseBase):
    """Train named candidates and the combination of each sweep's best value; keep the best on validation."""

    kind: Literal["optimum"]
    repeats: int = Field(1, ge=1, le=1000)
    candidates: dict[str, dict[str, Value]] = Field(default_factory=dict)
    combine: tuple[int, ...] = Field((), description="numbers of the sweeps whose best values are combined")
    variants: dict[str, dict[str, Value]] = Field(
        default_factory=dict, description="changes to the combination; each is a further candidate"
    )
    search: Search | None = Field(None, description="ranges to search, beyond the values that were swept")
    note: str = Field("", description="what the candidates assume; shown below the answer in the report")

    @field_validator("candidates", "variants")
    @classmethod
    def _check_candidates(cls, candidates: dict[str, dict[str, Value]]) -> dict[str, dict[str, Value]]:
        if "combination" in candidates:
            raise ValueError("'combination' is the name of the combined best values; choose another name")
        taken = [name for name in candidates if "finalist" in name]
        if taken:
            raise ValueError(f"{shown(taken[0])} is like the names of a search's finalists; choose another")
        wrong = [name for name in candidates if not (name.isprintable() and 0 < len(name) <= 60)]
        if wrong:
            raise ValueError(f"{shown(wrong[0])} is no name; give 1 to 60 characters that can be printed")
        return {name: check_changes(changes) for name, changes in candidates.items()}

    @model_validator(mode="after")
    def _check_not_empty(self) -> Self:
        if not self.candidates and not self.combine and self.search is None:
            raise ValueError("give at least one of 'candidates', 'combine' and 'search'")
        if self.variants and not self.combine:
            raise ValueError("variants: they change the combination; give 'combine', too")
        twice = [name for name in self.variants if name in self.candidates]
        if twice:
            raise ValueError(f"variants: {shown(twice[0])} is a candidate's name, too; choose another name")
        return self

    @model_validator(mode="after")
    def _check_search(self) -> Self:
        if self.search is not None and self.repeats < MIN_REPEATS:
            raise ValueError(
                f"repeats={self.repeats} with 'search'; what it finds is trained again with at least "
                f"{MIN_REPEATS} fresh seeds, as the readings of the search itself are the luckiest of many"
            )
        return self

    @property
    def combinations(self) -> dict[str, dict[str, Value]]:
        """Return the combination and its variants by name, with what each changes of it."""
        return {"combination": {}, **self.variants} if self.combine else {}

    @property
    def trial_count(self) -> int:
        """Count the trials it needs, with those of the combination and of the most finalists."""
        finalists = self.search.finalists + 1 if self.search else 0
        return self.repeats * (len(self.candidates) + len(self.combinations) + finalists)


class ModelExercise(ExerciseBase):
    """Save the model that the optimum exercise chose, reload it, classify a new image."""

    kind: Literal["model"]
    file_name: str = Field("Fashion_MNIST_model", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    new_image: int = Field(0, ge=0, lt=TEST_COUNT, description="index of the test image to classify")


def _form(values: Any) -> str | None:
    """Return the kind of an exercise, of a sweep also its form: the model that its errors speak of."""
    given = values if isinstance(values, dict) else getattr(values, "__dict__", {})
    kind = given.get("kind")
    if kind == "sweep":
        return next((f"sweep.{form}" for form in ("grid", "zip") if form in given), "sweep")
    return None if kind is None else str(kind)


Exercise = Annotated[
    Annotated[ImagesExercise, Tag("images")]
    | Annotated[ParameterSweep, Tag("sweep")]
    | Annotated[GridSweep, Tag("sweep.grid")]
    | Annotated[ZipSweep, Tag("sweep.zip")]
    | Annotated[OptimumExercise, Tag("optimum")]
    | Annotated[ModelExercise, Tag("model")],
    Discriminator(_form),
]
