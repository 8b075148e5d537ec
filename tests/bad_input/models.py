"""Model files to classify with that are damaged, of another kind, or hostile."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.bad_input.case import Case
from tests.bad_input.sound import boot, model, save_model, write_picture


def _model(name: str, make: Callable[[Path], object]) -> Callable[[Path], list[object]]:
    def prepare(folder: Path) -> list[object]:
        write_picture(folder / "boot.png", boot())
        make(folder / name)
        return ["predict", name, "boot.png"]

    return prepare


def _layers(name: str, *layers: Callable[[], object], shape: tuple[int, ...] = (28, 28, 1)):
    return _model(name, lambda path: save_model(path, *(layer() for layer in layers), shape=shape))


def _flatten() -> object:
    import keras

    return keras.layers.Flatten()


def _dense(units: int, activation: str = "softmax") -> Callable[[], object]:
    def build() -> object:
        import keras

        return keras.layers.Dense(units, activation, kernel_initializer="ones")

    return build


def _code() -> object:
    import keras

    return keras.layers.Lambda(lambda values: values[:, :10])


def _cut(path: Path) -> None:
    save_model(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


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
    Case("a file that is not there", lambda _: ["predict", "gone.keras", "boot.png"]),
    Case("a folder", _model("model.keras", lambda path: path.mkdir())),
    Case("a file that may not be read", _unreadable, unprivileged=True),
    Case("an empty file", _model("model.keras", lambda path: path.touch())),
    Case("a text", _model("model.keras", lambda path: path.write_text("no weights"))),
    Case("a name of another kind", _model("model.pb", lambda path: path.write_bytes(model().read_bytes()))),
    Case("a .keras file cut short", _model("model.keras", _cut)),
    Case("an .h5 file cut short", _model("model.h5", _cut)),
    Case("a .keras file with code: a Lambda layer", _layers("model.keras", _flatten, _code)),
    Case("an .h5 file with code: a Lambda layer", _layers("model.h5", _flatten, _code)),
    Case("a description that names a program", _with_config(_program)),
    Case("a description that is a list", _with_config(lambda config: [config])),
    Case("a model for other pictures", _layers("model.keras", _flatten, _dense(10), shape=(32, 32, 3))),
    Case("a model of other classes", _layers("model.keras", _flatten, _dense(3))),
    Case("a model without softmax", _layers("model.keras", _flatten, _dense(10, "linear"))),
)
