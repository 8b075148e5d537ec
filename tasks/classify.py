"""Classify pictures with a saved model: find those of a folder, read them, and ask the model."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from study.calibration import Calibration, soften
from study.errors import InputError
from study.fashion_mnist import CLASS_NAMES
from tasks.predict import PreparedImage, prepare_image, read_image
from tasks.quiet import silenced_stderr
from tasks.reload_model import predict_all
from tasks.saved_model import explain

SUFFIXES = (
    *(".avif", ".bmp", ".dib", ".gif", ".jp2", ".jpe", ".jpeg", ".jpg"),
    *(".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
"""Suffixes by which a file of a folder counts as a picture: formats that OpenCV reads."""


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
    """A picture that cannot be read, and why."""

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

    def classify(self, pictures: Sequence[Path]) -> list[Prediction | Unreadable]:
        """Classify pictures in their order; one that cannot be read keeps no other from its answer.

        Raises:
            InputError: the model cannot be run on pictures, or does not answer with probabilities.
        """
        with silenced_stderr():  # the error says what OpenCV would
            read = [_read(each) for each in pictures]
        images = [each.pixels for each in read if isinstance(each, PreparedImage)]
        outputs = iter(self._run(np.stack(images)) if images else ())
        return [
            each if isinstance(each, Unreadable) else _predict(path, each, next(outputs))
            for path, each in zip(pictures, read, strict=True)
        ]

    def _run(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
        prefix = f"{self.file}: " if self.file else ""
        try:
            outputs = predict_all(lambda images: self.model(images, training=False), pixels)
        except Exception as error:  # whatever its layers raise
            raise InputError(f"{prefix}the model cannot be run on pictures: {explain(error)}") from error
        _check_probabilities(outputs, prefix)
        return outputs if self.calibration is None else soften(outputs, self.calibration.temperature)


def list_pictures(given: Sequence[Path], leave_out: Path | None = None) -> list[Path]:
    """The pictures that are meant, in the order given; those of a folder by name.

    Of a folder everything below it counts, but for names that begin with a dot and what is no picture by its
    suffix.

    Args:
        given: Files and folders.
        leave_out: A folder that is passed over, that of the overlays.

    Raises:
        InputError: a folder has no picture.
    """
    return [
        path for each in given for path in (_list_folder(each, leave_out) if _is_folder(each) else [each])
    ]


def _is_folder(path: Path) -> bool:
    with suppress(OSError):  # a name that no file can have: whoever reads it says so
        return path.is_dir()
    return False


def _list_folder(folder: Path, leave_out: Path | None) -> list[Path]:
    found = [
        each
        for each in sorted(folder.rglob("*"))
        if _is_picture(each, folder)
        and (leave_out is None or leave_out.absolute() not in each.absolute().parents)
    ]
    if not found:
        raise InputError(f"{folder}: the folder has no picture; give one with files of {', '.join(SUFFIXES)}")
    return found


def _is_picture(path: Path, folder: Path) -> bool:
    is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix.lower() in SUFFIXES and not is_hidden and path.is_file()


def _read(path: Path) -> PreparedImage | Unreadable:
    try:
        return prepare_image(read_image(path))
    except InputError as error:
        return Unreadable(path, str(error))


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
