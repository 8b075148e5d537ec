"""The program `study` as it is installed: what would hide its modules is named before it is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fashion_mnist_study import find_shadow

PROJECT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ["tasks.py", "numpy/__init__.py", "queue.py", "flows/__init__.py"])
def test_a_module_in_pythonpath_that_would_hide_a_needed_one_is_found(name: str, tmp_path: Path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    module = name.partition("/")[0].removesuffix(".py")
    assert find_shadow(f"{PROJECT}{os.pathsep}{tmp_path}") == (tmp_path, module)


def test_other_modules_in_pythonpath_and_our_own_folder_are_allowed(tmp_path: Path):
    (tmp_path / "mine.py").touch()
    (tmp_path / "numpy").mkdir()  # without modules: Python takes the installed one
    assert find_shadow(f"{tmp_path}{os.pathsep}{tmp_path / 'none'}{os.pathsep}{PROJECT}") is None
    assert find_shadow("") is None


def test_the_program_names_it_in_one_line_and_exits_with_2(tmp_path: Path):
    (tmp_path / "flows.py").touch()
    python_path = f"{tmp_path}{os.pathsep}{PROJECT}"
    done = subprocess.run(
        [sys.executable, "-c", "from fashion_mnist_study import main; main()", "--help"],
        env={**os.environ, "PYTHONPATH": python_path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"study: PYTHONPATH has {tmp_path}, whose 'flows' would be used instead of the one that this program "
        "needs; run it as `env -u PYTHONPATH study …`\n"
    )
