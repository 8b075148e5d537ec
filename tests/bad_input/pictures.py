"""Pictures to classify: those that are none, and odd ones that are answered all the same."""

import os
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.bad_input.case import Case
from tests.bad_input.sound import boot, model, write_picture

Make = Callable[[Path], object]
"""Makes the picture at a path."""


def _picture(name: str, make: Make) -> Callable[[Path], list[object]]:
    def prepare(folder: Path) -> list[object]:
        shutil.copyfile(model(), folder / "model.keras")
        make(folder / name)
        return ["predict", "model.keras", name]

    return prepare


def _cut(path: Path) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (64, 64), dtype=np.uint8)
    write_picture(path, noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _huge(path: Path, side: int = 40_000) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    parts = header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


def _large(path: Path) -> None:
    write_picture(path, np.kron(boot(), np.ones((214, 214), np.uint8)))


def _animated(path: Path) -> None:
    frames = [Image.fromarray(np.roll(boot(), step, axis=0)) for step in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=50)


def _with_alpha(path: Path) -> None:
    write_picture(path, np.dstack([boot()] * 3 + [np.where(boot() > 0, 255, 0).astype(np.uint8)]))


def _with(*arguments: object) -> Callable[[Path], list[object]]:
    def prepare(folder: Path) -> list[object]:
        write_picture(folder / "boot.png", boot())
        (folder / "empty").mkdir()
        shutil.copyfile(model(), folder / "model.keras")
        return ["predict", "model.keras", *arguments]

    return prepare


CASES = (
    Case("a folder without pictures", _with("empty")),
    Case("a pattern, which only a shell expands", _with("*.jpg")),
    Case("no class to list", _with("boot.png", "--top", "0")),
    Case("overlays into what is no folder", _with("boot.png", "--overlay", "model.keras")),
    Case("a file that is not there", _picture("gone.png", lambda path: None)),
    Case("a folder", _picture("boot.png", lambda path: path.mkdir())),
    Case("a pipe", _picture("boot.png", os.mkfifo)),
    Case("an empty file", _picture("boot.png", lambda path: path.touch())),
    Case("a text", _picture("boot.png", lambda path: path.write_text("not pixels"))),
    Case("a drawing that is no pixels", _picture("boot.svg", lambda path: path.write_text("<svg/>"))),
    Case("a PNG cut short", _picture("boot.png", _cut)),
    Case("a JPEG cut short", _picture("boot.jpg", _cut)),
    Case("a picture of 40,000 x 40,000 pixels", _picture("boot.png", _huge)),
    Case("a picture without pixels", _picture("boot.pgm", lambda path: path.write_bytes(b"P5 0 0 255\n"))),
    Case(
        "32-bit whole numbers",
        _picture("boot.tiff", lambda path: write_picture(path, boot().astype(np.int32))),
    ),
)

FINE = (
    Case("one pixel", _picture("dot.png", lambda path: write_picture(path, boot()[14:15, 14:15])), 0),
    Case(
        "a line of 1 x 100,000 pixels",
        _picture("line.png", lambda path: write_picture(path, np.zeros((1, 100_000), np.uint8))),
        0,
    ),
    Case("6,000 x 6,000 pixels", _picture("large.png", _large), 0),
    Case("16-bit", _picture("deep.png", lambda path: write_picture(path, boot().astype(np.uint16) * 257)), 0),
    Case(
        "fractions",
        _picture("light.tiff", lambda path: write_picture(path, boot().astype(np.float32) / 255)),
        0,
    ),
    Case("black and white", _picture("two.png", lambda path: Image.fromarray(boot() > 90).save(path)), 0),
    Case("a cut-out, with transparency", _picture("cut-out.png", _with_alpha), 0),
    Case("an animated GIF: its first picture", _picture("moving.gif", _animated), 0),
    Case("an animated PNG: its first picture", _picture("moving.png", _animated), 0),
    Case("a light background", _picture("light.png", lambda path: write_picture(path, 255 - boot())), 0),
)  # fmt: skip
