"""Classify pictures with a saved model, however many: read by threads, classified in batches."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from study.calibration import Calibration, soften
from study.errors import InputError
from study.fashion_mnist import CLASS_NAMES
from tasks.given_pictures import GivenPicture
from tasks.predict import PreparedImage, decode_uncaptured, is_cut_short, prepare_image, read_image
from tasks.quiet import captured_stderr
from tasks.saved_model import explain

BATCH = 500
"""Pictures classified at once: enough to keep the network busy, few enough to show progress."""

Read = PreparedImage | InputError
"""A picture as the network reads it, or why it cannot be read."""


@dataclass(frozen=True)
class Prediction:
    """What the model says of one picture; `probabilities`, softened or not, are in the classes' order."""

    path: Path
    class_index: int
    class_name: str
    probabilities: tuple[float, ...]
    inverted: bool

    @property
    def probability(self) -> float:
        """Of the likeliest class: how sure the model is."""
        return self.probabilities[self.class_index]


@dataclass(frozen=True)
class Unreadable:
    """A picture of a folder or a pattern that cannot be read, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Classifier:
    """A model, and how its probabilities are softened.

    `model` maps `(n, 28, 28, 1)` float32 in 0..1 to `(n, 10)` probabilities; `file` is where it is from, for
    messages.
    """

    model: Callable[..., Any]
    calibration: Calibration | None = None
    file: Path | None = None

    def classify(self, pictures: Sequence[GivenPicture]) -> Iterator[Prediction | Unreadable]:
        """Classify pictures in their order; while a batch is classified, the next one is read.

        Raises:
            InputError: a named file cannot be read as a picture, the model cannot be run on pictures, or it
                does not answer with probabilities.
        """
        batches = [pictures[at : at + BATCH] for at in range(0, len(pictures), BATCH)]
        with ThreadPoolExecutor(os.cpu_count()) as readers, ThreadPoolExecutor(1) as ahead:
            waiting = deque(ahead.submit(read_batch, batch, readers) for batch in batches[:1])
            for number, batch in enumerate(batches, start=1):
                read = waiting.popleft().result()
                waiting.extend(
                    ahead.submit(read_batch, following, readers) for following in batches[number : number + 1]
                )
                yield from self._classify_batch(batch, read)

    def _classify_batch(
        self, batch: Sequence[GivenPicture], read: Sequence[Read]
    ) -> list[Prediction | Unreadable]:
        for picture, each in zip(batch, read, strict=True):
            if picture.is_named and isinstance(each, InputError):
                raise each
        images = [each for each in read if isinstance(each, PreparedImage)]
        outputs = iter(self._run(np.stack([each.pixels for each in images])) if images else ())
        return [
            Unreadable(picture.path, str(each))
            if isinstance(each, InputError)
            else _predict(picture.path, each, next(outputs))
            for picture, each in zip(batch, read, strict=True)
        ]

    def _run(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
        prefix = f"{self.file}: " if self.file else ""
        try:
            outputs = np.asarray(self.model(pixels, training=False))
        except Exception as error:  # whatever its layers raise
            raise InputError(f"{prefix}the model cannot be run on pictures: {explain(error)}") from error
        _check_probabilities(outputs, prefix)
        return outputs if self.calibration is None else soften(outputs, self.calibration.temperature)


def read_batch(batch: Sequence[GivenPicture], readers: Executor) -> list[Read]:
    """Read and prepare pictures, several at once.

    What decoders say comes on standard error, of which a process has one: so it is captured for all, and
    where one file is cut short they are read again one by one, to know which.
    """
    with captured_stderr() as complaints:
        read = list(readers.map(_read_uncaptured, batch))
    return [_read(each) for each in batch] if is_cut_short(complaints) else read


def _read_uncaptured(picture: GivenPicture) -> Read:
    try:
        return prepare_image(read_image(picture.path, decode_uncaptured))
    except InputError as error:
        return error


def _read(picture: GivenPicture) -> Read:
    try:
        return prepare_image(read_image(picture.path))
    except InputError as error:
        return error


def _check_probabilities(outputs: npt.NDArray[np.float32], prefix: str) -> None:
    totals = outputs.sum(axis=1)
    if not (np.allclose(totals, 1, atol=1e-3) and (outputs >= 0).all()):
        raise InputError(
            f"{prefix}the model's outputs add up to {totals[0]:.3g} and the lowest is {outputs.min():.3g}: "
            "these are not probabilities; its last layer must be a softmax"
        )


def _predict(path: Path, image: PreparedImage, output: npt.NDArray[np.floating]) -> Prediction:
    index = int(output.argmax())
    return Prediction(
        path, index, CLASS_NAMES[index], tuple(float(value) for value in output), image.inverted
    )
