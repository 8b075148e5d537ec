"""What a study asks: settings, exercises, protocol and data, checked where they are made."""

from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from study.fact import Fact
from study.fashion_mnist import IMAGE_SIDE, TEST_COUNT, TRAIN_COUNT
from study.published import PublishedSource
from study.wording import shown

Protocol = Literal["lab", "held-out"]
"""How accuracy is read: `lab` validates on the test images (as the published readings did);
`held-out` sets a stratified part of the training images aside and keeps test data out of every choice."""

EngineName = Literal["native", "tensorflow"]
"""What trains: compiled code of our own on CPU cores, or TensorFlow."""

Schedule = Literal["constant", "cosine"]
"""How the learning rate changes from epoch to epoch, see `study.schedule`."""

MOST_TRIALS = 100_000
"""The most a study may ask for: a thousand times the lab study; planning more would take minutes."""

NARROWED = {"narrowed": True}
"""Validation context of a study that was checked as a whole and has lost some of its exercises."""


class Hyperparameters(Fact):
    """What, with a seed, a protocol and the data, decides the weights after each epoch.

    The defaults are the published protocol: Conv2D(32, 3x3) - MaxPooling2D - Dense(16) - Dense(10), SGD.
    """

    filters: int = Field(32, ge=1, le=1024, description="filters of the convolution")
    kernel_size: int = Field(3, ge=1, le=IMAGE_SIDE - 1, description="side of the square kernel, pixels")
    dense_units: int = Field(16, ge=1, le=8192, description="units of the hidden dense layer")
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="fraction dropped after the pooling")
    learning_rate: float = Field(0.01, gt=0.0, le=10.0, description="SGD learning rate of the first epoch")
    momentum: float = Field(0.9, ge=0.0, lt=1.0, description="SGD momentum")
    batch_size: int = Field(32, ge=1, le=10_000, description="images a step")
    schedule: Schedule = Field("constant", description="how the learning rate changes over the epochs")


class Setting(Hyperparameters):
    """Hyperparameters and how long to train: everything a trial needs but its seed."""

    epochs: int = Field(5, ge=1, le=1000, description="most epochs to train")
    patience: int | None = Field(
        None, ge=1, le=1000, description="early stopping: epochs without a lower validation loss"
    )

    @property
    def hyperparameters(self) -> Hyperparameters:
        """The part that decides the weights after each epoch."""
        return Hyperparameters(**{name: getattr(self, name) for name in Hyperparameters.model_fields})

    @property
    def schedule_epochs(self) -> int | None:
        """The epoch budget that the schedule is stretched over, if it is not constant in time.

        Such a training is no prefix of one with a larger budget: the budget decides its weights.
        """
        return None if self.schedule == "constant" else self.epochs

    def with_changes(self, changes: dict[str, Any]) -> "Setting":
        """Return this setting with some values replaced, checked again."""
        return Setting(**{**self.model_dump(), **changes})


def check_changes(changes: dict[str, Any]) -> dict[str, Any]:
    """Check values for some of a setting's parameters, by name, and return them with their types.

    Raises:
        ValueError: a name is not a parameter, or a value is out of its range.
    """
    for name in changes:
        if name not in Setting.model_fields:
            raise ValueError(f"{name!r} is not a parameter; allowed: {', '.join(Setting.model_fields)}")
    try:
        checked = Setting(**changes)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{first['loc'][0]}={shown(first['input'])}: {first['msg']}") from error
    return {name: getattr(checked, name) for name in changes}


