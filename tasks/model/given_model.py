"""The model given to `study predict`: known by its content, loaded, and fed as it was trained."""

import logging
import os
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from study.conclusions import Calibration, ChosenModel
from study.errors import InputError
from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.wording import shortened
from tasks.data import (
    BEGIN,
    PIXEL_MAXIMUM,
    READABLE,
    name_kind,
    read_given_file,
    refer_to_dataset,
    scale_pixels,
)
from tasks.engines import silenced_stderr
from tasks.model.export import IMAGE_FACTS
from tasks.model.reload import predict_all

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.floating]

WANTED = "a .keras or .h5 file, such as a run exports"

KINDS = {
    b"\x80": "a Python pickle",
    b"\x1f\x8b": "a gzip file; unpack it",
    b"version https://git-lfs": "a Git LFS pointer, not the file that it stands for",
    b"{": "a description in JSON, without weights",
}
"""First bytes of files that are given instead of a model, besides pictures, and what these files are."""


class InputScale(StrEnum):
    """The range of the pixels that a model was trained on."""

    AUTO = "auto"
    UNIT = "0-1"
    RAW = "0-255"


@dataclass(frozen=True)
class FedModel:
    """A Keras model that is fed as it was trained: it takes images of one form and gives probabilities.

    `shape` is that of one image as the model takes it; `reason` says why the scale was taken, empty if it was
    given; `finish` makes its outputs probabilities; `outputs` says what they are, empty for probabilities.
    `images` are the facts that the file carries of its images, or Fashion-MNIST's.
    """

    model: Any
    shape: tuple[int, ...]
    scale: InputScale
    reason: str
    finish: Callable[[Floats], Floats]
    outputs: str
    images: ImageFacts = FASHION_IMAGES

    def __call__(self, images: Floats) -> Floats:
        """Return probabilities (n, classes) of images (n, height, width, channels), float32 in 0..1."""
        return self.finish(_run(self.model, self.shape, self.scale, images))


def find_model(path: Path) -> Path:
    """Return a given model's file: known by its content, whatever its name; a run's folder has one.

    Raises:
        InputError: it is missing or no Keras model; the message says what it is and what to give instead.
    """
    with suppress(OSError):  # an impossible file name: reading it reports the error
        if path.is_dir():
            return _find_in_folder(path)
    _know_suffix(path)
    return path


def _find_in_folder(path: Path) -> Path:
    if (path / "config.json").is_file():
        return path  # an unpacked .keras file, which Keras reads, too
    found = sorted(path.glob("*.keras")) or sorted(path.glob("model/*.keras"))
    if len(found) == 1:
        return found[0]
    if found:
        raise _refuse(path, "a folder with several Keras models")
    if next(path.glob("saved_model.pb"), None) or next(path.glob("*/saved_model.pb"), None):
        raise _refuse(path, "a TensorFlow SavedModel")
    raise _refuse(path, "a folder without a Keras model")


def _know_suffix(path: Path) -> str:
    """Return the suffix that Keras wants for a model's content."""
    begins = read_given_file(path, WANTED, first=BEGIN)
    if begins.startswith(b"PK\x03\x04"):
        return _know_archive(path)
    if begins.startswith(b"\x89HDF\r\n\x1a\n"):
        return _know_hdf5(path)
    if begins[4:8] == b"TFL3":
        raise _refuse(path, "a LiteRT (TensorFlow Lite) model")
    if (kind := name_kind(begins)) is not None:
        raise _refuse(path, "a picture; the model comes first" if kind in READABLE else f"a {kind}")
    kinds = (kind for first, kind in KINDS.items() if begins.lstrip().startswith(first))
    raise _refuse(path, next(kinds, "not a Keras model"))


def _know_archive(path: Path) -> str:
    if not zipfile.is_zipfile(path):  # Keras would report it as missing
        raise _cannot_load(path, "it is cut short or damaged")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if "config.json" in names:
        return ".keras"
    is_torch = any(name.endswith("/data.pkl") for name in names)
    raise _refuse(path, "a PyTorch model" if is_torch else "a zip archive without a Keras model")


def _know_hdf5(path: Path) -> str:
    try:
        with h5py.File(path) as opened:
            if "model_config" in opened.attrs:
                return ".h5"
            is_weights = "layer_names" in opened.attrs or "layers" in opened
    except OSError as error:
        raise _cannot_load(path, explain(error)) from error
    raise _refuse(
        path, "a file of weights, without the model" if is_weights else "an HDF5 file without a model"
    )


