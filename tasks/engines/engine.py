"""What an engine is (it trains one epoch at a time), and which one trains here."""

import logging
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol, cast

import numpy as np

from storage.trainings import Arrays
from study.errors import InputError
from study.spec import EngineName, Hyperparameters
from tasks.engines.native_library import NativeUnavailable, prepare_native_library
from tasks.engines.quiet import silenced_stderr


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
        from tasks.engines.native_engine import NativeEngine

        return NativeEngine()
    with silenced_stderr():
        from tasks.engines.tensorflow_engine import TensorflowEngine
    return cast(Engine, TensorflowEngine())


logger = logging.getLogger(__name__)

EngineChoice = Literal["auto", "tensorflow", "native"]
"""What may be asked for."""


def choose_engine(asked: EngineChoice, device: str) -> EngineName:
    """Choose what trains on a kind of device, and make it ready: compiled and checked.

    Raises:
        InputError: the native engine is asked for and cannot be used.
    """
    if asked == "tensorflow" or (asked == "auto" and device != "CPU"):
        return "tensorflow"
    reason = _why_not() if device == "CPU" else f"it trains on CPU cores, and the lanes are on a {device}"
    if reason is None:
        return "native"
    if asked == "native":
        raise InputError(
            f"--engine: native cannot be used here: {reason}; mend that, or give auto or tensorflow"
        )
    return "tensorflow"


@cache
def _why_not() -> str | None:
    """Why the native engine cannot be used in this process, which is said once; None if it can."""
    try:
        prepare_native_library()
    except NativeUnavailable as error:
        logger.warning("the native engine cannot be used: %s; TensorFlow trains, which takes longer", error)
        return str(error)
    return None


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    sys.stdout.write(f"engine on CPU cores: {choose_engine('auto', 'CPU')}\n")
