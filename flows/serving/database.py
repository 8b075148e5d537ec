"""Prefect's database: an empty one, made once and copied, and the refusal of another version's.

Server processes import this, `study serve` too; Prefect, whose import takes seconds, is imported late.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from flows.serving.temporary import NO_TELEMETRY, REFUSED, named_by, without_collecting
from study.errors import InputError
from study.wording import shortened
from tasks.environment import own_prefect_home

NAME = "prefect.db"
"""Name of the database in Prefect's home."""

_FOLDER = Path(__file__).resolve().parents[2] / "build"
_MAKING_SECONDS = 180.0
_MIGRATE = ".venv/bin/prefect server database upgrade -y"
_ASK_SECONDS = 10.0
"""Longest time that a database may take to report its version."""


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
        environment |= {"PREFECT_HOME": home, **NO_TELEMETRY}
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=_MAKING_SECONDS)
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


def prepare_database() -> None:
    """Check the database of Prefect's settings before a server uses it; make it where a home has none.

    An older one that the user names is refused: the server's start would migrate it, and the older Prefect
    that it belongs to could not read it any more. One in the home of our own is migrated.

    Raises:
        InputError: it is of another version, or cannot be read; the message names it and where it is set.
    """
    from prefect.settings import get_current_settings

    settings = get_current_settings()
    given = settings.server.database.connection_url
    assert given is not None  # Prefect derives it from the home
    url, path = given.get_secret_value(), settings.home / NAME
    if not url.endswith(f"/{path}"):
        from sqlalchemy import make_url

        variable = named_by("PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL")
        check_database(url, f"{make_url(url).render_as_string()} ({variable})")
    elif not path.exists():
        with suppress(OSError):  # Prefect then makes one, or says why it cannot
            copy_database(settings.home)
    elif settings.home == own_prefect_home():
        check_database(url, str(path), is_own=True)
    else:
        check_database(url, f"{path} (PREFECT_HOME)")


def check_database(url: str, name: str, is_own: bool = False) -> None:
    """Check that a database is empty or of this version of Prefect; our own may also be older.

    Raises:
        InputError: it is not, or cannot be read; the message calls it by the name.
    """
    from prefect.server import database
    from sqlalchemy import make_url

    try:
        revision = asyncio.run(_read_revision(url))
    except Exception as error:
        reason = shortened(str(error).partition("\n")[0] or type(error).__name__, 300)
        raise InputError(f"Prefect's database {name} cannot be read: {reason}") from error
    folder = (
        Path(str(database.__file__)).parent / "_migrations" / "versions" / make_url(url).get_backend_name()
    )
    migrations = sorted(each.name for each in folder.glob("*.py"))  # DATE_TIME_REVISION_TITLE.py
    known = [each for each in migrations if f"_{revision}_" in each]
    if revision is None or (known and (is_own or known == migrations[-1:])):
        return
    way_out = (
        "PREFECT_HOME=FOLDER names another folder" if is_own else "unset that for one of this program's own"
    )
    if known:
        way_out += f", or migrate it for good: `{_MIGRATE}`"
    raise InputError(
        f"Prefect's database {name} is of {'an older' if known else 'a newer'} Prefect than "
        f"{metadata.version('prefect')}; {way_out}"
    )


async def _read_revision(url: str) -> str | None:
    from alembic.migration import MigrationContext
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url)
    try:
        async with asyncio.timeout(_ASK_SECONDS), engine.connect() as connection:
            return await connection.run_sync(
                lambda each: MigrationContext.configure(each).get_current_revision()
            )
    finally:
        await engine.dispose()


def create() -> Any:
    """Make the application of the temporary server, for uvicorn.

    Raises:
        SystemExit: Prefect's profile names another server, or the database is refused. The profile is read
            here because the parent process starts this one before it has imported Prefect.
    """
    with without_collecting():
        from prefect.settings import get_current_settings

        if get_current_settings().api.url is not None:
            raise SystemExit(0)
        from prefect.server.api.server import create_app

    with ThreadPoolExecutor(1) as thread:  # uvicorn's event loop runs in this one
        try:
            thread.submit(prepare_database).result()
        except InputError as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(REFUSED) from error
    return create_app()


if __name__ == "__main__":
    make_database()