def _refuse(path: Path, kind: str) -> InputError:
    """Name what was given; a Keras model in or beside it is what to give instead."""
    folders = (path, *list(path.absolute().parents)[:2])
    models = [each for folder in folders for each in sorted(folder.glob("*.keras")) if each != path]
    models.sort(key=lambda each: each.stem != path.name.split(".")[0])  # of the same name first
    return InputError(f"{path}: this is {kind}; give {models[0] if models else WANTED}")


def load_model(path: Path, scale: InputScale = InputScale.AUTO) -> FedModel:
    """Load a saved Keras model for prediction only; code inside the file is not run (Keras's safe mode).

    Its answers on test images, if these are cached, or else its layers decide how it is to be fed.

    Raises:
        InputError: it is missing or no model, does not map such images to their classes, or cannot be run.
    """
    suffix = "" if path.is_dir() else _know_suffix(path)
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # a CPU is quick enough
    with silenced_stderr():
        import keras  # imports for seconds; reading and preparing pictures does not need it

    try:
        with silenced_stderr(), TemporaryDirectory() as scratch:
            named = Path(scratch, f"model{suffix}")  # Keras goes by the name
            named.symlink_to(path.absolute())
            model = keras.models.load_model(named, compile=False, safe_mode=True)
    except Exception as error:  # ValueError, KeyError, OSError, TypeError… for a file it cannot load
        raise _cannot_load(path, explain(error)) from error
    images = read_carried(path)
    shape = _find_shape(path, "takes input", getattr(model, "input_shape", ()), list_input_shapes(images))
    _find_shape(path, "gives output", getattr(model, "output_shape", ()), ((images.classes,),))
    logger.info("model: %s", path)
    try:
        return _feed(model, shape, scale, images)
    except Exception as error:  # its layers may raise any error
        raise InputError(f"{path}: the model cannot be run on pictures: {explain(error)}") from error


def _cannot_load(path: Path, reason: str) -> InputError:
    return InputError(f"{path}: Keras cannot load this model: {reason}; give one that a run exported")


def explain(error: Exception) -> str:
    """Explain why Keras cannot load a model, without Keras's advice to run the code in it."""
    text = str(error)
    if "`Lambda` layer" in text:
        return "it carries code, a `Lambda` layer, which is not run"
    if "truncated file" in text:
        return "it is cut short or damaged"
    return shortened(text, 200)


Shape = tuple[int, ...]


def list_input_shapes(images: ImageFacts) -> tuple[Shape, ...]:
    """List the shapes of one image that a model may take.

    With channels; if it is grey also without, flat, and channel first, which need no other order of numbers.
    """
    height, width, channels = images.shape
    grey: tuple[Shape, ...] = ((height, width), (height * width,), (1, height, width))
    return (images.shape, *(grey if channels == 1 else ()))


def read_carried(path: Path) -> ImageFacts:
    """Return what a model's file says of its images and classes; Fashion-MNIST's if it says nothing.

    Raises:
        InputError: it says something else.
    """
    try:
        found = _read_carried(path)
        return FASHION_IMAGES if found is None else ImageFacts.model_validate_json(found)
    except ValidationError as error:
        raise _cannot_load(path, f"{IMAGE_FACTS} in it is wrong: {shortened(str(error), 150)}") from error


def _read_carried(path: Path) -> str | bytes | None:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            name = f"{IMAGE_FACTS}.json"
            return archive.read(name) if name in archive.namelist() else None
    if path.is_file():
        with h5py.File(path) as opened:
            found = opened.attrs.get(IMAGE_FACTS)
            return None if found is None else str(found)
    described = path / f"{IMAGE_FACTS}.json"  # an unpacked .keras file
    return described.read_bytes() if described.is_file() else None


def _find_shape(path: Path, does: str, found: Any, allowed: Sequence[Shape]) -> Shape:
    """Return the first shape that fits the model's, in which None stands for any size."""
    for shape in allowed:
        pairs = zip(found, (None, *shape), strict=False)
        if len(found) == 1 + len(shape) and all(size in (None, wanted) for size, wanted in pairs):
            return shape
    wanted = " or ".join(str((None, *shape)) for shape in allowed)
    raise InputError(f"{path}: the model {does} of shape {found}; {wanted} is needed")


KNOWN_IMAGES = 500
"""Test images that decide how a model is fed: enough, as the two losses differ severalfold."""

FACTORS = {InputScale.UNIT: 1.0, InputScale.RAW: PIXEL_MAXIMUM}


