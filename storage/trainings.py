"""The cache of trainings: a finished training is written at once, under its key, and read by every later run.

A training's folder holds a record of its epochs, and its weights after each epoch at which a trial ends. The
record is written last: a training without a record does not exist.
"""

import hashlib
import io
import logging
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from pydantic import ValidationError

from storage.place import Results, write_atomically
from study.errors import InputError
from study.plan import Training
from study.training_record import TrainingRecord

logger = logging.getLogger(__name__)

Weights = list[np.ndarray]
"""Arrays in the order of `keras.Model.get_weights`."""


def hash_weights(weights: Weights) -> str:
    """SHA-256 of the arrays' shapes, types and bytes, hexadecimal."""
    digest = hashlib.sha256()
    for array in weights:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def save_training(results: Results, record: TrainingRecord, weights: Mapping[int, Weights]) -> None:
    """Write a training's weights, by epoch, then its record.

    Raises:
        OSError: the disk is full or the folder cannot be written to; nothing half-written is left.
    """
    for epoch, arrays in weights.items():
        content = io.BytesIO()
        np.savez(content, *arrays)
        write_atomically(_weights_path(results, record.key, epoch), content.getvalue())
    write_atomically(_record_path(results, record.key), record.model_dump_json(indent=1).encode())


def find_training(results: Results, training: Training) -> TrainingRecord | None:
    """The record of a training that answers all its trials and has their weights; None if there is none."""
    record = read_record(results, training.key)
    if record is None:
        return None
    readings = [record.read(rule) for rule in training.rules]
    is_whole = all(
        reading is not None and _weights_path(results, record.key, reading.last.epoch).is_file()
        for reading in readings
    )
    return record if is_whole else None


def read_record(results: Results, key: str) -> TrainingRecord | None:
    """The record under a key; None if there is none, or it is damaged (which is logged)."""
    path = _record_path(results, key)
    try:
        record = TrainingRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        logger.warning("%s is damaged and counts as missing: %s", path, str(error).splitlines()[0])
        return None
    if record.key != key:
        logger.warning("%s holds training %s; it counts as missing", path, record.key)
        return None
    return record


def read_weights(results: Results, record: TrainingRecord, epoch: int) -> Weights:
    """The weights of a training after an epoch (from 1) at which one of its trials ends.

    Raises:
        InputError: the file is missing or damaged.
    """
    path = _weights_path(results, record.key, epoch)
    try:
        # Read first: given a path, NumPy leaves the file open where it is damaged.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            weights = [arrays[name] for name in arrays.files]
    except (OSError, ValueError, EOFError, RuntimeError, BadZipFile) as error:
        reason = str(error) or "cut short"
        raise InputError(f"{path}: {reason}; delete the folder {path.parent} and run again") from error
    found, expected = hash_weights(weights), record.epochs[epoch - 1].weights_sha256
    if found != expected:
        raise InputError(
            f"{path}: weights hash {found[:12]}, expected {expected[:12]}; "
            f"delete the folder {path.parent} and run again"
        )
    return weights


def _record_path(results: Results, key: str) -> Path:
    return results.trainings / key / "record.json"


def _weights_path(results: Results, key: str, epoch: int) -> Path:
    return results.trainings / key / f"weights-{epoch}.npz"
