"""Quiet: what native code writes to standard error is kept off the terminal for a while only."""

import os

import pytest

from tasks.engines.engine import silenced_stderr


def test_native_messages_go_nowhere_inside_and_come_through_after(capfd: pytest.CaptureFixture[str]):
    with silenced_stderr():
        os.write(2, b"oneDNN custom operations are on\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_an_error_inside_is_raised_and_standard_error_comes_back(capfd: pytest.CaptureFixture[str]):
    with pytest.raises(ImportError, match="no such thing"), silenced_stderr():
        raise ImportError("no such thing")
    os.write(2, b"back\n")
    assert capfd.readouterr().err == "back\n"
