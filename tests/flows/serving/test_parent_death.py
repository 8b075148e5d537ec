"""A program ends when the process that started it dies, with everything it has started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from flows.serving.parent_death import start_program, stop_program
from tests.waiting import WAIT_SECONDS, wait_until

PROGRAM = """
import subprocess, sys, time
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
Path(sys.argv[1]).write_text(f"{child.pid}")
time.sleep(600)
"""
STARTER = """
import os, sys, time
from flows.serving.parent_death import start_program
process = start_program(["program", sys.argv[1]], {**os.environ, "PYTHONPATH": sys.argv[2]})
print(process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with a program that starts a child in a session of its own."""
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def wait_for_child(folder: Path) -> int:
    path = folder / "child"
    return int(wait_until(lambda: path.exists() and path.read_text()))


def is_gone(process: int) -> bool:
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_and_its_children_end_when_their_starter_is_killed(program: Path, number: int):
    command = [sys.executable, "-c", STARTER, str(program / "child"), str(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        started = int(starter.stdout.readline())
        child = wait_for_child(program)
        starter.send_signal(number)
    wait_until(lambda: is_gone(started) and is_gone(child))


def test_a_program_is_stopped_in_order_by_its_starter(program: Path):
    environment = {**os.environ, "PYTHONPATH": str(program)}
    process = start_program(["program", str(program / "child")], environment)
    child = wait_for_child(program)
    stop_program(process)
    assert process.returncode == -signal.SIGTERM
    psutil.Process(child).kill()  # stopping is the program's own affair: this one leaves its child


def test_a_program_has_its_arguments_and_a_session_of_its_own(tmp_path: Path):
    (tmp_path / "tell.py").write_text(
        "import os, sys\n"
        "open(sys.argv[1], 'w').write(f'{sys.argv[2]} {os.getsid(0) == os.getpid()} {__name__}')\n"
    )
    process = start_program(["tell", "said", "word"], {**os.environ, "PYTHONPATH": str(tmp_path)}, tmp_path)
    assert process.wait(WAIT_SECONDS) == 0
    assert process.stdin is not None
    process.stdin.close()
    assert (tmp_path / "said").read_text() == "word True __main__"
