"""Load a saved model from any source, and its calibration."""

import logging
import os
import zipfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from study.conclusions import Calibration, ChosenModel
from study.errors import InputError
from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE
from study.wording import shortened
from tasks.engines import silenced_stderr
from tasks.model.pictures import read_given_file

logger = logging.getLogger(__name__)

INPUT_SHAPE = (None, IMAGE_SIDE, IMAGE_SIDE, 1)
OUTPUT_SHAPE = (None, len(CLASS_NAMES))
MODEL_SIGNATURES = {".keras": b"PK\x03\x04", ".h5": b"\x89HDF\r\n\x1a\n"}


def load_model(path: Path) -> Any:
    """Load a saved Keras model for prediction only; code inside the file is not run (Keras's safe mode).

    Raises:
        InputError: If the file is missing or not a model, or if it does not map 28 x 28 x 1 to 10 numbers.
    """
    _check_is_model_file(path)
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # a CPU is quick enough
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # or the missing GPU driver is reported as an error
    with silenced_stderr():
        import keras  # imports for seconds; reading and preparing pictures does not need it

    try:
        with silenced_stderr():
            model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (
        Exception
    ) as error:  # Keras raises ValueError, KeyError, OSError, TypeError… for a file it cannot load
        raise _cannot_load(path, explain(error)) from error
    _check_shape(path, "takes input", getattr(model, "input_shape", None), INPUT_SHAPE)
    _check_shape(path, "gives output", getattr(model, "output_shape", None), OUTPUT_SHAPE)
    logger.info("model: %s", path)
    return model


def _check_is_model_file(path: Path) -> None:
    wanted = "a .keras or .h5 file, such as a run exports"
    begins = read_given_file(path, wanted, first=8)
    signature = MODEL_SIGNATURES.get(path.suffix)
    if signature is None or not begins.startswith(signature):
        raise InputError(f"{path}: not a Keras model; give {wanted}")

    if path.suffix == ".keras" and not zipfile.is_zipfile(path):  # Keras would report it as missing
        raise _cannot_load(path, "it is cut short or damaged")


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


def _check_shape(path: Path, does: str, found: object, expected: tuple[int | None, ...]) -> None:
    if found != expected:
        raise InputError(f"{path}: the model {does} of shape {found}; {expected} is needed")


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
