"""The command line: help that teaches, and one clear message with exit code 2 for wrong input."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli.main import COMMANDS, summarise
from tests.command import run_study, study
from tests.toy import write_toy


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_as_the_list_of_commands_does(command: str, tmp_path: Path):
    code, out, _ = study(command, "--help", folder=tmp_path)
    assert code == 0
    assert len(out.splitlines()) > 5
    function = getattr(importlib.import_module(f"flows.cli.{COMMANDS[command]}"), f"{command}_command")
    assert summarise(command) == function.__doc__.partition("\n\n")[0].replace("\n    ", " ")


def test_help_imports_no_command():
    code = (
        "import sys; from flows.cli.main import app; app(['-h'], standalone_mode=False); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"flows.cli.run", "prefect", "pandas", "tensorflow"}.isdisjoint(
        done.stdout.splitlines()[-1].split()
    )


def test_help_without_a_command_says_where_to_start(tmp_path: Path):
    _, out, err = study(folder=tmp_path)
    assert "study run smoke" in out + err
    assert "Exit codes" in out + err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "smoke", "--exercises", "2,9"], "study: --exercises: exercise 9 is not in study 'smoke'"),
        (["run", "smoke", "--exercises", "two"], "study: --exercises: 'two' is not a number"),
        (
            ["run", "smoke", "--lanes", "-1"],
            "study: --lanes: -1 is not allowed; give 1 or more, or leave it out",
        ),
        (["run", "smoke", "--lanes-per-gpu", "0"], "study: --lanes-per-gpu: 0 is not allowed"),
        (["run", "smoke", "--results", "a-file"], "study: results folder a-file"),
        (["run", "smoke", "--budget", "600"], "study: --budget: '600' is not a time; give one such as 90s"),
        (["prune"], "study: study prune: say what to remove, by --older-than with a time such as 30d"),
        (["prune", "--older-than", "soon"], "study: --older-than: 'soon' is not a time"),
        (["show", "--results", "empty"], "study: no run published in"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments: list[str], message: str, tmp_path: Path):
    (tmp_path / "a-file").write_text("")
    code, out, err = study(*arguments, folder=tmp_path)
    assert code == 2, err
    assert err.startswith(message), err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a-file"]


def test_a_dataset_folder_without_the_files_ends_the_run_with_exit_code_2(tmp_path: Path, server: None):
    (tmp_path / "empty").mkdir()
    path = write_toy(tmp_path)
    code, _, err = run_study(path, "--data", "empty", "--results", "results", folder=tmp_path)
    assert code == 2, err
    assert "/empty: found no" in err
    assert err.startswith("study: ") or "\nstudy: " in err
    assert "Traceback" not in err
