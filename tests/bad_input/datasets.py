"""Folders that are none, or hold no dataset; tests/storage has every kind of damage of the files."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.bad_input.case import Case
from tests.labelled_images import GREY, LABELS, write_idx, write_picture

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


def _own(source: str, make: Callable[[Path], object]) -> Callable[[Path], list[object]]:
    """A study whose images lie in a file or folder that `make` makes."""

    def prepare(folder: Path) -> list[object]:
        make(folder / source)
        (folder / "mine.yaml").write_text(
            f"name: mine\ntitle: T\ndata: {source}\nexercises:\n"
            "  - {number: 1, kind: images, title: T, question: Q?}\n"
        )
        return ["data", "mine.yaml"]

    return prepare


def _pictures(folder: Path) -> None:
    for name in ("cats", "dogs"):
        write_picture(folder / name / "1.png", GREY[0])
    (folder / "dogs" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\ncut")


CASES = (
    Case("images of one's own that are missing", _own("set.npz", lambda path: None)),
    Case("an .npz file that is text", _own("set.npz", lambda path: path.write_text("text"))),
    Case("an .npz file of other names", _own("set.npz", lambda path: np.savez(path, a=GREY, b=LABELS))),
    Case("a table without labels", _own("set.csv", lambda path: path.write_text("a,b\n1,2\n"))),
    Case("a folder without images", _own("set", lambda path: path.mkdir())),
    Case("a damaged picture in a class folder", _own("set", _pictures)),
    Case("IDX images without labels", _own("set", lambda path: write_idx(path / FILES[0], GREY))),
    Case("a file for the folder", _file),
    Case("an empty folder", _folder()),
    Case("a folder without one of the files", _folder(*FILES[:3])),
    Case("a file that may not be read", _folder(*FILES, mode=0), unprivileged=True),
    Case("an empty file", _folder(*FILES)),
    Case("a gzip file cut short", _folder(*FILES, content=PACKED[:-20])),
    Case("a gzip file that unpacks to more than the images", _folder(*FILES, content=BOMB)),
)
