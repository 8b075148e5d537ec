"""What a training will cost: seconds and bytes from its hyperparameters, corrected by what was measured.

The formula counts the operations of a step and charges each kind at a rate. Its rates are of one machine;
what was measured on the machine at hand (a few steps, or whole trainings of earlier runs) corrects it: by the
machine's overall speed, and for each shape by what was measured of shapes like it.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from pydantic import Field

from study.fact import Fact
from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from study.spec import Hyperparameters

# Rates of one thread of an AMD EPYC (105 GFLOP/s), non-negative least squares of relative errors over the
# shapes of the lab study and their neighbours: `benchmarks/cost_model.py` measures and fits them.
TRAIN_RATES = {
    "step": 5.9e-4,
    "convolution": 3.6e-11,
    "activation": 1.6e-9,
    "dense": 9.3e-11,
    "dropout": 8.1e-9,
    "parameter": 1.4e-9,
}
"""Seconds for each step, multiply-add, activation, dropped activation and updated parameter in training."""

EVALUATION_RATES = {"convolution": 1.7e-11, "activation": 8.5e-10, "dense": 2.0e-11}
"""Seconds for each multiply-add and activation in evaluation."""

STARTUP_SECONDS = 0.5
"""Beginning a training: building the model, compiling where the shape is new, saving. Measured on `lab`."""

LANE_BYTES = 1_200_000_000
"""A lane's memory beside what a training needs: TensorFlow, the images, shapes compiled before. Measured:
0.9 GB with the smallest shape alone, and what is kept of earlier shapes in a run of `lab`."""

EVALUATION_BATCH = 1000
"""Images evaluated at once: bounds the memory of the activations; does not change the result's meaning."""

CALIBRATED_SPREAD, UNCALIBRATED_SPREAD = 0.1, 0.5
"""Standard deviation of the logarithm of actual over predicted seconds common to a whole run: with
measurements of the machine at hand (the first run of `lab` predicted from them took 0.11 more), and without
(a guess: machines in use differ by a factor of two or three)."""

KNOWN_SPREAD, UNKNOWN_SPREAD = 0.07, 0.2
"""The same for one training: where its shape was measured, between trainings of one shape in a run of `lab`;
where it was not, the error of the corrected formula in `benchmarks/cost_model.py`."""


@dataclass(frozen=True)
class Shape:
    """What decides the cost of a training step."""

    filters: int
    kernel_size: int
    dense_units: int
    batch_size: int
    dropout: bool

    @classmethod
    def of(cls, hyperparameters: Hyperparameters) -> "Shape":
        """The shape of these hyperparameters."""
        h = hyperparameters
        return cls(h.filters, h.kernel_size, h.dense_units, h.batch_size, h.dropout > 0)

    @cached_property
    def operations(self) -> dict[str, float]:
        """Operations a training or evaluation of one image takes, by kind."""
        rows = IMAGE_SIDE - self.kernel_size + 1
        pooled = _pooled_units(self.filters, self.kernel_size)
        classes = len(CLASS_NAMES)
        parameters = self.kernel_size**2 * self.filters + (pooled + classes) * self.dense_units
        return {
            "step": 1 / self.batch_size,
            "convolution": rows**2 * self.kernel_size**2 * self.filters,
            "activation": rows**2 * self.filters,
            "dense": (pooled + classes) * self.dense_units,
            "dropout": pooled if self.dropout else 0,
            "parameter": parameters / self.batch_size,
        }

    def distance(self, other: "Shape") -> float:
        """How unlike two shapes are: doublings of their parameters, and 2 for dropout in one only."""
        pairs = [
            (self.filters, other.filters),
            (self.kernel_size, other.kernel_size),
            (self.dense_units, other.dense_units),
            (self.batch_size, other.batch_size),
        ]
        doublings = [math.log2(one / two) for one, two in pairs]
        return math.hypot(*doublings, 2.0 * (self.dropout != other.dropout))


class Speed(Fact):
    """Seconds an image takes in training and in evaluation, as measured for one shape on one machine."""

    hyperparameters: Hyperparameters
    train_seconds: float = Field(gt=0)
    evaluation_seconds: float = Field(gt=0)


@dataclass(frozen=True)
class Amount:
    """How much one epoch computes: images trained on, and images evaluated after it."""

    train_images: int
    evaluation_images: int


