"""Dataset files that are not the published ones."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.bad_input.case import Case
from tests.bad_input.sound import dataset_folder

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
FILES = (IMAGES, LABELS, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def _header(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def _given(name: str, content: bytes) -> Callable[[Path], list[object]]:
    """The four files as published, but one of them."""

    def prepare(folder: Path) -> list[object]:
        data = folder / "data"
        data.mkdir()
        for each in FILES:
            if each != name.removesuffix(".gz"):
                (data / each).symlink_to(dataset_folder() / each)
        (data / name).write_bytes(content)
        return ["data", "--data", "data"]

    return prepare


def _swapped(one: str, other: str) -> Callable[[Path], list[object]]:
    def prepare(folder: Path) -> list[object]:
        names = {one: other, other: one}
        (folder / "data").mkdir()
        for each in FILES:
            (folder / "data" / names.get(each, each)).symlink_to(dataset_folder() / each)
        return ["data", "--data", "data"]

    return prepare


def _labels(change: Callable[[np.ndarray], object]) -> Callable[[Path], list[object]]:
    def prepare(folder: Path) -> list[object]:
        content = (dataset_folder() / LABELS).read_bytes()
        labels = np.frombuffer(content, np.uint8, offset=8).copy()
        change(labels)
        return _given(LABELS, content[:8] + labels.tobytes())(folder)

    return prepare


def _empty(folder: Path) -> list[object]:
    (folder / "data").mkdir()
    return ["data", "--data", "data"]


def _missing(folder: Path) -> list[object]:
    _given(LABELS, b"")(folder)
    (folder / "data" / LABELS).unlink()
    return ["data", "--data", "data"]


def _file(folder: Path) -> list[object]:
    (folder / "data").touch()
    return ["data", "--data", "data"]


def _unreadable(folder: Path) -> list[object]:
    _given(IMAGES, b"")(folder)
    (folder / "data" / IMAGES).chmod(0)
    return ["data", "--data", "data"]


PACKED = gzip.compress(_header(2051, 60_000, 28, 28) + bytes(9_000), compresslevel=0, mtime=0)
DAMAGED = PACKED[:-8] + bytes(4) + PACKED[-4:]  # its own checksum
BOMB = gzip.compress(_header(2051, 60_000, 28, 28) + bytes(50_000_000), mtime=0)

CASES = (
    Case("a folder that is not there", lambda _: ["data", "--data", "nowhere"]),
    Case("a file for the folder", _file),
    Case("an empty folder", _empty),
    Case("a folder without one of the files", _missing),
    Case("a file that may not be read", _unreadable, unprivileged=True),
    Case("an empty file", _given(IMAGES, b"")),
    Case("a gzip file cut short", _given(f"{IMAGES}.gz", PACKED[:-20])),
    Case("a corrupt gzip file", _given(f"{IMAGES}.gz", DAMAGED)),
    Case("a gzip file that unpacks to more than the images", _given(f"{IMAGES}.gz", BOMB)),
    Case("a header cut short", _given(IMAGES, _header(2051, 60_000))),
    Case("images cut short", _given(IMAGES, _header(2051, 60_000, 28, 28) + bytes(1000))),
    Case("another magic number", _given(IMAGES, _header(2052, 60_000, 28, 28))),
    Case("images and labels swapped", _swapped(IMAGES, LABELS)),
    Case("training and test images swapped", _swapped(IMAGES, FILES[2])),
    Case("another number of images", _given(IMAGES, _header(2051, 59_999, 28, 28))),
    Case("images of another size", _given(IMAGES, _header(2051, 60_000, 32, 32))),
    Case("a label out of range", _labels(lambda labels: labels.__setitem__(7, 10))),
    Case("labels in another order", _labels(lambda labels: labels.sort())),
)
