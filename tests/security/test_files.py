"""What lies in folders is data: nothing that is read from them runs code, and no module of ours could."""

import ast
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from storage.dataset_files import DatasetFileError, read_cache
from storage.results import Results
from storage.trainings import DamagedTraining, read_checkpoint, verify_training
from study.errors import InputError
from tests.storage.test_dataset_files import ARRAYS, EXPECTED
from tests.storage.test_trainings import save

PROJECT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    path for name in ("flows", "tasks", "storage", "study") for path in (PROJECT / name).rglob("*.py")
)
FORBIDDEN_MODULES = {
    "pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "yaml",
}  # fmt: skip
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "system", "popen", "read_pickle", "to_pickle",
    "enable_unsafe_deserialization",
}  # fmt: skip
REQUIRED_VALUES = {"allow_pickle": False, "safe_mode": True, "shell": False, "typ": "safe"}
"""Arguments that decide whether reading can run code, and the one value each may have."""


class Trap:
    """Whoever unpickles it makes a folder."""

    def __init__(self, planted: Path) -> None:
        self.planted = planted

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.planted),)


def make_trap(planted: Path) -> np.ndarray:
    return np.array([Trap(planted)], dtype=object)


def test_the_trap_of_these_tests_does_snap(tmp_path: Path, planted: Path):
    np.savez(tmp_path / "trap.npz", make_trap(planted))
    with np.load(tmp_path / "trap.npz", allow_pickle=True) as content:
        assert content["arr_0"] is not None
    assert planted.is_dir()


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    return tmp_path / "planted"


@pytest.mark.parametrize("name", ["weights-5.npz", "optimizer-5.npz"])
def test_a_pickle_among_a_trainings_weights_or_its_optimizers_is_refused_unread(
    results: Results, planted: Path, name: str
):
    record = save(results)
    np.savez(results.trainings / record.key / name, make_trap(planted))
    with pytest.raises(
        DamagedTraining, match=f"{name} is damaged: Object arrays cannot be loaded when allow_pickle"
    ):
        verify_training(results, record.key)
    assert read_checkpoint(results, record) is None
    assert not planted.exists()


@pytest.mark.parametrize("name", [expected.cache_name for expected in EXPECTED])
def test_a_pickle_in_the_datasets_cache_is_refused_unread(tmp_path: Path, planted: Path, name: str):
    for array, expected in zip(ARRAYS, EXPECTED, strict=True):
        np.save(tmp_path / expected.cache_name, array)
    np.save(tmp_path / name, make_trap(planted))
    with pytest.raises(DatasetFileError, match=r"found another .npy header, expected that of uint8"):
        read_cache(tmp_path, EXPECTED)
    assert not planted.exists()


@pytest.mark.parametrize("name", ["code.keras", "code.h5"])
def test_code_in_a_saved_model_is_refused_and_not_run(tmp_path: Path, planted: Path, name: str):
    import keras

    from tasks.model.given_model import load_model

    trap = keras.layers.Lambda(
        eval(f"lambda x: (__import__('os').makedirs({str(planted)!r}, exist_ok=True), x)[1]")
    )
    logging.getLogger("absl").setLevel(logging.ERROR)  # Keras calls .h5 legacy
    keras.Sequential([keras.Input((28, 28, 1)), trap, keras.layers.Flatten()]).save(tmp_path / name)
    planted.rmdir()  # building the model has run it
    with pytest.raises(InputError, match=f"{name}: Keras cannot load this model: .*Lambda"):
        load_model(tmp_path / name)
    assert not planted.exists()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_no_module_of_ours_can_run_code_from_a_file(path: Path):
    assert list_dangers(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle", "from pickle import loads", "import numpy, joblib.x", "import yaml", "eval('1')",
        "builtins.exec(x)", "os.system('x')", "pd.read_pickle(x)", "np.load(x, allow_pickle=True)",
        "np.load(x, allow_pickle=flag)", "YAML(typ='unsafe')", "subprocess.run(x, shell=True)",
        "load_model(x, safe_mode=False)", "YAML()", "importlib.import_module('pickle')",
    ],
)  # fmt: skip
def test_the_test_above_finds_what_it_looks_for(code: str):
    assert len(list_dangers(ast.parse(code))) == 1


def list_dangers(tree: ast.AST) -> list[str]:
    """Imports, calls and arguments by which a program may run what it reads, with their lines."""
    return [
        f"line {node.lineno}: {danger}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call)
        for danger in _dangers_of(node)
    ]


def _dangers_of(node: ast.Import | ast.ImportFrom | ast.Call) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names if each.name.split(".")[0] in FORBIDDEN_MODULES]
    if isinstance(node, ast.ImportFrom):
        return [node.module] if node.module and node.module.split(".")[0] in FORBIDDEN_MODULES else []
    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
    arguments = {each.arg: getattr(each.value, "value", "computed") for each in node.keywords}
    words = [each.value for each in node.args if isinstance(each, ast.Constant)]
    return [
        *(
            [called]
            if called in FORBIDDEN_CALLS and ast.unparse(node.func) not in ("re.compile", "model.compile")
            else []
        ),
        *(
            f"{name}={arguments[name]}"
            for name, value in REQUIRED_VALUES.items()
            if arguments.get(name, value) != value
        ),
        *(
            [f"{called} {words[0]}"]
            if called == "import_module" and words and words[0] in FORBIDDEN_MODULES
            else []
        ),
        *(["YAML that is not safe"] if called == "YAML" and "typ" not in arguments else []),
    ]
