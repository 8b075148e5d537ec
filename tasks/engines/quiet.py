"""Keep messages of native code off the terminal: TensorFlow's and OpenCV's have no setting that does."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silenced_stderr() -> Iterator[None]:
    """Send the process's standard error, that of native code included, nowhere for a while.

    TensorFlow logs "oneDNN custom operations are on" and "Could not find cuda drivers" before its log level
    applies; OpenCV logs what is wrong with a picture. A failing import still raises.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no Path
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
