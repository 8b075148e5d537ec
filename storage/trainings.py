"""Cache trainings: a finished training is written at once, under its key, and read by every later run.

A training's folder holds a record of its epochs, its weights after each epoch at which a trial ends, and the
optimizer's state after the last one, from which a longer training continues. The record is written last: a
training without a record does not exist. Everything is checked against hashes when it is read.
"""

import hashlib
import io
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile
from pydantic import ValidationError

from storage.results import (
    Results,
    describe_owner,
    explain_unwritable,
    find_paths,
    is_local,
    read_bytes,
    remove_path,
    write_atomically,
)
from study.errors import InputError, StoreUnreachable
from study.plan import training_key
from study.records import TrainingRecord
from study.wording import shortened

logger = logging.getLogger(__name__)

FORMAT = 2
"""Increases when earlier code cannot read the records that we write."""

_RECORD, _END = '"record": ', "}\n"
"""The text before and after the record in its file; the checksum covers the text between them."""

Arrays = list[np.ndarray]
"""Weights in the order of `keras.Model.get_weights`, or an optimizer's state in that of its variables."""


class DamagedTraining(Exception):
    """A kept training cannot be read as it was written; the message says which file and why."""


class UnreadableTraining(DamagedTraining):
    """A kept training may not be read: it may be sound, and must not be replaced."""


@dataclass(frozen=True)
class Checkpoint:
    """The state from which a training can continue: after the last epoch of its record."""

    record: TrainingRecord
    weights: Arrays
    optimizer: Arrays


def hash_weights(weights: Arrays) -> str:
    """Return the SHA-256 of the arrays' shapes, types and bytes, hexadecimal."""
    digest = hashlib.sha256()
    for array in weights:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def save_training(
    results: Results, record: TrainingRecord, weights: Mapping[int, Arrays], optimizer: Arrays | None
) -> None:
    """Write a training's weights, by epoch, and the optimizer's last state, then its record.

    What the record names and is not given here exists from an earlier run.

    Raises:
        ResultsUnwritable: the disk is full or the folder cannot be written to; what was there before stays.
    """
    folder = _folder(results, record.key)
    with explain_unwritable(folder):
        for epoch, arrays in weights.items():
            _write_arrays(folder / _weights_name(epoch), arrays)
        if optimizer is not None:
            _write_arrays(folder / _optimizer_name(len(record.epochs)), optimizer)
        content = record.model_dump_json(indent=1)
        envelope = f'{{"format": {FORMAT}, "sha256": "{_sha256(content)}", {_RECORD}{content}{_END}'
        write_atomically(folder / "record.json", envelope.encode())
        _remove_unnamed(folder, record)


def find_training(results: Results, key: str) -> TrainingRecord | None:
    """Find the record under a key, with sound weights; None if there is none or it is damaged.

    Damage is logged, and the training is trained again.

    Raises:
        InputError: it is another user's, and may not be read.
    """
    try:
        return _read_checked(results, key)
    except FileNotFoundError:
        return None
    except UnreadableTraining as error:
        raise InputError(str(error)) from error
    except DamagedTraining as error:
        _tell_once(f"{error}; it counts as missing and is trained again")
        return None


@cache
def _tell_once(message: str) -> None:
    # A run looks at each training several times: when it plans, when it trains, when it saves.
    logger.warning("%s", message)


def _read_checked(results: Results, key: str) -> TrainingRecord:
    """Read a training's record, and check all its weights, too."""
    record = _read_record(results, key)
    for epoch in record.kept_weights:
        _read_weights(results, record, epoch)
    return record


def verify_training(results: Results, key: str) -> TrainingRecord:
    """Check all of a training, the optimizer's state included.

    Raises:
        DamagedTraining: something is missing or damaged.
    """
    try:
        record = _read_checked(results, key)
    except FileNotFoundError as error:
        raise DamagedTraining(f"{_folder(results, key)} has no record: it was never finished") from error
    _read_optimizer(results, record)
    return record


def read_checkpoint(results: Results, record: TrainingRecord) -> Checkpoint | None:
    """Read the state from which the training can continue; None if it is damaged, which is logged."""
    try:
        weights = _read_weights(results, record, len(record.epochs))
        return Checkpoint(record, weights, _read_optimizer(results, record))
    except DamagedTraining as error:
        logger.warning("%s; cannot continue this training; starting again", error)
        return None


def read_weights(results: Results, record: TrainingRecord, epoch: int) -> Arrays | None:
    """Read the weights of a training after an epoch (from 1); None if they are not kept.

    Raises:
        InputError: they were kept, and are missing or damaged.
    """
    if epoch not in record.kept_weights:
        return None
    try:
        return _read_weights(results, record, epoch)
    except DamagedTraining as error:
        raise InputError(f"{error}; run again, and it will be trained again") from error


