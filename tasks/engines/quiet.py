"""Keep messages of native code off the terminal: TensorFlow and OpenCV have no setting for it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silenced_stderr() -> Iterator[None]:
    """Discard the process's standard error, that of native code included, inside the block.

    TensorFlow logs "oneDNN custom operations are on" and "Could not find cuda drivers" before its log level
    applies; OpenCV logs the faults of a picture. A failing import still raises.
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
