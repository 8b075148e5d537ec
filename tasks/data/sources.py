"""The dataset's possible sources, in order: the first that has it is used."""

import logging
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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
from study.wording import shortened
from tasks.data.download import ADDRESS, STALL_SECONDS, download_dataset
from tasks.environment import users_keras_home

logger = logging.getLogger(__name__)

CACHE = "cache"
"""Name of the source that is the cache itself."""

DEBIAN_PACKAGE = "dataset-fashion-mnist"

PROGRAM_SECONDS = 3600
"""Longest time of apt's programs: a backstop, as they end a silent connection themselves."""


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
        Source("Keras's cache", partial(read_idx_folder, keras_folder())),
        Source("Keras's download", partial(download_dataset, cache / "download")),
        Source("Debian's package, fetched", fetch_debian_package),
    )


def keras_folder() -> Path:
    """Return the folder in which Keras keeps the files that it has downloaded."""
    return Path(users_keras_home(), "datasets", "fashion-mnist")


def read_given_folder(folder: Path, expected: ExpectedDataset = FASHION_MNIST) -> DatasetArrays:
    """Read the folder the user gave: the four published files, or a cache, which `study data` prints.

    Raises:
        InputError: It lacks the dataset; the message says what to do.
    """
    is_cache = any((folder / array.cache_name).is_file() for array in expected)
    try:
        return read_cache(folder, expected) if is_cache else read_idx_folder(folder, expected)
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
            reasons.append(f"{source.name}: {shortened(str(error), 300)}")
    files = [f"{ADDRESS}/{array.idx_name}.gz" for array in expected]
    lines = [
        "no source has the dataset:",
        *(f"  {reason}" for reason in reasons),
        "Fetch these files with a browser, or those of the same names from",
        "https://github.com/zalandoresearch/fashion-mnist, and run `study data --data FOLDER`:",
        *(f"  {file}" for file in files),
        f"On Debian and Ubuntu `apt install {DEBIAN_PACKAGE}` also does.",
    ]
    raise InputError("\n".join(lines))


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
        "Acquire::http::Timeout": f"{STALL_SECONDS:.0f}",
        "Acquire::https::Timeout": f"{STALL_SECONDS:.0f}",
        "Acquire::Retries": "1",
    }
    return ["-qq", *(f"-o{key}={value}" for key, value in values.items())]


def _private_apt_folders(folder: Path) -> list[str]:
    lists, cache = folder / "lists", folder / "cache"
    (lists / "partial").mkdir(parents=True)
    (cache / "archives" / "partial").mkdir(parents=True)
    return [f"-oDir::State::Lists={lists}", f"-oDir::Cache={cache}"]


def _run(command: Sequence[str], folder: Path) -> None:
    """Run a program in a folder, quietly; its last line of complaint becomes the error: it got nothing."""
    program = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROGRAM_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise DatasetMissingError(f"{program} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise DatasetMissingError(f"{program} took more than {PROGRAM_SECONDS} s") from error
    if done.returncode != 0:
        complaint = done.stderr.strip().splitlines() or ["no message"]
        raise DatasetMissingError(
            f"{program} failed with exit code {done.returncode}: {complaint[-1].strip()}"
        )
