"""SIGTERM ends a program in order, as Ctrl-C does."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os
from flows.cli.run import Terminated, terminate_in_order
terminate_in_order()
try:
    os.kill(os.getpid(), {number})
except Terminated:
    print("terminated")
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")]
)
def test_a_signal_raises_an_exception_of_its_own(number: int, expected: str):
    program = PROGRAM.format(number=int(number))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (expected, "")
