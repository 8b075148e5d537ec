"""Folders that are none, or hold no dataset; tests/storage has every kind of damage of the files."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

from tests.bad_input.case import Case

FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip
PACKED = gzip.compress(struct.pack(">4I", 2051, 60_000, 28, 28) + bytes(9_000), compresslevel=0)
BOMB = gzip.compress(struct.pack(">4I", 2051, 60_000, 28, 28) + bytes(50_000_000))


def _folder(*names: str, content: bytes = b"", mode: int = 0o644) -> Callable[[Path], list[object]]:
    """A folder with these files, of which the first has this content and mode."""

    def prepare(folder: Path) -> list[object]:
        (folder / "data").mkdir()
        for name in names:
            (folder / "data" / name).touch()
        if names:
            (folder / "data" / names[0]).write_bytes(content)
            (folder / "data" / names[0]).chmod(mode)
        return ["data", "--data", "data"]

    return prepare


def _file(folder: Path) -> list[object]:
    (folder / "data").touch()
    return ["data", "--data", "data"]


CASES = (
    Case("a file for the folder", _file),
    Case("an empty folder", _folder()),
    Case("a folder without one of the files", _folder(*FILES[:3])),
    Case("a file that may not be read", _folder(*FILES, mode=0), unprivileged=True),
    Case("an empty file", _folder(*FILES)),
    Case("a gzip file cut short", _folder(*FILES, content=PACKED[:-20])),
    Case("a gzip file that unpacks to more than the images", _folder(*FILES, content=BOMB)),
)
