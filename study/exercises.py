"""The kinds of exercises a study may have, checked where they are made."""

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from study.fact import Fact
from study.fashion_mnist import TEST_COUNT
from study.search import FEWEST_REPEATS, Search
from study.setting import Setting, check_changes
from study.wording import shown


class ExerciseBase(Fact):
    """What every exercise has."""

    number: int = Field(ge=1, le=99)
    title: str = Field(min_length=1)
    question: str = Field(min_length=1)


class ImagesExercise(ExerciseBase):
    """Draw the first nine training images."""

    kind: Literal["images"]


class SweepExercise(ExerciseBase):
    """Vary one parameter, hold the rest at the baseline, repeat each setting with fresh seeds."""

    kind: Literal["sweep"]
    parameter: str
    values: tuple[float, ...] = Field(min_length=1)
    repeats: int = Field(ge=1, le=1000)
    fixed: dict[str, int | float | str] = Field(default_factory=dict, description="changes to the baseline")

    @field_validator("fixed")
    @classmethod
    def _check_fixed(cls, fixed: dict[str, int | float | str]) -> dict[str, int | float | str]:
        return check_changes(fixed)

    @model_validator(mode="after")
    def _check_values(self) -> Self:
        for value in self.values:
            check_changes({self.parameter: value})
        twice = [value for value, count in Counter(self.values).items() if count > 1]
        if twice:
            raise ValueError(f"values: {twice[0]:g} is listed twice; each value once")
        if self.parameter in self.fixed:
            raise ValueError(f"fixed: {self.parameter!r} is what this exercise varies; leave it out")
        return self

    @property
    def trial_count(self) -> int:
        """The trials it asks for."""
        return self.repeats * len(self.values)

    def reads_prefixes(self, baseline: Setting) -> bool:
        """Return whether the settings, two or more, differ only in how much of the same trainings they read.

        Few epochs are the beginning of many, but not where a schedule is stretched over them.
        """
        settings = self.settings(baseline).values()
        is_budget = self.parameter == "epochs" and len(settings) > 1
        return is_budget and all(each.schedule_epochs is None for each in settings)

    def settings(self, baseline: Setting) -> dict[float, Setting]:
        """The setting of each value, in the order of the study."""
        held = baseline.with_changes(self.fixed)
        return {value: held.with_changes({self.parameter: value}) for value in self.values}


class OptimumExercise(ExerciseBase):
    """Train named candidates and the combination of each sweep's best value; keep the best on validation."""

    kind: Literal["optimum"]
    repeats: int = Field(1, ge=1, le=1000)
    candidates: dict[str, dict[str, int | float | str]] = Field(default_factory=dict)
    combine: tuple[int, ...] = Field((), description="numbers of the sweeps whose best values are combined")
    search: Search | None = Field(None, description="ranges to search, beyond the values that were swept")

    @field_validator("candidates")
    @classmethod
    def _check_candidates(
        cls, candidates: dict[str, dict[str, int | float | str]]
    ) -> dict[str, dict[str, int | float | str]]:
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
        return self

    @model_validator(mode="after")
    def _check_search(self) -> Self:
        if self.search is not None and self.repeats < FEWEST_REPEATS:
            raise ValueError(
                f"repeats={self.repeats} with 'search'; what it finds is trained again with at least "
                f"{FEWEST_REPEATS} fresh seeds, as the readings of the search itself are the luckiest of many"
            )
        return self

    @property
    def trial_count(self) -> int:
        """The trials it asks for, those of the combination and at most so many finalists included."""
        finalists = self.search.finalists + 1 if self.search else 0
        return self.repeats * (len(self.candidates) + bool(self.combine) + finalists)


class ModelExercise(ExerciseBase):
    """Save the model that the optimum exercise chose, reload it, classify a new image."""

    kind: Literal["model"]
    file_name: str = Field("Fashion_MNIST_model", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    new_image: int = Field(0, ge=0, lt=TEST_COUNT, description="index of the test image to classify")


Exercise = Annotated[
    ImagesExercise | SweepExercise | OptimumExercise | ModelExercise, Field(discriminator="kind")
]
