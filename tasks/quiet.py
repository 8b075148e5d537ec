"""Keep TensorFlow's start-up messages off the terminal: they cannot be turned off by a setting."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silenced_stderr() -> Iterator[None]:
    """Send the process's standard error, that of native code included, nowhere for a while.

    TensorFlow logs "oneDNN custom operations are on" and "Could not find cuda drivers" before its log level
    applies. A failing import still raises.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
