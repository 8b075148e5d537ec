"""Datasets on disk: IDX files, Fashion-MNIST's and others, and caches of memory-mapped `.npy` files."""

import gzip
import hashlib
import io
import math
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import platformdirs

from storage.results import write_atomically
from study.errors import InputError
from study.fashion_mnist import CLASS_NAMES, IMAGE_SIDE, TEST_COUNT, TRAIN_COUNT
from study.image_facts import ImageFacts
from study.spec import DataFound
from study.wording import shortened

Bytes = npt.NDArray[np.uint8]
"""Images (count, rows, columns), grey level 0..255, or labels (count,)."""

DEBIAN_FOLDER = Path("usr", "share", "datasets", "fashion-mnist")
"""Where Debian's package puts the four IDX files, below the root it is installed or unpacked in."""

MOST_BYTES = 4_000_000_000
"""The most bytes of one array of images: they are held in memory while they are read."""

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08  # the IDX type code; magic number = type code * 256 + number of dimensions


class DatasetFileError(InputError):
    """A dataset file is wrong: the message names the file, what was found and what was expected."""


class DatasetMissingError(DatasetFileError):
    """A dataset file or folder does not exist."""


@dataclass(frozen=True)
class ExpectedArray:
    """The required name, shape and content of one array: its bytes in C order, without any file header."""

    name: str
    shape: tuple[int, ...]
    sha256: str
    classes: int = len(CLASS_NAMES)

    @property
    def idx_name(self) -> str:
        """Published file name, without `.gz`."""
        return f"{self.name}-idx{len(self.shape)}-ubyte"

    @property
    def cache_name(self) -> str:
        """File name in the cache."""
        return f"{self.name}.npy"

    @property
    def magic(self) -> int:
        """IDX magic number: 2051 for images, 2049 for labels."""
        return _UNSIGNED_BYTE * 256 + len(self.shape)

    @property
    def byte_count(self) -> int:
        """Size of the array, in bytes."""
        return int(np.prod(self.shape))

    @property
    def noun(self) -> str:
        """Name of the array's content: images or labels."""
        return "labels" if len(self.shape) == 1 else "images"


class ExpectedDataset(NamedTuple):
    """The requirements on the four arrays."""

    train_images: ExpectedArray
    train_labels: ExpectedArray
    test_images: ExpectedArray
    test_labels: ExpectedArray


class DatasetArrays(NamedTuple):
    """The four arrays, uint8: images (count, rows, columns) or (count, rows, columns, 3), labels (count,)."""

    train_images: Bytes
    train_labels: Bytes
    test_images: Bytes
    test_labels: Bytes


_TRAIN_IMAGES, _TEST_IMAGES = (TRAIN_COUNT, IMAGE_SIDE, IMAGE_SIDE), (TEST_COUNT, IMAGE_SIDE, IMAGE_SIDE)
# The checksums were computed from Debian's package dataset-fashion-mnist, 0.0~git20200523.55506a9-1.
FASHION_MNIST = ExpectedDataset(
    ExpectedArray(
        "train-images", _TRAIN_IMAGES, "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012"
    ),
    ExpectedArray(
        "train-labels", (TRAIN_COUNT,), "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7"
    ),
    ExpectedArray(
        "t10k-images", _TEST_IMAGES, "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a"
    ),
    ExpectedArray(
        "t10k-labels", (TEST_COUNT,), "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"
    ),
)
"""Fashion-MNIST as published."""


def default_cache_folder() -> Path:
    """Return the user's cache folder for the dataset; on Linux it follows `XDG_CACHE_HOME`."""
    return platformdirs.user_cache_path("fashion-mnist-study") / "data"


def read_idx_folder(folder: Path, expected: ExpectedDataset = FASHION_MNIST) -> DatasetArrays:
    """Read and verify the four IDX files of a folder, each gzipped or plain.

    Raises:
        DatasetMissingError: The folder, or one of the files, does not exist.
        DatasetFileError: A file is not the published one.
    """
    with _told_of(folder):
        if not folder.is_dir():
            raise DatasetMissingError(f"{folder}: no such folder")
        missing = [array.idx_name for array in expected if _idx_path(folder, array) is None]
    if missing:
        raise DatasetMissingError(
            f"{folder}: found no {', '.join(missing)} (with or without .gz),"
            f" expected {', '.join(array.idx_name for array in expected)}"
        )
    return DatasetArrays(*(read_idx(_idx_path(folder, array) or folder, array) for array in expected))


def read_idx(path: Path, expected: ExpectedArray) -> Bytes:
    """Read one IDX file, gzipped or plain (its first bytes decide), and verify all of it.

    Returns:
        The array, uint8, of the expected shape.

    Raises:
        DatasetFileError: The file is unreadable, truncated, corrupt, or not the expected array.
    """
    header_size = 4 + 4 * len(expected.shape)
    # We request one byte more than expected: it shows a payload that is too long, limits what a hostile
    # gzip can unpack, and makes gzip reach the end of the stream, where its own checksum is.
    content = _read_bytes(path, header_size + expected.byte_count + 1)
    _check_kind(path, content)
    _check_header(path, content, expected, header_size)
    payload = len(content) - header_size
    if payload != expected.byte_count:
        found = str(payload) if payload < expected.byte_count else "more"
        raise DatasetFileError(
            f"{path}: found {found} bytes of {expected.noun} after the header, expected {expected.byte_count}"
        )
    array = np.frombuffer(content, np.uint8, offset=header_size).reshape(expected.shape)
    _verify_content(path, array, expected)
    return array


