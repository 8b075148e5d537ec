"""An interrupt ends a program wherever in Python it arrives."""

import signal
import subprocess
import sys

import pytest

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
    time.sleep(1)  # what was sent again arrives here

try:
    for callback in (lose, lose_again):
        reference = weakref.ref(Module(), callback)
    time.sleep(3)
except Terminated:
    print("terminated")
except KeyboardInterrupt:
    print("interrupted")
else:
    print("went on")
"""


def outcome(number: int, install: str) -> tuple[str, str]:
    program = PROGRAM.format(number=int(number), install=install)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")]
)
def test_an_interrupt_lost_in_a_weak_references_callback_is_sent_again(number: int, expected: str):
    assert outcome(number, "resend_lost_interrupts()") == (expected, "")


def test_python_alone_goes_on_as_if_nothing_had_been_asked():
    said, err = outcome(signal.SIGINT, "")
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
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "ValueError: lost" in done.stderr
