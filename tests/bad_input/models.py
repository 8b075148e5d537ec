"""Model files to classify with that are damaged, of another kind, or hostile."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.bad_input.case import Case
from tests.bad_input.sound import boot, model, write_picture


def _model(name: str, make: Callable[[Path], object]) -> Callable[[Path], list[object]]:
    def prepare(folder: Path) -> list[object]:
        write_picture(folder / "boot.png", boot())
        make(folder / name)
        return ["predict", name, "boot.png"]

    return prepare


def _with_config(change: Callable[[dict[str, object]], object]) -> Callable[[Path], list[object]]:
    """The sound model with another description of its layers."""

    def make(path: Path) -> None:
        with zipfile.ZipFile(model()) as sound, zipfile.ZipFile(path, "w") as made:
            for name in sound.namelist():
                content = sound.read(name)
                if name == "config.json":
                    content = json.dumps(change(json.loads(content))).encode()
                made.writestr(name, content)

    return _model("model.keras", make)


def _program(config: dict[str, object]) -> object:
    return {**config, "module": "os", "class_name": "system", "config": {"command": "touch pwned"}}


def _unreadable(folder: Path) -> list[object]:
    (folder / "model.keras").touch(mode=0)
    return ["predict", "model.keras", "boot.png"]


CASES = (
    Case("a folder", _model("model.keras", lambda path: path.mkdir())),
    Case("a file that may not be read", _unreadable, unprivileged=True),
    Case("an empty file", _model("model.keras", lambda path: path.touch())),
    Case("a text", _model("model.keras", lambda path: path.write_text("no model"))),
    Case("a description that names a program", _with_config(_program)),
    Case("a description that is a list", _with_config(lambda config: [config])),
)
