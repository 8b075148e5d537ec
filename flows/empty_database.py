"""An empty database of Prefect's: made once, by `make setup`, as making one takes seconds and a copy none.

`python -m flows.empty_database` makes it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib import metadata
from pathlib import Path

NAME = "prefect.db"
"""What Prefect calls it in its home."""

_FOLDER = Path(__file__).resolve().parent.parent / "build"
_SECONDS = 180.0


def made_database() -> Path:
    """Where the empty database of this version of Prefect lies, once it is made."""
    return _FOLDER / f"prefect-{metadata.version('prefect')}.db"


def make_database() -> Path:
    """Make the empty database unless it is there, and return where.

    Raises:
        OSError: the folder cannot be written to.
        subprocess.SubprocessError: Prefect could not make it.
    """
    path = made_database()
    if path.exists():
        return path
    path.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as home:
        command = [str(Path(sys.executable).with_name("prefect")), "server", "database", "upgrade", "-y"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        environment |= {
            "PREFECT_HOME": home,
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        }
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=_SECONDS)
        Path(home, NAME).replace(path)
    return path


def furnish(home: Path) -> None:
    """Give a home of Prefect's that has no database an empty one, if one was made."""
    made, database = made_database(), home / NAME
    if database.exists() or not made.exists():
        return
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as scratch:
        copy = Path(shutil.copyfile(made, Path(scratch, NAME)))
        with suppress(FileExistsError):  # another run was faster, and may use its own by now
            os.link(copy, database)


if __name__ == "__main__":
    make_database()
