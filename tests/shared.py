"""What several test processes share: a folder, and what is made in it once."""

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


def make_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Fill a new folder by `make` unless a test process has done so; the others wait for it.

    Raises:
        Exception: whatever `make` raises; the next one tries again.
    """
    done = folder.with_name(f"{folder.name}.done")
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
