"""The dataset's possible sources, in order: the first that has it is used."""

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from storage.dataset_files import (
    DEBIAN_FOLDER,
    FASHION_MNIST,
    DatasetArrays,
    DatasetMissingError,
    ExpectedDataset,
    read_cache,
    read_idx_folder,
)
from study.errors import InputError

logger = logging.getLogger(__name__)

CACHE = "cache"
"""Name of the source that is the cache itself."""

DEBIAN_PACKAGE = "dataset-fashion-mnist"

STALL_SECONDS = 10
"""Longest wait on a silent connection."""

DOWNLOAD_SECONDS = 180
"""Longest time of one download: 30 MB at 170 kB/s."""

_KERAS_DOWNLOAD = """
import signal, socket, sys
def stop(*_):
    raise TimeoutError("not finished in the time allowed")
signal.signal(signal.SIGALRM, stop)  # an exception, not a kill: on it Keras removes its half-fetched file
signal.alarm(int(sys.argv[1]))
socket.setdefaulttimeout(float(sys.argv[2]))
import keras, numpy
train, test = keras.datasets.fashion_mnist.load_data()
for path, array in zip(sys.argv[3:], (*train, *test), strict=True):
    with open(path, "wb") as file:
        numpy.save(file, array, allow_pickle=False)
"""


@dataclass(frozen=True)
class Source:
    """One place the dataset may come from; `read` raises InputError with the reason if it does not."""

    name: str
    read: Callable[[ExpectedDataset], DatasetArrays]


def default_sources(cache: Path) -> tuple[Source, ...]:
    """Return the sources in the order of trying."""
    return (
        Source(CACHE, partial(read_cache, cache)),
        Source("Debian's package, installed", partial(read_idx_folder, Path("/") / DEBIAN_FOLDER)),
        Source("Keras's download", fetch_with_keras),
        Source("Debian's package, fetched", fetch_debian_package),
    )


def read_given_folder(folder: Path, expected: ExpectedDataset = FASHION_MNIST) -> DatasetArrays:
    """Read the folder the user gave; it must have the dataset.

    Raises:
        InputError: It lacks the dataset; the message says what to do.
    """
    try:
        return read_idx_folder(folder, expected)
    except InputError as error:
        raise InputError(
            f"{error}; put the published file there, or leave --data out and the dataset is fetched"
        ) from error


def read_first(
    sources: Sequence[Source], expected: ExpectedDataset = FASHION_MNIST
) -> tuple[DatasetArrays, str]:
    """Return the arrays of the first source that has them, and the name of that source.

    A source that is empty or not reached is logged as INFO, a damaged one as WARNING.

    Raises:
        InputError: No source has the dataset; the message says why each failed, and what to do.
    """
    reasons = []
    for source in sources:
        try:
            return source.read(expected), source.name
        except (InputError, OSError) as error:
            absent = isinstance(error, DatasetMissingError)
            logger.log(
                logging.INFO if absent else logging.WARNING, "no dataset from %s: %s", source.name, error
            )
            reasons.append(f"{source.name} ({error})")
    raise InputError(
        f"no source has the dataset; tried: {'; '.join(reasons)}."
        f" Run `study data --data FOLDER` with a folder of the files"
        f" {', '.join(f'{array.idx_name}.gz' for array in expected)}, or `apt install {DEBIAN_PACKAGE}`"
    )


def fetch_with_keras(expected: ExpectedDataset = FASHION_MNIST) -> DatasetArrays:
    """Fetch the dataset by `keras.datasets.fashion_mnist.load_data`, in a child process.

    The child keeps TensorFlow, its memory and its threads out of this process.

    Raises:
        InputError: Keras failed, or its download is not the published dataset.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder, array.cache_name)) for array in expected]
        limits = [str(DOWNLOAD_SECONDS), str(STALL_SECONDS)]
        # No GPU; -P: no module from this folder.
        settings = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        _run([sys.executable, "-P", "-c", _KERAS_DOWNLOAD, *limits, *paths], Path(folder), settings)
        # Copied into memory, before the mapped files are removed.
        return DatasetArrays(*map(np.array, read_cache(Path(folder), expected)))


def fetch_debian_package(expected: ExpectedDataset = FASHION_MNIST) -> DatasetArrays:
    """Fetch Debian's package and unpack it into a temporary folder; without root or installation.

    Raises:
        InputError: apt-get or dpkg-deb failed, or the package holds something else.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _download_package(folder)
        packages = list(folder.glob(f"{DEBIAN_PACKAGE}_*.deb"))
        if len(packages) != 1:
            raise InputError(f"apt-get left {len(packages)} packages, expected 1")
        _run(["dpkg-deb", "-x", str(packages[0]), "unpacked"], folder)
        return read_idx_folder(folder / "unpacked" / DEBIAN_FOLDER, expected)


def _download_package(folder: Path) -> None:
    """Download the package with the system's package lists, or else with fresh lists of our own."""
    try:
        _run(["apt-get", *_apt_options(), "download", DEBIAN_PACKAGE], folder)
    except InputError as error:
        logger.info("the system's package lists do not work (%s): fetching our own lists", error)
        private = _private_apt_folders(folder)
        _run(["apt-get", *_apt_options(), *private, "update"], folder)
        _run(["apt-get", *_apt_options(), *private, "download", DEBIAN_PACKAGE], folder)


def _apt_options() -> list[str]:
    # Sandbox user root: otherwise apt, run by root, downloads as a user without access to this folder.
    values = {
        "APT::Sandbox::User": "root",
        "Acquire::http::Timeout": str(STALL_SECONDS),
        "Acquire::https::Timeout": str(STALL_SECONDS),
        "Acquire::Retries": "1",
    }
    return ["-qq", *(f"-o{key}={value}" for key, value in values.items())]


def _private_apt_folders(folder: Path) -> list[str]:
    lists, cache = folder / "lists", folder / "cache"
    (lists / "partial").mkdir(parents=True)
    (cache / "archives" / "partial").mkdir(parents=True)
    return [f"-oDir::State::Lists={lists}", f"-oDir::Cache={cache}"]


def _run(command: Sequence[str], folder: Path, settings: Mapping[str, str] | None = None) -> None:
    """Run a program in a folder, quietly; its last line of complaint becomes the error: it got nothing."""
    program = Path(command[0]).name
    limit = DOWNLOAD_SECONDS + 2 * STALL_SECONDS  # a backstop: the programs' own limits should come first
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(settings or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
            check=False,
        )
    except FileNotFoundError as error:
        raise DatasetMissingError(f"{program} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise DatasetMissingError(f"{program} took more than {limit} s") from error
    if done.returncode != 0:
        complaint = done.stderr.strip().splitlines() or ["no message"]
        raise DatasetMissingError(
            f"{program} failed with exit code {done.returncode}: {complaint[-1].strip()}"
        )
