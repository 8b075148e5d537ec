"""The interface of an engine, which trains one epoch at a time, and the choice of one."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol, cast

import numpy as np

from storage.trainings import Arrays
from study.errors import InputError
from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.records import NetworkSize
from study.spec import EngineName, Hyperparameters, NetworkFile
from tasks.engines.native_library import NativeUnavailable, prepare_native_library


@dataclass(frozen=True)
class Score:
    """Mean categorical cross-entropy and accuracy (fraction of 1) over some images."""

    loss: float
    accuracy: float


class Placed(Protocol):
    """Images where an engine wants them."""

    def __len__(self) -> int:
        """Return their number."""


class Trainer(Protocol):
    """A model in training."""

    size: NetworkSize | None
    """Of a network of one's own."""

    def warm_up(self, images: Any) -> float:
        """Prepare all that depends only on the shape, such as compiling; return the seconds."""

    def start(self, seed: int) -> None:
        """Begin a training: weights drawn from the seed, momenta of zero."""

    def resume(self, weights: Arrays, momenta: Arrays) -> None:
        """Continue a training from the arrays that `weights` and `momenta` returned."""

    def train_epoch(
        self, images: Any, seed: int, epoch: int, learning_rate: float, most: int | None = None
    ) -> tuple[Score, float]:
        """Train one epoch (from 1), or its first `most` images; return its running score and its seconds."""

    def evaluate(self, images: Any) -> Score:
        """Score the model on all images."""

    def weights(self) -> Arrays:
        """Return the model's weights and biases, in Keras's order."""

    def momenta(self) -> Arrays:
        """Return the state to resume from: each weight's momentum, in the same order, or what it has more."""


class Engine(Protocol):
    """Trains and evaluates."""

    def place(self, pixels: np.ndarray, labels: np.ndarray, chosen: np.ndarray | None = None) -> Placed:
        """Place images and labels (n,), uint8, on the device: all, or the `chosen` indices.

        Images are (n, height, width) or (n, height, width, channels).
        """

    def open_trainer(
        self,
        hyperparameters: Hyperparameters,
        threads: int = 1,
        images: ImageFacts = FASHION_IMAGES,
        network: NetworkFile | None = None,
    ) -> tuple[Trainer, bool]:
        """Return a trainer for such images, and whether to warm it up before it is started or resumed.

        Only the general engine takes a network of one's own; None is the lab's.
        """

    def device_name(self) -> str:
        """Return the name of its device, for people."""


@contextmanager
def silenced_stderr() -> Iterator[None]:
    """Discard the process's standard error, that of native code included, inside the block.

    TensorFlow logs "oneDNN custom operations are on" and "Could not find cuda drivers" before its log level
    applies; OpenCV logs the faults of a picture. A failing import still raises.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no Path
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


@cache
def load_engine(name: EngineName) -> Engine:
    """Return the engine of this process.

    Raises:
        NativeUnavailable: the native engine is requested and cannot be used here.
    """
    if name == "native":
        from tasks.engines.native_engine import NativeEngine

        return NativeEngine()
    with silenced_stderr():
        from tasks.engines.keras_engine import KerasEngine
        from tasks.engines.tensorflow_engine import TensorflowEngine
    return cast(Engine, TensorflowEngine() if name == "tensorflow" else KerasEngine())


logger = logging.getLogger(__name__)

EngineChoice = Literal["auto", "tensorflow", "native"]
"""The engines to choose from."""


def choose_engine(asked: EngineChoice, device: str, images: ImageFacts = FASHION_IMAGES) -> EngineName:
    """Choose the engine for a kind of device and such images, and compile and check it.

    Raises:
        InputError: the native engine is requested and cannot be used.
    """
    if asked == "tensorflow" or (asked == "auto" and device != "CPU"):
        return "tensorflow"
    reason = _why_not() if device == "CPU" else f"it trains on CPU cores, and the lanes are on a {device}"
    if images.sizes != FASHION_IMAGES.sizes:
        reason = f"it takes images that are {FASHION_IMAGES.describe()}; these are {images.describe()}"
        logger.warning("TensorFlow trains, not the native engine: %s", reason)
    if reason is None:
        return "native"
    if asked == "native":
        raise InputError(
            f"--engine: native cannot be used here: {reason}; fix that, or give auto or tensorflow"
        )
    return "tensorflow"


@cache
def _why_not() -> str | None:
    """Return why the native engine cannot be used in this process, and log it once; None if it can."""
    try:
        prepare_native_library()
    except NativeUnavailable as error:
        logger.warning("the native engine cannot be used: %s; TensorFlow trains, which takes longer", error)
        return str(error)
    return None


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    sys.stdout.write(f"engine on CPU cores: {choose_engine('auto', 'CPU')}\n")