class CostModel:
    """Predicts from what was measured; without measurements, from the formula's own rates."""

    def __init__(self, measured: Iterable[Speed] = (), recorded: Iterable[Speed] = ()) -> None:
        """Take measurements of a few steps, and whole trainings of earlier runs, which count for more."""
        self._train = _Rates(TRAIN_RATES, _by_shape(measured, recorded, "train_seconds"))
        self._evaluation = _Rates(EVALUATION_RATES, _by_shape(measured, recorded, "evaluation_seconds"))

    @property
    def is_calibrated(self) -> bool:
        """Whether anything was measured on this machine."""
        return bool(self._train.observed)

    def knows(self, hyperparameters: Hyperparameters) -> bool:
        """Whether just this shape was measured."""
        return Shape.of(hyperparameters) in self._train.observed

    def epoch_seconds(self, hyperparameters: Hyperparameters, amount: Amount) -> float:
        """Seconds of a lane for one epoch with its evaluation."""
        shape = Shape.of(hyperparameters)
        return amount.train_images * self._train.seconds(
            shape
        ) + amount.evaluation_images * self._evaluation.seconds(shape)

    def spread(self, hyperparameters: Hyperparameters) -> float:
        """Standard deviation of the logarithm of actual over predicted seconds of one training."""
        return KNOWN_SPREAD if self.knows(hyperparameters) else UNKNOWN_SPREAD

    @property
    def common_spread(self) -> float:
        """The same for a whole run: an error that all its trainings share."""
        return CALIBRATED_SPREAD if self.is_calibrated else UNCALIBRATED_SPREAD


class _Rates:
    """Seconds an image: the formula, times what was measured over the formula for shapes like it."""

    def __init__(self, rates: Mapping[str, float], observed: Mapping[Shape, float]) -> None:
        self.observed = observed
        self._rates = rates
        self._errors = {
            shape: math.log(seconds / self._formula(shape)) for shape, seconds in observed.items()
        }
        self._common = median(self._errors.values()) if self._errors else 0.0

    def seconds(self, shape: Shape) -> float:
        if shape in self.observed:
            return self.observed[shape]
        weights = {other: math.exp(-(shape.distance(other) ** 2)) for other in self._errors}
        excess = sum(weight * (self._errors[other] - self._common) for other, weight in weights.items())
        # The constant draws a shape that is like none towards the common error.
        return self._formula(shape) * math.exp(self._common + excess / (sum(weights.values()) + 0.1))

    def _formula(self, shape: Shape) -> float:
        return sum(rate * shape.operations[kind] for kind, rate in self._rates.items())


def pooled_units(hyperparameters: Hyperparameters) -> int:
    """Numbers of one image after the pooling, flattened: what the dense layer reads."""
    return _pooled_units(hyperparameters.filters, hyperparameters.kernel_size)


def _pooled_units(filters: int, kernel_size: int) -> int:
    return ((IMAGE_SIDE - kernel_size + 1) // 2) ** 2 * filters


def multiply_adds(hyperparameters: Hyperparameters) -> int:
    """Multiply-adds of one forward pass of one image: convolution and the two dense layers."""
    operations = Shape.of(hyperparameters).operations
    return int(operations["convolution"] + operations["dense"])


def peak_bytes(hyperparameters: Hyperparameters) -> int:
    """Memory a lane needs at most: TensorFlow and the images, activations of an evaluation, parameters.

    Four copies of an evaluated batch's activations at once (the largest lane of `lab` held 2.55 GB, this
    gives 2.6); weights, gradients, momenta and copies to be saved are each as large as the parameters. Four
    bytes a number.
    """
    operations = Shape.of(hyperparameters).operations
    activations = 4 * operations["activation"] * max(EVALUATION_BATCH, hyperparameters.batch_size)
    parameters = 6 * operations["parameter"] * hyperparameters.batch_size
    return LANE_BYTES + int(4 * (activations + parameters))


def _by_shape(measured: Iterable[Speed], recorded: Iterable[Speed], name: str) -> dict[Shape, float]:
    def gather(speeds: Iterable[Speed]) -> dict[Shape, float]:
        values: dict[Shape, list[float]] = defaultdict(list)
        for speed in speeds:
            values[Shape.of(speed.hyperparameters)].append(getattr(speed, name))
        return {shape: median(each) for shape, each in values.items()}

    return gather(measured) | gather(recorded)


def list_shapes(hyperparameters: Sequence[Hyperparameters]) -> list[Hyperparameters]:
    """One of each shape, in their order."""
    return list({Shape.of(each): each for each in reversed(hyperparameters)}.values())[::-1]
