"""Define a study: settings, exercises, protocol and data, checked where they are made."""

from collections import Counter
from typing import Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, ValidationInfo, model_validator

from study.fact import Fact
from study.spec.data import DataSlice
from study.spec.exercises import Exercise, ImagesExercise, ModelExercise, OptimumExercise
from study.spec.network import Network
from study.spec.published import PublishedSource
from study.spec.setting import Setting, reading_for
from study.spec.sweeps import SweepExercise

Protocol = Literal["lab", "held-out"]
"""How accuracy is read: `lab` validates on the test images (as the published readings did);
`held-out` sets a stratified part of the training images aside and keeps test data out of every choice."""

EngineName = Literal["native", "tensorflow", "keras"]
"""The program that trains: compiled code of our own on CPU cores, the same steps in TensorFlow, or a network
and an optimizer of Keras, which is more general and slower."""

MAX_TRIALS = 100_000
"""The most trials of a study: a thousand times the lab study's; planning more would take minutes."""

FRESH_SEEDS = 10_000
"""The distance of fresh seeds above the others: more than the most repeats of an exercise."""

NARROWED = {"narrowed": True}
"""Validation context of a study that was checked as a whole and reduced to some of its exercises."""


class Study(Fact):
    """A named set of exercises, a protocol, the data and the seeds."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    title: str = Field(min_length=1)
    protocol: Protocol = "lab"
    seed: int = Field(1, ge=0, le=1_000_000, description="seed of the first repeat; the next ones count up")
    data: DataSlice = DataSlice()
    model: Network | None = Field(None, description="a network of one's own; None: the lab's")
    baseline: Setting = Field(default_factory=Setting)
    target_accuracy: float = Field(0.88, gt=0, lt=1, description="on validation; trainings are timed to it")
    exercises: tuple[Exercise, ...]
    published: PublishedSource | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _know_network(cls, values: Any, handler: ModelWrapValidatorHandler["Study"]) -> "Study":
        """Read the settings with the hyperparameters of the study's network."""
        given = values.get("model") if isinstance(values, dict) else None
        network = Network.model_validate(given) if isinstance(given, dict | Network) else None
        with reading_for(network):
            return handler(values)

    @model_validator(mode="after")
    def _check_network(self) -> Self:
        if self.model is None and self.baseline.network_parameters:
            raise ValueError("baseline: network_parameters belong to a network of one's own; see 'model'")
        return self

    @model_validator(mode="after")
    def _check_exercises(self) -> Self:
        if not self.exercises:
            raise ValueError("exercises: the list is empty; give at least one exercise")
        numbers = Counter(exercise.number for exercise in self.exercises)
        twice = [number for number, count in numbers.items() if count > 1]
        if twice:
            raise ValueError(f"exercises: number {twice[0]} is used twice; each exercise has its own")
        for kind in ("images", "optimum", "model"):
            if sum(exercise.kind == kind for exercise in self.exercises) > 1:
                raise ValueError(f"exercises: kind {kind!r} is used twice; a study has at most one")
        if self.model_exercise is not None and self.optimum is None:
            raise ValueError(
                "exercises: the 'model' exercise saves what an 'optimum' exercise chose; add one"
            )
        is_known = not self.data.is_own or self.data.found is not None
        if is_known and self.protocol == "held-out" and self.data.held_out_images >= self.data.train_images:
            raise ValueError(
                f"data: held_out_images={self.data.held_out_images} leaves nothing of "
                f"train_images={self.data.train_images} to train on; it must be smaller"
            )
        return self

    @model_validator(mode="after")
    def _check_search(self) -> Self:
        if self.optimum is not None and self.optimum.search is not None and self.protocol == "lab":
            raise ValueError(
                f"exercises: the 'search' of exercise {self.optimum.number} chooses on validation, which in "
                "protocol 'lab' is the test set: what it finds would be fitted to the test; use 'held-out'"
            )
        return self

    @model_validator(mode="after")
    def _check_trials(self) -> Self:
        asked = [each for each in (*self.sweeps, self.optimum) if each is not None]
        trials = sum(each.trial_count for each in asked)
        if trials > MAX_TRIALS:
            most = max(asked, key=lambda each: each.trial_count)
            raise ValueError(
                f"exercises: they ask for {trials:,} trials, {most.trial_count:,} of them in exercise "
                f"{most.number}; at most {MAX_TRIALS:,} are allowed: give fewer values or repeats"
            )
        return self

    @model_validator(mode="after")
    def _check_combined(self, info: ValidationInfo) -> Self:
        if self.optimum is None or info.context == NARROWED:
            return self
        sweeps = [sweep.number for sweep in self.sweeps]
        unknown = [number for number in self.optimum.combine if number not in sweeps]
        if unknown:
            allowed = ", ".join(map(str, sweeps)) or "none, as the study has no sweep"
            raise ValueError(
                f"exercises: the 'optimum' exercise combines {unknown[0]}, "
                f"which is not a sweep of the study; allowed: {allowed}"
            )
        return self

    @property
    def sweeps(self) -> tuple[SweepExercise, ...]:
        """Return the exercises that vary parameters, in the order of the study."""
        return tuple(exercise for exercise in self.exercises if isinstance(exercise, SweepExercise))

    @property
    def images(self) -> ImagesExercise | None:
        """Return the exercise that draws images, if the study has one."""
        return next((each for each in self.exercises if isinstance(each, ImagesExercise)), None)

    @property
    def optimum(self) -> OptimumExercise | None:
        """Return the exercise that looks for the optimum, if the study has one."""
        return next((each for each in self.exercises if isinstance(each, OptimumExercise)), None)

    @property
    def combined_sweeps(self) -> tuple[SweepExercise, ...]:
        """Return the sweeps whose best values the optimum exercise combines, as far as the study has them."""
        numbers = self.optimum.combine if self.optimum else ()
        return tuple(sweep for sweep in self.sweeps if sweep.number in numbers)

    @property
    def model_exercise(self) -> ModelExercise | None:
        """Return the exercise that saves the model, if the study has one."""
        return next((each for each in self.exercises if isinstance(each, ModelExercise)), None)

    def seed_of(self, repeat: int) -> int:
        """Return the seed of a repeat (from 1): the same for every setting, different for every repeat.

        Settings share seeds so that equal settings of different exercises share a training, and so that
        settings can be compared pairwise.
        """
        return self.seed + repeat - 1

    def fresh_seed_of(self, repeat: int) -> int:
        """Return the seed of a repeat (from 1) of a search's finalist: no sweep and no search has it."""
        return self.seed_of(repeat) + FRESH_SEEDS

    def only(self, numbers: frozenset[int]) -> "Study":
        """Return this study with some of its exercises.

        Raises:
            ValueError: a number is not in the study, or an exercise is chosen without one it needs.
        """
        known = {exercise.number for exercise in self.exercises}
        unknown = sorted(numbers - known)
        if unknown:
            allowed = ", ".join(map(str, sorted(known)))
            raise ValueError(f"exercise {unknown[0]} is not in study {self.name!r}; it has {allowed}")
        chosen = [each for each in self.exercises if each.number in numbers]
        return Study.model_validate({**dict(self), "exercises": chosen}, context=NARROWED)