def read_any_idx(path: Path, noun: str, dimensions: int) -> Bytes:
    """Read an IDX file of bytes, gzipped or plain, of any size: images (n, height, width) or labels (n,).

    Raises:
        DatasetFileError: The file is unreadable, truncated, corrupt, or holds something else.
    """
    size = 4 + 4 * dimensions
    header, wanted = _read_bytes(path, size), _UNSIGNED_BYTE * 256 + dimensions
    _check_kind(path, header)
    if len(header) < size:
        raise DatasetFileError(f"{path}: found {len(header)} bytes, expected a header of {size} bytes")
    magic, *shape = struct.unpack(f">{size // 4}I", header)
    if magic != wanted:
        raise DatasetFileError(f"{path}: found magic number {magic}, expected {wanted} ({noun})")
    byte_count = math.prod(shape)
    if not 0 < byte_count <= MOST_BYTES:
        raise DatasetFileError(
            f"{path}: its header says {' x '.join(map(str, shape))} bytes, expected 1 to {MOST_BYTES:,}"
        )
    payload = len(content := _read_bytes(path, size + byte_count + 1)) - size
    if payload != byte_count:
        found = str(payload) if payload < byte_count else "more"
        raise DatasetFileError(
            f"{path}: found {found} bytes of {noun} after the header, expected {byte_count}"
        )
    return np.frombuffer(content, np.uint8, offset=size).reshape(shape)


def expect(found: DataFound) -> ExpectedDataset:
    """Return the requirements on the arrays of what was found at a source."""
    image, classes = found.images.array_shape, found.images.classes
    train, test = (found.train_count,), (found.test_count,)
    shapes = {"train-images": train + image, "train-labels": train, "test-images": test + image}
    shapes["test-labels"] = test
    pairs = zip(shapes.items(), found.sha256, strict=True)
    return ExpectedDataset(*(ExpectedArray(name, shape, sha256, classes) for (name, shape), sha256 in pairs))


def own_folder(cache: Path, expected: ExpectedDataset, images: ImageFacts) -> Path:
    """Return the folder of other arrays than Fashion-MNIST's: the same content has the same folder."""
    named = " ".join([*(array.sha256 for array in expected), *map(str, images.sizes)])
    return cache / "own" / hashlib.sha256(named.encode()).hexdigest()[:16]


def read_found(cache: Path, key: str) -> DataFound | None:
    """Return what was found at a source, by a hash of all that decides it; None if unknown or damaged."""
    try:
        return DataFound.model_validate_json((cache / "own" / f"{key}.json").read_bytes())
    except (OSError, ValueError):
        return None


def write_found(cache: Path, key: str, found: DataFound) -> None:
    """Keep what was found at a source.

    Raises:
        DatasetFileError: The folder cannot be written.
    """
    path = cache / "own" / f"{key}.json"
    with _told_of(path):
        write_atomically(path, found.model_dump_json(indent=1).encode())


def write_cache(folder: Path, arrays: DatasetArrays, expected: ExpectedDataset = FASHION_MNIST) -> None:
    """Write the four arrays as `.npy` files, each atomically, so that a reader sees the old or the new file.

    Raises:
        DatasetFileError: The folder cannot be written.
    """
    with _told_of(folder):
        for array, expected_array in zip(arrays, expected, strict=True):
            content = io.BytesIO()
            np.save(content, array, allow_pickle=False)
            write_atomically(folder / expected_array.cache_name, content.getvalue())


def read_cache(folder: Path, expected: ExpectedDataset = FASHION_MNIST) -> DatasetArrays:
    """Open the cache memory-mapped and verify all of it, checksums too.

    Raises:
        DatasetMissingError: A file does not exist.
        DatasetFileError: A file is damaged.
    """
    arrays = DatasetArrays(*(open_cached(folder, array) for array in expected))
    for array, expected_array in zip(arrays, expected, strict=True):
        _verify_content(folder / expected_array.cache_name, array, expected_array)
    return arrays


def open_cached(folder: Path, expected: ExpectedArray) -> Bytes:
    """Open one array of the cache memory-mapped, read-only, checking existence, type, shape and file size.

    Raises:
        DatasetMissingError: The file does not exist.
        DatasetFileError: The file is damaged.
    """
    path = folder / expected.cache_name
    header = _npy_header(expected)
    with _told_of(path):
        with path.open("rb") as file:
            found_header = file.read(len(header))
        size = path.stat().st_size
    # Compared, not parsed: on a damaged header NumPy raises tokenizer and syntax errors besides ValueError.
    if found_header != header:
        raise DatasetFileError(
            f"{path}: found another .npy header, expected that of uint8 {expected.noun} {expected.shape}"
        )
    if size != len(header) + expected.byte_count:
        raise DatasetFileError(f"{path}: found {size} bytes, expected {len(header) + expected.byte_count}")
    return np.memmap(path, np.uint8, mode="r", offset=len(header), shape=expected.shape)


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """Turn the system's errors into one line that names the path."""
    try:
        yield
    except FileNotFoundError as error:
        raise DatasetMissingError(f"{path}: no such file") from error
    except OSError as error:
        raise DatasetFileError(f"{path}: {error.strerror or shortened(str(error), 200)}") from error


