"""Pictures to classify: those that are none, and odd ones that are answered all the same."""

import os
import shutil
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


def _large(path: Path) -> None:
    write_picture(path, np.kron(boot(), np.ones((214, 214), np.uint8)))


def _animated(path: Path) -> None:
    frames = [Image.fromarray(np.roll(boot(), step, axis=0)) for step in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=50)


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
    Case("a pipe", _picture("boot.png", os.mkfifo)),
    Case("a drawing that is no pixels", _picture("boot.svg", lambda path: path.write_text("<svg/>"))),
    Case("a picture without pixels", _picture("boot.pgm", lambda path: path.write_bytes(b"P5 0 0 255\n"))),
)

FINE = (
    Case("6,000 x 6,000 pixels", _picture("large.png", _large), 0),
    Case("black and white", _picture("two.png", lambda path: Image.fromarray(boot() > 90).save(path)), 0),
    Case("an animated GIF: its first picture", _picture("moving.gif", _animated), 0),
    Case("an animated PNG: its first picture", _picture("moving.png", _animated), 0),
)  # fmt: skip