class DataSlice(Fact):
    """How many images the study uses: the first ones, in the order of the dataset's files."""

    train_images: int = Field(TRAIN_COUNT, ge=100, le=TRAIN_COUNT)
    test_images: int = Field(TEST_COUNT, ge=100, le=TEST_COUNT)
    held_out_images: int = Field(10_000, ge=10, lt=TRAIN_COUNT, description="validation, held-out protocol")


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

    @property
    def is_paired(self) -> bool:
        """Whether its settings read the same trainings, as few epochs are the beginning of many."""
        return self.parameter == "epochs"

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

    @field_validator("candidates")
    @classmethod
    def _check_candidates(
        cls, candidates: dict[str, dict[str, int | float | str]]
    ) -> dict[str, dict[str, int | float | str]]:
        if "combination" in candidates:
            raise ValueError("'combination' is the name of the combined best values; choose another name")
        wrong = [name for name in candidates if not (name.isprintable() and 0 < len(name) <= 60)]
        if wrong:
            raise ValueError(f"{shown(wrong[0])} is no name; give 1 to 60 characters that can be printed")
        return {name: check_changes(changes) for name, changes in candidates.items()}

    @model_validator(mode="after")
    def _check_not_empty(self) -> Self:
        if not self.candidates and not self.combine:
            raise ValueError("give at least one of 'candidates' and 'combine'")
        return self

    @property
    def trial_count(self) -> int:
        """The trials it asks for, those of the combination included."""
        return self.repeats * (len(self.candidates) + bool(self.combine))


class ModelExercise(ExerciseBase):
    """Save the model that the optimum exercise chose, reload it, classify a new image."""

    kind: Literal["model"]
    file_name: str = Field("Fashion_MNIST_model", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    new_image: int = Field(0, ge=0, lt=TEST_COUNT, description="index of the test image to classify")


Exercise = Annotated[
    ImagesExercise | SweepExercise | OptimumExercise | ModelExercise, Field(discriminator="kind")
]


class Study(Fact):
    """A named set of exercises, a protocol, the data and the seeds."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    title: str = Field(min_length=1)
    protocol: Protocol = "lab"
    seed: int = Field(1, ge=0, le=1_000_000, description="seed of the first repeat; the next ones count up")
    data: DataSlice = DataSlice()
    baseline: Setting = Setting()
    target_accuracy: float = Field(0.88, gt=0, lt=1, description="on validation; trainings are timed to it")
    exercises: tuple[Exercise, ...]
    published: PublishedSource | None = None

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
        if self.model is not None and self.optimum is None:
            raise ValueError(
                "exercises: the 'model' exercise saves what an 'optimum' exercise chose; add one"
            )
        if self.protocol == "held-out" and self.data.held_out_images >= self.data.train_images:
            raise ValueError(
                f"data: held_out_images={self.data.held_out_images} leaves nothing of "
                f"train_images={self.data.train_images} to train on; it must be smaller"
            )
        return self

    @model_validator(mode="after")
    def _check_trials(self) -> Self:
        asked = [each for each in (*self.sweeps, self.optimum) if each is not None]
        trials = sum(each.trial_count for each in asked)
        if trials > MOST_TRIALS:
            most = max(asked, key=lambda each: each.trial_count)
            raise ValueError(
                f"exercises: they ask for {trials:,} trials, {most.trial_count:,} of them in exercise "
                f"{most.number}; at most {MOST_TRIALS:,} are allowed: give fewer values or repeats"
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
        """The exercises that vary one parameter, in the order of the study."""
        return tuple(exercise for exercise in self.exercises if isinstance(exercise, SweepExercise))

    @property
    def images(self) -> ImagesExercise | None:
        """The exercise that draws images, if the study has one."""
        return next((each for each in self.exercises if isinstance(each, ImagesExercise)), None)

    @property
    def optimum(self) -> OptimumExercise | None:
        """The exercise that looks for the optimum, if the study has one."""
        return next((each for each in self.exercises if isinstance(each, OptimumExercise)), None)

    @property
    def combined_sweeps(self) -> tuple[SweepExercise, ...]:
        """The sweeps whose best values the optimum exercise combines, as far as the study has them."""
        numbers = self.optimum.combine if self.optimum else ()
        return tuple(sweep for sweep in self.sweeps if sweep.number in numbers)

    @property
    def model(self) -> ModelExercise | None:
        """The exercise that saves the model, if the study has one."""
        return next((each for each in self.exercises if isinstance(each, ModelExercise)), None)

    def seed_of(self, repeat: int) -> int:
        """The seed of a repeat (counted from 1): the same for every setting, different for every repeat.

        Settings share seeds so that equal settings of different exercises share a training, and so that
        settings can be compared pairwise.
        """
        return self.seed + repeat - 1

    def only(self, numbers: frozenset[int]) -> "Study":
        """This study with some of its exercises.

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
