"""What an engine is: it trains one epoch at a time, over data that stays where it is.

The weights after each epoch depend on hyperparameters, seed, data and engine alone, whatever the number of
threads. Two engines train the same model from the same initial weights on the same images, augmented alike,
in the same order; they differ in the order in which they add numbers up, and in dropout's masks.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, cast

import numpy as np

from storage.trainings import Arrays
from study.setting import Hyperparameters
from study.spec import EngineName
from tasks.quiet import silenced_stderr


@dataclass(frozen=True)
class Score:
    """Mean categorical cross-entropy and accuracy (fraction of 1) over some images."""

    loss: float
    accuracy: float


class Placed(Protocol):
    """Images where an engine wants them."""

    def __len__(self) -> int:
        """How many."""


class Trainer(Protocol):
    """A model in training."""

    def warm_up(self, images: Any) -> float:
        """Make ready what depends on the shape alone, such as compiling; return the seconds."""

    def start(self, seed: int) -> None:
        """Begin a training: weights drawn from the seed, momenta of zero."""

    def resume(self, weights: Arrays, momenta: Arrays) -> None:
        """Go on with a training from what `weights` and `momenta` gave."""

    def train_epoch(
        self, images: Any, seed: int, epoch: int, learning_rate: float, most: int | None = None
    ) -> tuple[Score, float]:
        """Train one epoch (from 1), or its first `most` images; return its running score and its seconds."""

    def evaluate(self, images: Any) -> Score:
        """Score the model on all images."""

    def weights(self) -> Arrays:
        """The model's weights and biases, in Keras's order."""

    def momenta(self) -> Arrays:
        """The optimizer's state: each weight's momentum, in the same order, and what else going on needs."""


class Engine(Protocol):
    """Trains and evaluates."""

    def place(self, pixels: np.ndarray, labels: np.ndarray, chosen: np.ndarray | None = None) -> Placed:
        """Put images (n, 28, 28) and labels (n,), uint8, where it trains: all, or the `chosen` indices."""

    def open_trainer(self, hyperparameters: Hyperparameters, threads: int = 1) -> tuple[Trainer, bool]:
        """A trainer, and whether it is to be warmed up; then to be started or resumed.

        Args:
            hyperparameters: The model.
            threads: How many share the work, where the engine can share it.
        """

    def device_name(self) -> str:
        """What it trains on, for people."""


@cache
def load_engine(name: EngineName) -> Engine:
    """The engine of this process.

    Raises:
        NativeUnavailable: it is the native one, and that cannot be used here.
    """
    if name == "native":
        from tasks.native_engine import NativeEngine

        return NativeEngine()
    with silenced_stderr():
        from tasks.tensorflow_engine import TensorflowEngine
    return cast(Engine, TensorflowEngine())
