"""SIGTERM and its like end a program in order, as Ctrl-C does."""

import os
import signal
import sys
import threading

import pytest

from flows.cli.options import TERMINATED
from flows.cli.run import stopping_in_order
from tasks.environment import LAST_SIGNALS
from tests.waiting import WAIT_SECONDS


@pytest.mark.parametrize("number", LAST_SIGNALS, ids=lambda number: number.name)
def test_a_signal_that_ends_a_run_says_what_is_kept_and_ends_it_with_the_code_of_sigterm(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
):
    before = [(each, signal.signal(each, signal.SIG_DFL)) for each in LAST_SIGNALS]  # tests may run by nohup
    try:
        with pytest.raises(SystemExit) as ended, stopping_in_order(["all is kept"]):
            os.kill(os.getpid(), number)
    finally:
        for each, handler in before:
            signal.signal(each, handler)
    assert ended.value.code == TERMINATED
    assert capsys.readouterr().err == "\nstopped; all is kept\n"


def test_a_signal_that_is_ignored_stays_so_as_under_nohup(monkeypatch: pytest.MonkeyPatch):
    before = [(each, signal.getsignal(each)) for each in LAST_SIGNALS]
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with stopping_in_order(["all is kept"]):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        for each, handler in before:
            signal.signal(each, handler)


def test_a_stop_that_python_could_not_raise_where_it_came_is_raised_soon_after(
    capsys: pytest.CaptureFixture[str],
):
    class Collected:
        def __del__(self) -> None:  # as the callbacks of an import, from which nothing can be raised
            raise KeyboardInterrupt

    before, hook = signal.signal(signal.SIGINT, signal.default_int_handler), sys.unraisablehook
    try:
        with pytest.raises(KeyboardInterrupt), stopping_in_order(["all is kept"]):
            Collected()
            threading.Event().wait(WAIT_SECONDS)
        assert sys.unraisablehook is hook
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "\nstopped; all is kept\n"
