"""An interrupt ends a program wherever in Python it arrives."""

import signal
import subprocess
import sys

import pytest

from tests.waiting import WAIT_SECONDS

PROGRAM = """
import os, signal, time, weakref
from flows.stop_signals import Terminated, resend_lost_interrupts, terminate_in_order
{install}
terminate_in_order()

class Module: pass

def lose(_):
    os.kill(os.getpid(), {number})  # the handler runs here, and what it raises Python cannot pass on
    time.sleep(0)

def lose_again(_):
    time.sleep({seconds})  # what was sent again arrives here

try:
    for callback in (lose, lose_again):
        reference = weakref.ref(Module(), callback)
    time.sleep({seconds})
except Terminated:
    print("terminated")
except KeyboardInterrupt:
    print("interrupted")
else:
    print("went on")
"""


def outcome(number: int, install: str, seconds: float) -> tuple[str, str]:
    """What the program says that loses a signal, and would wait for it, or for it once more, so long."""
    program = PROGRAM.format(number=int(number), install=install, seconds=seconds)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")]
)
def test_an_interrupt_lost_in_a_weak_references_callback_is_sent_again(number: int, expected: str):
    assert outcome(number, "resend_lost_interrupts()", WAIT_SECONDS) == (expected, "")


def test_python_alone_goes_on_as_if_nothing_had_been_asked():
    said, err = outcome(signal.SIGINT, "", 0.0)
    assert said == "went on"
    assert "KeyboardInterrupt" in err


def test_other_lost_exceptions_are_reported_as_ever():
    program = (
        "from flows.stop_signals import resend_lost_interrupts\n"
        "resend_lost_interrupts()\n"
        "class Broken:\n"
        "    def __del__(self): raise ValueError('lost')\n"
        "Broken()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "ValueError: lost" in done.stderr
