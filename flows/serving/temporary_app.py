"""Make the temporary server's application: Prefect's own, on a copy of an empty database made once."""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from flows.serving.temporary import without_collecting

NAME = "prefect.db"
"""Name of the database in Prefect's home."""

_FOLDER = Path(__file__).resolve().parents[2] / "build"
_SECONDS = 180.0


def made_database() -> Path:
    """Return the path of the empty database of this version of Prefect, which may not be made yet."""
    return _FOLDER / f"prefect-{metadata.version('prefect')}.db"


def make_database() -> Path:
    """Make the empty database unless it exists, and return its path.

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


def copy_database(home: Path) -> None:
    """Copy the empty database, if it was made, into a home of Prefect without a database."""
    made, database = made_database(), home / NAME
    if database.exists() or not made.exists():
        return
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as scratch:
        copy = Path(shutil.copyfile(made, Path(scratch, NAME)))
        with suppress(FileExistsError):  # another run was faster, and may already use its copy
            os.link(copy, database)


if __name__ == "__main__":
    make_database()


def create() -> Any:
    """Make the application for uvicorn; end this process if Prefect's profile names another server.

    The profile is read here because the parent process starts this one before it has imported Prefect.
    """
    with without_collecting():
        from prefect.settings import get_current_settings

        settings = get_current_settings()
        if settings.api.url is not None:
            raise SystemExit(0)
        address = settings.server.database.connection_url
        if address is not None and address.get_secret_value().endswith(f"/{settings.home / NAME}"):
            with suppress(OSError):  # Prefect then makes one, or says why it cannot
                copy_database(settings.home)
        from prefect.server.api.server import create_app

        return create_app()
