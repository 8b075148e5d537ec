"""Where the values of a swept parameter lie on a figure's horizontal axis, and what the axis says."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from study.exercises import SweepExercise

Spacing = Literal["log", "linear", "categories"]

_SPACINGS: dict[str, Spacing] = {
    "learning_rate": "log",
    "dropout": "linear",
    "momentum": "linear",
    "averaging": "linear",
}
# What titles and captions call a parameter, and its axis label with the unit.
_WORDS = {
    "filters": ("number of filters", "Filters of the convolution"),
    "kernel_size": ("kernel size", "Side of the square kernel (pixels)"),
    "dense_units": ("number of dense units", "Units of the hidden dense layer"),
    "dropout": ("dropout rate", "Dropout rate (fraction of units dropped)"),
    "learning_rate": ("learning rate", "Learning rate (log scale)"),
    "momentum": ("momentum", "Momentum"),
    "batch_size": ("batch size", "Batch size (images)"),
    "averaging": ("decay of averaging", "Decay of the weights' average (fraction an epoch)"),
    "epochs": ("number of epochs", "Epochs"),
    "patience": ("patience", "Patience (epochs)"),
}


@dataclass(frozen=True)
class ParameterAxis:
    """A horizontal axis: the learning rate on a log scale, fractions to scale, counts as even categories."""

    spacing: Spacing
    values: tuple[float, ...]
    noun: str
    label: str

    def place(self, value: float, beside: float = 0.0) -> float:
        """Where a value lies in data coordinates, moved by `beside` of the least distance between values."""
        place = self._position(value) + beside * self._least_distance
        return 10**place if self.spacing == "log" else place

    def show(self, axes: Axes, notes: Sequence[str], legend: str = "") -> None:
        """Set scale, limits, ticks and label of the x axis.

        Each value has a note, which stands under it if it is not empty; `legend` says what the notes are.
        """
        if self.spacing == "log":
            axes.set_xscale("log")
        axes.set_xlim(self.place(self.values[0], -0.55), self.place(self.values[-1], 0.55))
        labels = [self.describe(value) for value in self.values]
        lines = [f"{label}\n{note}".rstrip() for label, note in zip(labels, notes, strict=True)]
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_locator(FixedLocator([self.place(value) for value in self.values]))
        axes.set_xticklabels(lines)
        axes.set_xlabel(f"{self.label}\n{legend}".rstrip())

    def describe(self, value: float) -> str:
        """A value as its tick says it: as a power of ten on a log scale, if all values are."""
        if self.spacing == "log" and all(_is_power_of_ten(each) for each in self.values):
            return f"$10^{{{round(math.log10(value))}}}$"
        return f"{value:g}"

    @property
    def _least_distance(self) -> float:
        positions = [self._position(value) for value in self.values]
        return min((high - low for low, high in pairwise(positions)), default=1.0)

    def _position(self, value: float) -> float:
        if self.spacing == "categories":
            return float(self.values.index(value))
        return math.log10(value) if self.spacing == "log" else value


def _is_power_of_ten(value: float) -> bool:
    exponent = math.log10(value)
    return math.isclose(exponent, round(exponent), abs_tol=1e-9)


def parameter_noun(parameter: str) -> str:
    """What titles and captions call a parameter; words that are no parameter's name stay."""
    return _WORDS.get(parameter, (parameter.replace("_", " "), ""))[0]


def parameter_axis(exercise: SweepExercise) -> ParameterAxis:
    """The axis of an exercise's parameter, its values rising."""
    noun, label = _WORDS.get(exercise.parameter, (exercise.parameter, exercise.parameter))
    spacing = _SPACINGS.get(exercise.parameter, "categories")
    return ParameterAxis(spacing, tuple(sorted(exercise.values)), noun, label)