def list_keys(results: Results) -> list[str]:
    """List the keys that have a folder, sound or not.

    Raises:
        InputError: the folder may not be looked into.
    """
    try:
        if not is_local(results.trainings):
            return [path.parent.name for path in find_paths(results.trainings, "*/record.json")]
        if not results.trainings.is_dir():
            return []
        folders = [path for path in results.trainings.iterdir() if path.is_dir() and not path.is_symlink()]
    except PermissionError as error:
        raise InputError(f"{results.trainings}: {error.strerror}; give a folder you may read") from error
    return sorted(path.name for path in folders)


def read_records(results: Results) -> Iterator[TrainingRecord]:
    """Yield every record that can be read; weights are not checked."""
    for key in list_keys(results):
        with suppress(FileNotFoundError, DamagedTraining):
            yield _read_record(results, key)


def measure_training(results: Results, key: str) -> int:
    """Return the bytes a training takes; 0 if its folder may not be looked into."""
    try:
        return sum(path.stat().st_size for path in find_paths(_folder(results, key), "*") if path.is_file())
    except PermissionError:
        return 0


def remove_training(results: Results, key: str) -> None:
    """Remove a training.

    Raises:
        OSError: the folder cannot be removed.
    """
    folder = _folder(results, key)
    remove_path(folder / "record.json")  # first: without it the training does not exist
    remove_path(folder)


def _read_record(results: Results, key: str) -> TrainingRecord:
    path = _folder(results, key) / "record.json"
    try:
        text = read_bytes(path).decode()
        envelope = json.loads(text)
        if envelope.get("format") != FORMAT:
            raise DamagedTraining(f"{path} has format {envelope.get('format')}, expected {FORMAT}")
        record = TrainingRecord.model_validate_json(json.dumps(envelope["record"]))
    except (FileNotFoundError, StoreUnreachable):
        raise
    except PermissionError as error:
        raise _unreadable(path, error) from error
    except (OSError, ValidationError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise DamagedTraining(f"{path} is damaged: {_reason(error)}") from error
    # We hash the text, not the record written again: a field that later code adds would change that.
    if _sha256(text.partition(_RECORD)[2].removesuffix(_END)) != envelope.get("sha256"):
        raise DamagedTraining(f"{path} is damaged: its checksum does not fit")
    named = training_key(record.hyperparameters, record.seed, record.source, record.schedule_epochs)
    if not record.key == named == key:
        raise DamagedTraining(f"{path} holds training {named}")
    return record


def _read_weights(results: Results, record: TrainingRecord, epoch: int) -> Arrays:
    path = _folder(results, record.key) / _weights_name(epoch)
    return _read_arrays(path, record.epochs[epoch - 1].weights_sha256)


def _read_optimizer(results: Results, record: TrainingRecord) -> Arrays:
    path = _folder(results, record.key) / _optimizer_name(len(record.epochs))
    return _read_arrays(path, record.optimizer_sha256)


def _read_arrays(path: Path, expected: str) -> Arrays:
    try:
        # We read it first: given a path, NumPy leaves a damaged file open.
        written = read_bytes(path)
        # Unlike np.load, this reports a file that is not an archive.
        with NpzFile(io.BytesIO(written), allow_pickle=False) as content:
            arrays = [content[name] for name in content.files]
    except StoreUnreachable:
        raise
    except PermissionError as error:
        raise _unreadable(path, error) from error
    except Exception as error:  # for damaged bytes NumPy and zipfile raise more kinds than they document
        raise DamagedTraining(f"{path} is damaged: {_reason(error)}") from error
    found = hash_weights(arrays)
    if found != expected:
        raise DamagedTraining(f"{path} is damaged: its hash is {found[:12]}, expected {expected[:12]}")
    return arrays


def _unreadable(path: Path, error: PermissionError) -> UnreadableTraining:
    return UnreadableTraining(
        f"{path}{describe_owner(path)}: {error.strerror}; let its owner make it readable for you, or give "
        "another --results folder"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        detail = error.errors()[0]
        place = ".".join(map(str, detail["loc"]))
        return f"{place}: {detail['msg']}" if place else detail["msg"].removeprefix("Value error, ")
    return getattr(error, "strerror", None) or shortened(str(error), 200) or "cut short"


def _write_arrays(path: Path, arrays: Arrays) -> None:
    content = io.BytesIO()
    np.savez(content, *arrays)
    write_atomically(path, content.getvalue())


def _remove_unnamed(folder: Path, record: TrainingRecord) -> None:
    """Remove files that only an earlier record named, and those that a killed run was just writing."""
    named = {_weights_name(epoch) for epoch in record.kept_weights} | {_optimizer_name(len(record.epochs))}
    for path in (*find_paths(folder, "*.npz"), *find_paths(folder, ".*.part")):
        if path.name not in named:
            remove_path(path)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _folder(results: Results, key: str) -> Path:
    return results.trainings / key


def _weights_name(epoch: int) -> str:
    return f"weights-{epoch}.npz"


def _optimizer_name(epoch: int) -> str:
    return f"optimizer-{epoch}.npz"
