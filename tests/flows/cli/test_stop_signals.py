"""SIGTERM ends a program in order, as Ctrl-C does."""

import subprocess
import sys

PROGRAM = """
import os, signal
from flows.cli.run import Terminated, terminate_in_order
terminate_in_order()
try:
    os.kill(os.getpid(), signal.SIGTERM)
except Terminated:
    print("terminated")
"""


def test_sigterm_raises_an_exception_of_its_own():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("terminated", "")
