"""A user's own images: recognise the source, read it once, split off a test part, keep it in the cache."""

import difflib
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from storage.dataset_files import (
    Bytes,
    DatasetArrays,
    DatasetFileError,
    DatasetMissingError,
    default_cache_folder,
    expect,
    own_folder,
    read_cache,
    read_found,
    write_cache,
    write_found,
)
from study.errors import InputError
from study.image_facts import ImageFacts
from study.spec import NAMED_SOURCES, DataFound, DataSlice
from study.wording import count, shortened, shown_path
from tasks.data.array_files import read_csv, read_npz
from tasks.data.dataset import Dataset, load_dataset, refer_to_dataset, split_held_out
from tasks.data.idx_folder import has_idx, read_idx_set
from tasks.data.keras_sets import read_keras_set
from tasks.data.labelled import Labelled, Labels, Part
from tasks.data.picture_folder import has_pictures, read_picture_folder

logger = logging.getLogger(__name__)

READER_VERSION = 1
"""Raise it with every change of a reader that changes what it returns."""

MOST_CLASSES = 256
"""Labels are kept as bytes."""

EXPECTED = (
    "an .npz file, a CSV file of pixels, a folder of IDX files or a folder of class folders of pictures; or "
    f"one of the names fashion-mnist, {', '.join(NAMED_SOURCES)}"
)

_DECIDING = ("source", "test", "test_share", "classes", "size", "channels", "arrays", "label")
"""The fields of `DataSlice` that decide what is read."""


def load_images(data: DataSlice, folder: Path | None = None) -> Dataset:
    """Find, verify and open the images that a study uses; `folder` is the given one of Fashion-MNIST.

    Raises:
        InputError: No source has them, they are damaged, or they have changed since they were found.
    """
    if not data.is_own:
        return load_dataset(folder).first(data.train_images, data.test_images)
    refuse_folder(data, folder)
    if data.found is None:
        data = find_images(data)
    dataset = refer_to_images(data)
    assert data.found is not None
    try:
        read_cache(dataset.folder or default_cache_folder(), dataset.expected)
    except DatasetFileError as error:
        logger.info("%s; reading %s again", error, data.source)
        again = _read_and_keep(data, default_cache_folder())
        if again.sha256 != data.found.sha256:
            raise InputError(
                f"{data.source}: the images have changed since the run began; start a new run"
            ) from error
    return dataset


def refuse_folder(data: DataSlice, folder: Path | None) -> None:
    """Refuse a folder of Fashion-MNIST's files where a study has other images.

    Raises:
        InputError: There is one.
    """
    if data.is_own and folder is not None:
        raise InputError(
            f"--data {folder}: it is for Fashion-MNIST, and this study's images are {data.source}; "
            "leave it out"
        )


def refer_to_images(data: DataSlice) -> Dataset:
    """Return a reference to the images that a study uses, found before, whether or not they are cached."""
    if data.found is None:
        return refer_to_dataset().first(data.train_images, data.test_images)
    expected = expect(data.found)
    where = own_folder(default_cache_folder(), expected, data.images).absolute()
    source = f"{data.source} ({'; '.join(data.found.notes)})" if data.found.notes else data.source
    counts = data.train_images, data.test_images
    return Dataset(where, source, *counts, expected, data.images, data.name)


def find_images(data: DataSlice, cache: Path | None = None) -> DataSlice:
    """Return what a study says of its images with what is there: facts, checksums and every count.

    A source whose files are unchanged is not read again.

    Raises:
        InputError: It cannot be read, or has fewer images than the study wants.
    """
    if not data.is_own or data.found is not None:
        return data
    cache = cache or default_cache_folder()
    found = read_found(cache, _sign(data)) or _read_and_keep(data, cache)
    try:
        return data.filled(found)
    except ValueError as error:
        raise InputError(f"{error}, in {data.source}; give fewer, or leave it out for all") from error