def _npy_header(expected: ExpectedArray) -> bytes:
    header = io.BytesIO()
    form = {"descr": "|u1", "fortran_order": False, "shape": expected.shape}
    np.lib.format.write_array_header_1_0(header, form)
    return header.getvalue()


def _idx_path(folder: Path, expected: ExpectedArray) -> Path | None:
    paths = (folder / f"{expected.idx_name}.gz", folder / expected.idx_name)
    return next((path for path in paths if path.is_file()), None)


def _read_bytes(path: Path, limit: int) -> bytes:
    """Return at most `limit` bytes of the file's decompressed content."""
    with _told_of(path), path.open("rb") as file:
        if file.read(len(_GZIP_MAGIC)) != _GZIP_MAGIC:
            file.seek(0)
            return file.read(limit)
        file.seek(0)
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                return unpacked.read(limit)
        except EOFError as error:
            size = path.stat().st_size
            raise DatasetFileError(
                f"{path}: found a gzip file cut short at {size} bytes, expected a whole one"
            ) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DatasetFileError(
                f"{path}: found a corrupt gzip file ({shortened(str(error), 200)}), expected a sound one"
            ) from error


_OTHER_KINDS = {
    b"<": "a web page, perhaps of a portal or a login; download the file itself",
    b"version https://git-lfs": "a pointer of Git LFS; run `git lfs pull` where it is from",
    b"PK\x03\x04": "a zip file; unpack it, and give the files in it",
    _GZIP_MAGIC: "a gzip file within a gzip file; unpack it once",
}
"""What lies under a dataset file's name, by its first bytes, and what to do."""


def _check_kind(path: Path, content: bytes) -> None:
    start = content[:100].removeprefix(b"\xef\xbb\xbf").lstrip()
    for beginning, kind in _OTHER_KINDS.items():
        if start.startswith(beginning):
            raise DatasetFileError(f"{path}: is {kind}")


_KNOWN_COUNTS = {
    "EMNIST letters": (124_800, 20_800, 88_800, 14_800),
    "EMNIST balanced": (112_800, 18_800),
    "EMNIST by class or by merge": (697_932, 116_323),
    "EMNIST digits": (240_000, 40_000),
}
"""Training and test images of datasets that people take for this one (Cohen and others 2017, EMNIST)."""
_KNOWN_BRIGHTNESS = {"the digits of MNIST": 0.1307, "KMNIST": 0.1918, "EMNIST": 0.1733}
"""Mean of all training pixels, of 1, as commonly used to normalise them; Fashion-MNIST's is 0.2860."""


def _likely(names: Iterable[str]) -> str:
    return "".join(f"; these look like {name}, not Fashion-MNIST" for name in names)


def _check_header(path: Path, content: bytes, expected: ExpectedArray, header_size: int) -> None:
    if len(content) < header_size:
        raise DatasetFileError(
            f"{path}: found {len(content)} bytes, expected a header of {header_size} bytes"
        )
    magic, *shape = struct.unpack(f">{header_size // 4}I", content[:header_size])
    if magic != expected.magic:
        kind = {2049: " (labels)", 2051: " (images)"}.get(magic, "")
        raise DatasetFileError(
            f"{path}: found magic number {magic}{kind}, expected {expected.magic} ({expected.noun})"
        )
    if shape[0] != expected.shape[0]:
        likely = _likely(name for name, counts in _KNOWN_COUNTS.items() if shape[0] in counts)
        raise DatasetFileError(
            f"{path}: found {shape[0]} {expected.noun}, expected {expected.shape[0]}{likely}"
        )
    if tuple(shape) != expected.shape:
        found, wanted = (" x ".join(map(str, sides[1:])) for sides in (shape, expected.shape))
        raise DatasetFileError(f"{path}: found {expected.noun} of {found} pixels, expected {wanted}")


def _verify_content(path: Path, array: Bytes, expected: ExpectedArray) -> None:
    """Check label range and SHA-256 of an array from the file `path`."""
    if expected.noun == "labels" and array.max(initial=0) >= expected.classes:
        index = int(np.argmax(array >= expected.classes))
        raise DatasetFileError(
            f"{path}: found label {array[index]} at index {index}, expected 0 to {expected.classes - 1}"
        )
    found = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
    if found != expected.sha256:
        mean = array.mean() / 255
        known = (name for name, usual in _KNOWN_BRIGHTNESS.items() if abs(mean - usual) < 0.004)
        likely = _likely(known if expected.noun == "images" else ())
        raise DatasetFileError(
            f"{path}: found {expected.noun} with SHA-256 {found}, expected {expected.sha256}{likely}"
        )
