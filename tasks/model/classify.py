"""Classify pictures, and draw the results onto copies of them."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from storage.results import write_atomically
from study.conclusions import Calibration, soften
from study.errors import InputError
from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from tasks.data import prepare_picture, read_image, scale_pixels
from tasks.engines import silenced_stderr
from tasks.model.garment import Pixels
from tasks.model.pictures import PreparedImage, prepare_image
from tasks.model.reload import predict_all


@dataclass(frozen=True)
class Prediction:
    """The model's answer for one picture; `probabilities`, softened or not, are in the classes' order.

    `unclear` says what the picture shows instead of one garment.
    """

    path: Path
    class_index: int
    class_name: str
    probabilities: tuple[float, ...]
    inverted: bool
    unclear: str = ""
    class_names: tuple[str, ...] = FASHION_IMAGES.class_names

    @property
    def probability(self) -> float:
        """Return the likeliest class's probability: the model's confidence."""
        return self.probabilities[self.class_index]

    def find_doubt(self, sure: float) -> str:
        """Return why the answer is not sure, at a least probability for sure ones; empty if it is."""
        return self.unclear or ("" if self.probability >= sure else f"below {sure:.0%}")


@dataclass(frozen=True)
class Unreadable:
    """An unreadable picture, and the reason."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Classifier:
    """A model, the softening of its probabilities, and the images it takes.

    `model` maps `(n, height, width, channels)` float32 in 0..1 to `(n, classes)` probabilities.
    """

    model: Callable[[npt.NDArray[np.floating]], npt.NDArray[np.floating]]
    calibration: Calibration | None = None
    images: ImageFacts = FASHION_IMAGES

    def classify(self, pictures: Sequence[Path]) -> list[Prediction | Unreadable]:
        """Classify pictures in their order; an unreadable one does not stop the others."""
        with silenced_stderr():  # the error replaces OpenCV's message
            read = [_read(each, self.images) for each in pictures]
        images = [each.pixels for each in read if isinstance(each, PreparedImage)]
        outputs = iter(self._run(np.stack(images)) if images else ())
        return [
            each if isinstance(each, Unreadable) else _predict(path, each, next(outputs), self.images)
            for path, each in zip(pictures, read, strict=True)
        ]

    def _run(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
        outputs = predict_all(self.model, pixels)
        return outputs if self.calibration is None else soften(outputs, self.calibration.temperature)


def find_unreadable(pictures: Sequence[Path]) -> list[Unreadable]:
    """Return why pictures cannot be read, if none of them can; this needs no model."""
    with silenced_stderr():
        unreadable = takewhile(lambda each: isinstance(each, Unreadable), map(_read, pictures))
        found = [each for each in unreadable if isinstance(each, Unreadable)]
    return found if len(found) == len(pictures) else []


def _read(path: Path, images: ImageFacts = FASHION_IMAGES) -> PreparedImage | Unreadable:
    try:
        picture = read_image(path)
        if images == FASHION_IMAGES:
            return prepare_image(picture)
        return PreparedImage(scale_pixels(prepare_picture(picture, images.shape)), inverted=False)
    except InputError as error:
        return Unreadable(path, str(error))


def _predict(
    path: Path, image: PreparedImage, output: npt.NDArray[np.floating], images: ImageFacts
) -> Prediction:
    index, probabilities = int(output.argmax()), tuple(float(value) for value in output)
    name = images.class_names[index]
    return Prediction(path, index, name, probabilities, image.inverted, image.doubt, images.class_names)


SHORTEST, LONGEST = 280, 1000
"""Least pixels of a copy's longer side, so that words fit under a picture of 28, and most."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DARK, _LIGHT, _ORANGE = (32, 32, 32), (255, 255, 255), (0, 160, 255)  # blue, green, red


def draw_overlay(prediction: Prediction, sure: float) -> Pixels:
    """Return a copy of a picture with its class and probability below: (height, width, 3) BGR, uint8.

    An answer below the requested confidence has another colour, and says so in words.

    Raises:
        InputError: the picture cannot be read any more.
    """
    picture = _resize(read_image(prediction.path))
    words = [f"{prediction.class_name} {prediction.probability:.0%}"]
    doubt = prediction.find_doubt(sure)
    words += [f"not sure ({doubt})"] if doubt else []
    width = max(picture.shape[1], SHORTEST)
    left = (width - picture.shape[1]) // 2
    picture = cv2.copyMakeBorder(
        picture, 0, 0, left, width - picture.shape[1] - left, cv2.BORDER_CONSTANT, value=_DARK
    )
    bands = [_draw_band(each, width, _ORANGE if doubt else _LIGHT) for each in words]
    return np.vstack([picture, *bands])


def write_overlay(
    prediction: Prediction, number: int, folder: Path, sure: float, originals: Collection[Path]
) -> Path:
    """Write a picture's overlay into a folder as `NUMBER-NAME.png`; the number keeps names apart.

    Raises:
        InputError: the file would be one of the originals, or the folder cannot be written to.
    """
    name = re.sub(r"[^\w.-]", "_", prediction.path.stem)[:50]  # of up to 4 bytes each
    path = folder / f"{number:05d}-{name}.png"
    if path.absolute() in originals:
        raise InputError(
            f"--overlay {folder}: {path.name} there is a picture to classify; give another folder"
        )
    _, encoded = cv2.imencode(".png", draw_overlay(prediction, sure))
    try:
        return write_atomically(path, encoded.tobytes())
    except OSError as error:
        raise InputError(
            f"--overlay {folder}: cannot be written ({error.strerror}); give a folder that can"
        ) from error


def _resize(image: Pixels) -> Pixels:
    colour = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
    side = max(colour.shape[:2])
    scale = min(max(side, SHORTEST), LONGEST) / side
    if scale == 1:
        return np.asarray(colour, np.uint8)
    size = tuple(max(1, round(scale * each)) for each in colour.shape[1::-1])
    method = cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA  # a picture of 28 shows the pixels it has
    return np.asarray(cv2.resize(colour, size, interpolation=method), np.uint8)


def _draw_band(words: str, width: int, colour: tuple[int, int, int]) -> Pixels:
    height = max(28, width // 14)
    scale = cv2.getFontScaleFromHeight(_FONT, height // 2)
    thickness = max(1, height // 20)
    wide = cv2.getTextSize(words, _FONT, scale, thickness)[0][0]
    scale *= min(1.0, (width - 16) / wide)
    band = np.full((height, width, 3), _DARK, np.uint8)
    cv2.putText(band, words, (8, round(0.7 * height)), _FONT, scale, colour, thickness, cv2.LINE_AA)
    return band