def _sign(data: DataSlice) -> str:
    """Hash all that decides what is read: the study's words, names, sizes and times of the files."""
    asked = data.model_dump(mode="json", include=set(_DECIDING))
    paths = [Path(each) for each in (data.source if data.is_path else "", data.test) if each]
    files = [_stat(file) for path in paths for file in _list_files(path)]
    text = json.dumps([READER_VERSION, asked, files], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _stat(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), status.st_size, status.st_mtime_ns


def _list_files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        for root, folders, files in os.walk(path, followlinks=True):
            folders.sort()
            yield from (Path(root, name) for name in sorted(files))
    else:
        yield from sorted(path.parent.glob(f"{path.name}*")) if path.name else ()


def _read_and_keep(data: DataSlice, cache: Path) -> DataFound:
    arrays, images, notes = read_images(data)
    found = DataFound(
        images=images,
        train_count=len(arrays.train_labels),
        test_count=len(arrays.test_labels),
        sha256=tuple(hashlib.sha256(each.data).hexdigest() for each in arrays),
        notes=notes,
    )
    expected = expect(found)
    try:
        write_cache(own_folder(cache, expected, images), arrays, expected)
        write_found(cache, _sign(data), found)
    except DatasetFileError as error:
        raise InputError(
            f"cannot write the cache: {error}; free space there, or set XDG_CACHE_HOME to another folder"
        ) from error
    logger.info("read %s: %s", data.source, "; ".join([images.describe(), *notes]))
    return found


def read_images(data: DataSlice) -> tuple[DatasetArrays, ImageFacts, tuple[str, ...]]:
    """Read a source: four arrays, the facts of the images, and what was decided in reading, in words.

    Raises:
        InputError: It cannot be read.
    """
    read = _read(data, data.source)
    if data.test:
        other = _read(data, data.test)
        read = replace(read, test=other.train, notes=(*read.notes, f"the test part is {data.test}"))
    names, train, test = _name_classes(data, read)
    notes = [*read.notes, *_shuffle_note("training", train)]
    train = _shuffled(train)
    if test is None:
        train, test = _split(data, train)
        notes.append(
            f"{len(test.labels):,} test images, {data.test_share:.0%} of each class, were split off (seed 0)"
        )
    else:
        notes += _shuffle_note("test", test)
        test = _shuffled(test)
    if train.images.shape[1:] != test.images.shape[1:]:
        sides = [" x ".join(map(str, part.images.shape[1:])) for part in (train, test)]
        raise DatasetFileError(
            f"{data.test or data.source}: found test images of {sides[1]}, expected {sides[0]} as those of "
            "training"
        )
    shape = train.images.shape[1:]
    facts = ImageFacts(
        height=shape[0], width=shape[1], channels=shape[2] if len(shape) == 3 else 1, class_names=names
    )
    return DatasetArrays(train.images, train.labels, test.images, test.labels), facts, tuple(notes)


def _read(data: DataSlice, source: str) -> Labelled:
    """Read one source by the reader that its files ask for."""
    if source in NAMED_SOURCES:
        return read_keras_set(source)
    path, has_test = Path(source), bool(data.test)
    if has_idx(path):
        return _one_part(read_idx_set(path), has_test)
    if path.is_dir():
        return _read_folder(data, path, has_test)
    if not path.exists():
        raise DatasetMissingError(_explain_missing(source))
    if path.suffix.lower() == ".csv" or path.name.lower().endswith(".csv.gz"):
        return read_csv(path, data.label, data.size)
    with path.open("rb") as file:
        begin = file.read(4)
    if path.suffix.lower() == ".npz" or begin.startswith(b"PK"):
        return read_npz(path, data.arrays, has_test)
    raise DatasetFileError(f"{path}: found a file of {_kind(path, begin)}; expected {EXPECTED}")


def _one_part(read: Labelled, has_test: bool) -> Labelled:
    return replace(read, test=None) if has_test else read


def _read_folder(data: DataSlice, folder: Path, has_test: bool) -> Labelled:
    if has_pictures(folder):
        return read_picture_folder(folder, data.size, data.channels, has_test)
    archives, tables = (sorted(folder.glob(pattern)) for pattern in ("*.npz", "*.csv"))
    if len(archives) == 1:
        return read_npz(archives[0], data.arrays, has_test)
    train, test = ([each for each in tables if part in each.stem.lower()] for part in ("train", "test"))
    if len(train) == 1 and not archives:
        read = read_csv(train[0], data.label, data.size)
        if len(test) != 1 or has_test:
            return read
        return replace(read, test=read_csv(test[0], data.label, data.size).train)
    names = sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))
    there = (
        f"{count(len(names), 'entry', 'entries')}: {shortened(', '.join(names), 100)}" if names else "nothing"
    )
    raise DatasetFileError(f"{folder}: found {there}; expected {EXPECTED}")


