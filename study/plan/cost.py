"""Predict a training's cost: seconds and bytes from its hyperparameters, corrected by measurements.

The formula counts the operations of a step and charges each kind at a rate. Its rates are of one machine.
Measurements on the machine at hand (a few steps, or whole trainings of earlier runs) correct it: by the
machine's overall speed, and for each shape by the measurements of similar shapes.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import median
from types import MappingProxyType

from pydantic import Field

from study.fact import Fact
from study.fashion_mnist import FASHION_IMAGES, TRAIN_COUNT
from study.image_facts import ImageFacts
from study.plan.network_sizes import Sizes, network_of, unlike
from study.records import NetworkSize
from study.spec import EngineName, Hyperparameters, Value


@dataclass(frozen=True)
class EngineCost:
    """The cost of an engine's operations on one thread: seconds each, by kind, in training and evaluation.

    Non-negative least squares of relative errors over the shapes of the lab study and their neighbours, on an
    AMD EPYC: `benchmarks/cost_model.py` measures and fits them. Of augmentation the copying alone: 45 to 53
    ms for 60,000 images, and for TensorFlow once more; it is lost in the noise of whole epochs.
    """

    train: Mapping[str, float]
    evaluation: Mapping[str, float]
    lanes_seconds: float
    """From the forecast until the first lane trains, once a run. Measured on `smoke`."""
    startup_seconds: float
    """Beginning a training: compiling where the shape is new, saving. Measured on `lab`."""
    lane_bytes: int
    """A lane's memory in addition to a training's: libraries, images, earlier shapes. Measured on `lab`."""
    evaluated_at_once: int
    """Images whose activations before the pooling are in memory at once."""
    copies: int
    """Arrays as large as the parameters: weights, gradients, momenta and copies to be saved."""
    thread_gain: float = 0.0
    """The part of the first thread's work that each further thread adds. Measured by
    `benchmarks/threads.py` on the shapes that take long: two of 8 filters gain a third."""

    def threads_each(self, trainings: int, lanes: int) -> int:
        """Return the threads of each of some trainings that run together, which share idle lanes' cores."""
        return 1 if trainings == 0 or self.thread_gain == 0 else min(max(1, lanes // trainings), MAX_THREADS)

    def speedup(self, threads: int) -> float:
        """Return how many times faster a training is on this number of threads than on one."""
        return 1 + self.thread_gain * (threads - 1)


_FASHION_PIXELS = FASHION_IMAGES.height * FASHION_IMAGES.width

MAX_THREADS = 4
"""The most threads of a training. They share its pooled rows, 13 with a kernel of 3, whole: four wait for the
one that has four rows. The gain of two threads is measured, that of more is not."""


ENGINE_COSTS: dict[EngineName, EngineCost] = {
    "native": EngineCost(
        train={
            "step": 1.5e-7, "convolution": 4.7e-11, "activation": 0.0, "dense": 8.4e-11,
            "dropout": 2e-10, "parameter": 0.0, "augmentation": 8e-7,
        },
        evaluation={"convolution": 2.6e-11, "activation": 0.0, "dense": 2.5e-11},
        lanes_seconds=1.0,
        startup_seconds=0.05,
        lane_bytes=160_000_000,
        evaluated_at_once=0,
        copies=6,
        thread_gain=0.85,
    ),
    "tensorflow": EngineCost(
        train={
            "step": 5.9e-4, "convolution": 3.6e-11, "activation": 1.6e-9, "dense": 9.3e-11, "dropout": 8.1e-9,
            "parameter": 1.4e-9, "augmentation": 1.2e-6,
        },
        evaluation={"convolution": 1.7e-11, "activation": 8.5e-10, "dense": 2.0e-11},
        lanes_seconds=8.0,
        startup_seconds=0.5,
        lane_bytes=1_200_000_000,
        evaluated_at_once=1000,
        copies=6,
    ),
    "keras": EngineCost(
        train={
            "step": 9e-4, "convolution": 5.2e-11, "activation": 2.4e-9, "dense": 9.3e-11, "dropout": 8.1e-9,
            "parameter": 2.6e-9, "augmentation": 1.2e-6,
        },
        evaluation={"convolution": 1.7e-11, "activation": 1.2e-9, "dense": 2.0e-11},
        lanes_seconds=8.0,
        startup_seconds=2.0,
        lane_bytes=1_200_000_000,
        evaluated_at_once=1000,
        copies=7,
    ),
}  # fmt: skip

EVALUATION_BATCH = ENGINE_COSTS["tensorflow"].evaluated_at_once
"""Images that TensorFlow evaluates at once: limits the memory of activations, changes no result."""

CALIBRATED_SPREAD, UNCALIBRATED_SPREAD = 0.1, 0.5
"""Standard deviation of the logarithm of actual over predicted seconds common to a whole run: with
measurements of the machine at hand (the first run of `lab` predicted from them took 0.11 more), and without
(a guess: machines in use differ by a factor of two or three)."""

KNOWN_SPREAD, UNKNOWN_SPREAD = 0.07, 0.2
"""The same for one training: where its shape was measured, between trainings of one shape in a run of `lab`;
where it was not, the error of the corrected formula in `benchmarks/cost_model.py`."""


@dataclass(frozen=True)
class Shape:
    """The hyperparameters and sizes of images that decide the cost of a training step."""

    filters: int
    kernel_size: int
    dense_units: int
    batch_size: int
    dropout: bool
    augmented: bool
    sizes: tuple[int, int, int, int] = FASHION_IMAGES.sizes
    """Height, width, channels and classes of the images."""
    optimizer: str = "sgd"
    is_accelerated: bool = True
    own: tuple[tuple[str, Value], ...] = ()
    """Hyperparameters of a network of one's own."""
    size: NetworkSize | None = field(default=None, compare=False)
    """Of a network of one's own, if it has been counted."""

    @classmethod
    def of(
        cls,
        hyperparameters: Hyperparameters,
        images: ImageFacts = FASHION_IMAGES,
        size: NetworkSize | None = None,
    ) -> "Shape":
        """Return the shape of these hyperparameters for such images."""
        h = hyperparameters
        flags = h.dropout > 0, h.augmentation != "none"
        return cls(
            h.filters,
            h.kernel_size,
            h.dense_units,
            h.batch_size,
            *flags,
            images.sizes,
            h.optimizer,
            h.is_accelerated,
            h.network_parameters,
            size,
        )

    @cached_property
    def operations(self) -> dict[str, float]:
        """Count the operations of training or evaluating one image, by kind."""
        height, width, channels, classes = self.sizes
        augmented = height * width * channels / _FASHION_PIXELS if self.augmented else 0
        if self.size is not None:
            return {
                "step": 1 / self.batch_size,
                "convolution": self.size.multiply_adds,
                "activation": self.size.activations,
                "dense": 0,
                "dropout": 0,
                "parameter": self.size.parameters / self.batch_size,
                "augmentation": augmented,
            }
        places = (height - self.kernel_size + 1) * (width - self.kernel_size + 1)
        kernels = self.kernel_size**2 * channels * self.filters
        pooled = _pooled_units(self.kernel_size, self.filters, height, width)
        parameters = kernels + (pooled + classes) * self.dense_units
        return {
            "step": 1 / self.batch_size,
            "convolution": places * kernels,
            "activation": places * self.filters,
            "dense": (pooled + classes) * self.dense_units,
            "dropout": pooled if self.dropout else 0,
            "parameter": parameters / self.batch_size,
            "augmentation": augmented,
        }

    def distance(self, other: "Shape") -> float:
        """Return how unlike two shapes are: doublings of their parameters, and 2 for dropout in one only.

        One for another optimizer. Augmentation costs too little to make them unlike. Of networks of one's
        own, doublings of the multiply-adds and of the batch.
        """
        if self.size is not None and other.size is not None:
            work = self.size.multiply_adds / other.size.multiply_adds, self.batch_size / other.batch_size
            return math.hypot(*map(math.log2, work), float(self.optimizer != other.optimizer))
        names = ("filters", "kernel_size", "dense_units", "batch_size")
        doublings = [math.log2(getattr(self, name) / getattr(other, name)) for name in names]
        optimizers = (self.optimizer, self.is_accelerated) != (other.optimizer, other.is_accelerated)
        return math.hypot(*doublings, 2.0 * (self.dropout != other.dropout), float(optimizers))


class Speed(Fact):
    """Seconds an image takes in training and in evaluation, as measured for one shape on one machine."""

    hyperparameters: Hyperparameters
    train_seconds: float = Field(gt=0)
    evaluation_seconds: float = Field(gt=0)
    size: NetworkSize | None = Field(None, exclude_if=lambda size: size is None)
    """Of a network of one's own."""


@dataclass(frozen=True)
class Amount:
    """The work of one epoch: images trained on, and images evaluated after it."""

    train_images: int
    evaluation_images: int


class CostModel:
    """Predict cost from measurements; without them, from the formula's own rates."""

    def __init__(
        self,
        measured: Iterable[Speed] = (),
        recorded: Iterable[Speed] = (),
        engine: EngineName = "native",
        share_cores: bool = True,
        images: ImageFacts = FASHION_IMAGES,
        sizes: Sizes = MappingProxyType({}),
    ) -> None:
        """Take measurements of a few steps, and whole trainings of earlier runs, which count for more.

        All of them, and all predictions, are for images of one shape.
        """
        rates, self._images, self._sizes = ENGINE_COSTS[engine], images, sizes
        self.rates = rates if share_cores else replace(rates, thread_gain=0.0)
        measured, recorded = list(measured), list(recorded)
        self._train, self._evaluation = (
            _Rates(
                {name: getattr(ENGINE_COSTS[name], part) for name in (engine, "keras")},
                engine,
                self._gather(measured, recorded, f"{part}_seconds"),
            )
            for part in ("train", "evaluation")
        )

    def rates_of(self, hyperparameters: Hyperparameters) -> EngineCost:
        """Return the rates of the engine that trains these hyperparameters."""
        return self.rates if hyperparameters.is_accelerated else ENGINE_COSTS["keras"]

    @property
    def is_calibrated(self) -> bool:
        """Say whether anything was measured on this machine."""
        return bool(self._train.observed)

    def knows(self, hyperparameters: Hyperparameters) -> bool:
        """Say whether just this shape was measured."""
        return self._shape(hyperparameters) in self._train.observed

    def has_counted(self, hyperparameters: Hyperparameters) -> bool:
        """Say whether the size of just this network of one's own is known."""
        return network_of(hyperparameters) in self._sizes

    def size_of(self, hyperparameters: Hyperparameters) -> NetworkSize | None:
        """Return the size of a network of one's own; if it was not counted, that of the most similar one."""
        network = network_of(hyperparameters) if self._sizes else hyperparameters
        if network in self._sizes or not self._sizes:
            return self._sizes.get(network)
        return self._sizes[min(self._sizes, key=lambda each: unlike(network, each))]

    def peak_bytes(self, hyperparameters: Hyperparameters, engine: EngineName) -> int:
        """Return the most memory a lane needs."""
        return peak_bytes(hyperparameters, engine, self._images, self.size_of(hyperparameters))

    def _shape(self, hyperparameters: Hyperparameters) -> Shape:
        return Shape.of(hyperparameters, self._images, self.size_of(hyperparameters))

    def epoch_seconds(self, hyperparameters: Hyperparameters, amount: Amount) -> float:
        """Return a lane's seconds for one epoch with its evaluation."""
        shape = self._shape(hyperparameters)
        return amount.train_images * self._train.seconds(
            shape
        ) + amount.evaluation_images * self._evaluation.seconds(shape)

    def spread(self, hyperparameters: Hyperparameters) -> float:
        """Return the standard deviation of the logarithm of actual over predicted seconds of one training."""
        return KNOWN_SPREAD if self.knows(hyperparameters) else UNKNOWN_SPREAD

    @property
    def common_spread(self) -> float:
        """Return the same for a whole run: an error that all its trainings share."""
        return CALIBRATED_SPREAD if self.is_calibrated else UNCALIBRATED_SPREAD

    def _gather(self, measured: Iterable[Speed], recorded: Iterable[Speed], name: str) -> dict[Shape, float]:
        def gather(speeds: Iterable[Speed]) -> dict[Shape, float]:
            values: dict[Shape, list[float]] = defaultdict(list)
            for speed in speeds:
                values[self._shape(speed.hyperparameters)].append(getattr(speed, name))
            return {shape: median(each) for shape, each in values.items()}

        return gather(measured) | gather(recorded)


class _Rates:
    """Seconds an image: the formula, times measured over predicted seconds of similar shapes."""

    def __init__(
        self,
        rates: Mapping[EngineName, Mapping[str, float]],
        engine: EngineName,
        observed: Mapping[Shape, float],
    ) -> None:
        self.observed = observed
        self._rates, self._engine = rates, engine
        self._errors = {
            shape: math.log(seconds / self._formula(shape)) for shape, seconds in observed.items()
        }
        self._common = median(self._errors.values()) if self._errors else 0.0

    def seconds(self, shape: Shape) -> float:
        if shape in self.observed:
            return self.observed[shape]
        weights = {other: math.exp(-(shape.distance(other) ** 2)) for other in self._errors}
        excess = sum(weight * (self._errors[other] - self._common) for other, weight in weights.items())
        # The constant draws an unfamiliar shape towards the common error.
        return self._formula(shape) * math.exp(self._common + excess / (sum(weights.values()) + 0.1))

    def _formula(self, shape: Shape) -> float:
        rates = self._rates[self._engine if shape.is_accelerated else "keras"]
        return sum(rate * shape.operations[kind] for kind, rate in rates.items())


def pooled_units(hyperparameters: Hyperparameters, images: ImageFacts = FASHION_IMAGES) -> int:
    """Count the numbers of one image after the pooling, flattened: the input of the dense layer."""
    h = hyperparameters
    return _pooled_units(h.kernel_size, h.filters, images.height, images.width)


def _pooled_units(kernel_size: int, filters: int, height: int, width: int) -> int:
    return ((height - kernel_size + 1) // 2) * ((width - kernel_size + 1) // 2) * filters


def parameter_count(hyperparameters: Hyperparameters, images: ImageFacts = FASHION_IMAGES) -> int:
    """Count the weights and biases of the network."""
    h = hyperparameters
    convolution = (h.kernel_size**2 * images.channels + 1) * h.filters
    dense = (pooled_units(h, images) + 1) * h.dense_units
    return convolution + dense + (h.dense_units + 1) * images.classes


def multiply_adds(hyperparameters: Hyperparameters, images: ImageFacts = FASHION_IMAGES) -> int:
    """Count the multiply-adds of one forward pass of one image: convolution and the two dense layers."""
    operations = Shape.of(hyperparameters, images).operations
    return int(operations["convolution"] + operations["dense"])


def peak_bytes(
    hyperparameters: Hyperparameters,
    engine: EngineName = "native",
    images: ImageFacts = FASHION_IMAGES,
    size: NetworkSize | None = None,
) -> int:
    """Return the most memory a lane needs: libraries and images, activations, parameters and their copies.

    TensorFlow, and with it Keras, holds four copies of an evaluated batch's activations before the pooling
    (the largest lane of `lab` held 2.55 GB, this gives 2.6); the native engine three of a training batch's
    pooled ones (0.29 and 0.30 GB). Four bytes a number. An average is three more arrays as large as the
    parameters: itself, the next one, and the weights as well. Augmented images are a copy of the epoch's, a
    byte a pixel; for TensorFlow two.
    """
    rates, operations = ENGINE_COSTS[engine], Shape.of(hyperparameters, images, size).operations
    batch = hyperparameters.batch_size
    whole = 4 * operations["activation"] * max(rates.evaluated_at_once, batch) * (engine != "native")
    pooled = 3 * pooled_units(hyperparameters, images) * batch
    copies = rates.copies + (3 if hyperparameters.averaging else 0)
    pixels = TRAIN_COUNT * math.prod(images.shape) * (1 if engine == "native" else 2)
    augmented = pixels if hyperparameters.augmentation != "none" else 0
    parameters = copies * (size.parameters if size else parameter_count(hyperparameters, images))
    return rates.lane_bytes + int(4 * (whole + pooled + parameters)) + augmented


def list_shapes(hyperparameters: Sequence[Hyperparameters]) -> list[Hyperparameters]:
    """List one of each shape, in their order."""
    return list({Shape.of(each): each for each in reversed(hyperparameters)}.values())[::-1]
