"""A home of Prefect's own for a test, its database copied: making one takes four seconds of a processor."""

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

PREFECT = Path(sys.executable).with_name("prefect")


def furnish(home: Path) -> Path:
    """Make the home with an empty database, unless it has one; return it."""
    database = home / "prefect.db"
    if not database.exists():
        home.mkdir(parents=True, exist_ok=True)
        database.write_bytes(_empty_database())
    return home


@cache
def _empty_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PREFECT_HOME": folder, "DO_NOT_TRACK": "1"}
        command = [PREFECT, "server", "database", "upgrade", "-y"]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=180)
        return Path(folder, "prefect.db").read_bytes()