def _kind(path: Path, begin: bytes) -> str:
    if begin.startswith(b"\0\0\x08"):
        return "the IDX format; give its folder instead"
    return f"unknown kind ({path.suffix or 'no suffix'})"


def _explain_missing(source: str) -> str:
    path = Path(source)
    there = path.parent.iterdir() if path.parent.is_dir() else ()
    near = [each.name for each in there if each.is_dir() or each.suffix in (".npz", ".csv")]
    close = difflib.get_close_matches(path.name, [*near, *NAMED_SOURCES, "fashion-mnist"], n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"{shown_path(path)}: no such file or folder{hint}; expected {EXPECTED}"


def _name_classes(data: DataSlice, read: Labelled) -> tuple[tuple[str, ...], Part, Part | None]:
    """Return the names of the classes, and both parts with labels that are their indices, uint8."""
    distinct = _sorted_labels(data, read)
    known = data.classes or read.class_names
    is_number = read.train.labels.dtype.kind in "iub"
    if not known:
        known, order = tuple(map(str, distinct)), distinct
    elif is_number and int(distinct[0]) >= 0 and int(distinct[-1]) < len(known):
        order = list(range(len(known)))  # the label is the index, also where a class has no image
    elif set(map(str, distinct)) == set(known):
        order = [type(distinct[0])(each) for each in known]
    elif len(distinct) == len(known):
        order = distinct
    else:
        raise DatasetFileError(
            f"{data.source}: found {len(distinct)} labels, {_some(distinct)}, expected {len(known)} as "
            f"data.classes names"
        )
    if not 2 <= len(known) <= MOST_CLASSES:
        raise DatasetFileError(
            f"{data.source}: found {count(len(known), 'class', 'classes')}, {_some(list(known))}; expected 2 "
            f"to {MOST_CLASSES}"
        )
    return known, _index(read.train, order), None if read.test is None else _index(read.test, order)


def _sorted_labels(data: DataSlice, read: Labelled) -> list[Any]:
    there = set(np.unique(read.train.labels).tolist())
    unknown = sorted(
        set() if read.test is None else set(np.unique(read.test.labels).tolist()) - there, key=str
    )
    if unknown and not read.class_names:
        raise DatasetFileError(
            f"{data.test or data.source}: found test images of class {_some(unknown)}, expected only classes "
            "that training images have"
        )
    return sorted(there | set(unknown), key=lambda each: (isinstance(each, str), each))


def _some(labels: list[Any]) -> str:
    words = [str(each) for each in labels]
    return ", ".join(words if len(words) <= 5 else [*words[:4], "...", words[-1]])


def _index(part: Part, order: list[Any]) -> Part:
    places = {label: place for place, label in enumerate(order)}
    values, inverse = np.unique(part.labels, return_inverse=True)
    table = np.array([places[value] for value in values.tolist()], np.uint8)
    return replace(part, labels=table[inverse])


def _is_sorted(labels: Labels) -> bool:
    """Say whether images come class by class, so that the first ones would be of few classes."""
    return bool((np.diff(labels.astype(int)) >= 0).all() and labels[0] != labels[-1])


def _shuffle_note(part: str, images: Part) -> list[str]:
    return [f"the {part} images, which are sorted by class, were shuffled (seed 0)"] * _is_sorted(
        images.labels
    )


def _shuffled(part: Part) -> Part:
    if not _is_sorted(part.labels):
        return Part(_contiguous(part.images), part.labels)
    order = np.random.Generator(np.random.Philox(0)).permutation(len(part.labels))
    return Part(part.images[order], part.labels[order])


def _split(data: DataSlice, part: Part) -> tuple[Part, Part]:
    kept, split_off = split_held_out(part.labels, max(1, round(len(part.labels) * data.test_share)))
    return (
        Part(part.images[kept], part.labels[kept]),
        Part(part.images[split_off], part.labels[split_off]),
    )


def _contiguous(images: Bytes) -> Bytes:
    return np.ascontiguousarray(images)
