"""A home of Prefect's own for a test, its database copied: making one takes four seconds of a processor."""

from pathlib import Path

from flows.serving.database import copy_database, make_database


def prepare_home(home: Path) -> Path:
    """Make the home with an empty database, unless it has one; return it."""
    make_database()
    copy_database(home)
    return home
