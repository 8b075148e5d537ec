"""Keep messages of native code off the terminal: TensorFlow's and OpenCV's have no setting that does."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silenced_stderr() -> Iterator[None]:
    """Send the process's standard error, that of native code included, nowhere for a while.

    TensorFlow logs "oneDNN custom operations are on" and "Could not find cuda drivers" before its log level
    applies. A failing import still raises.
    """
    with open(os.devnull, "wb") as nowhere, _redirected_stderr(nowhere.fileno()):  # noqa: PTH123 - no Path
        yield


@contextmanager
def captured_stderr() -> Iterator[list[str]]:
    """Keep the process's standard error, that of native code included; its lines are there afterwards."""
    lines: list[str] = []
    with tempfile.TemporaryFile() as kept:
        try:
            with _redirected_stderr(kept.fileno()):
                yield lines
        finally:
            kept.seek(0)
            lines.extend(kept.read().decode(errors="replace").splitlines())


@contextmanager
def _redirected_stderr(target: int) -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        os.dup2(target, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