def _feed(model: Any, shape: Shape, scale: InputScale, facts: ImageFacts) -> FedModel:
    images, labels = _read_known_images(facts)
    outputs = {each: _run(model, shape, each, images) for each in FACTORS}
    reason = ""
    if scale is InputScale.AUTO and labels is None:
        scale, reason = _read_scale(model)
    elif scale is InputScale.AUTO and labels is not None:
        fits = {each: _measure_fit(found, labels) for each, found in outputs.items()}
        scale, other = sorted(FACTORS, key=lambda each: fits[each][0])
        reason = f"{fits[scale][1]} of {len(images)} test images are then right, {fits[other][1]} for {other}"
    if not np.isfinite(outputs[scale]).all():
        raise ValueError("its outputs are no finite numbers")
    return FedModel(model, shape, scale, reason, *_read_outputs(outputs[scale]), facts)


def _measure_fit(outputs: Floats, labels: npt.NDArray[np.integer]) -> tuple[float, str]:
    """Return the cross-entropy, in nats, of outputs (n, classes) for labels (n,), and in words.

    The accuracy does not decide: a model that is fed 255-fold may be as often right, but is too sure.
    """
    finish, _ = _read_outputs(outputs)
    likelihoods = finish(outputs)[np.arange(len(labels)), labels]
    loss = float(-np.log(np.maximum(likelihoods, 1e-12)).mean())
    right = float((outputs.argmax(axis=1) == labels).mean())
    return loss if np.isfinite(loss) else np.inf, f"{right:.0%} (loss {loss:.2f})"


def _run(model: Any, shape: Shape, scale: InputScale, images: Floats) -> Floats:
    pixels = (images * np.float32(FACTORS[scale])).reshape(-1, *shape)
    return predict_all(lambda batch: model(batch, training=False), pixels)


def _read_known_images(facts: ImageFacts) -> tuple[Floats, npt.NDArray[np.integer] | None]:
    """Return images in 0..1 and their classes (n,); noise, and None, if none of this kind are cached."""
    noise = np.random.default_rng(0).random((KNOWN_IMAGES, *facts.shape), np.float32)
    if facts != FASHION_IMAGES:
        return noise, None
    try:
        images, labels = refer_to_dataset().test()
    except InputError:
        return noise, None
    return scale_pixels(images[:KNOWN_IMAGES])[..., np.newaxis], labels[:KNOWN_IMAGES]


def _read_scale(model: Any) -> tuple[InputScale, str]:
    """Read from its layers whether a model scales raw pixels itself."""
    missing = "no test images are cached to try it, `study data` gets them"
    for layer in (*model.layers, *(each for part in model.layers for each in getattr(part, "layers", ()))):
        kind = type(layer).__name__
        shrinks = kind == "Rescaling" and np.max(np.abs(layer.scale)) < 0.1
        if shrinks or (kind == "Normalization" and np.max(np.asarray(layer.variance)) > 1):
            return InputScale.RAW, f"its layer {layer.name!r} scales them; {missing}"
    return InputScale.UNIT, f"none of its layers scales them; {missing}"


def _read_outputs(outputs: Floats) -> tuple[Callable[[Floats], Floats], str]:
    """Return what makes outputs (n, classes) probabilities, and in words what they are."""
    low, high = float(outputs.min()), float(outputs.max())
    if low < 0 or high > 1.001:
        return _softmax, f"its outputs are {low:.3g} to {high:.3g}, so a softmax was added"
    if np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
        return np.asarray, ""
    return _share_sum, "its outputs do not add up to 1, so they were divided by their sum"


def _softmax(outputs: Floats) -> Floats:
    from scipy.special import softmax  # late: probabilities need none

    return np.asarray(softmax(outputs, axis=1))


def _share_sum(outputs: Floats) -> Floats:
    return np.asarray(outputs / np.maximum(outputs.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny))


DESCRIPTION = "model.json"
"""The file that an export writes next to its models."""


def find_calibration(model: Path) -> Calibration | str:
    """Read a model file's calibration from its export; or return, in words, why there is none."""
    path = model.with_name(DESCRIPTION)
    if not path.exists():
        return f"there is no {path.name} next to {model}"
    try:
        content = read_given_file(path, "an export's description")
        described = ChosenModel.model_validate_json(content)
    except InputError as error:
        return str(error)
    except ValidationError as error:
        return f"{path} does not describe an exported model: {shortened(str(error), 150)}"
    if model.name not in described.files:
        return f"{path} describes other files, {', '.join(described.files)}"
    return described.calibration or f"{path} was written before models were calibrated"
