"""A real Postgres on loopback, in a temporary folder and with a password, that ends with the test."""

import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.served import free_port
from tests.waiting import wait_until

NAME = "study"
"""Of the role, and of the database that it owns; the role may nothing beyond."""
PASSWORD = "of-tests"

_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: int(each.parent.name))
"""Where Debian puts the programs of each version."""
_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")

needs_postgres = pytest.mark.skipif(
    not _PROGRAMS, reason="no Postgres on this machine: Debian's package `postgresql` is missing"
)


@contextmanager
def serving(port: int | None = None, settings: Sequence[str] = _QUICK) -> Iterator[str]:
    """Run a Postgres with an empty database while the body does; yields its URL as Prefect takes it."""
    port = port or free_port()
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        _make(folder)
        with _running(folder, port, settings):
            admin = _url("postgres", port, "postgres")
            wait_until(lambda: _is_ready(admin))
            ask(admin, f"create role {NAME} login password '{PASSWORD}'")
            ask(admin, f"create database {NAME} owner {NAME}")
            yield _url(NAME, port, NAME)


def ask(url: str, question: str) -> list[str]:
    """The rows of the answer, columns separated by `|`."""
    command = [_PROGRAMS[-1] / "psql", "--no-psqlrc", "--tuples-only", "--no-align", "--quiet"]
    done = subprocess.run(
        [*command, "--dbname", _plain(url), "--command", question],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    return done.stdout.splitlines()


def _is_ready(url: str) -> bool:
    done = subprocess.run([_PROGRAMS[-1] / "pg_isready", "--quiet", "--dbname", _plain(url)], check=False)
    return done.returncode == 0


def _url(role: str, port: int, database: str) -> str:
    return f"postgresql+asyncpg://{role}:{PASSWORD}@127.0.0.1:{port}/{database}"


def _plain(url: str) -> str:
    return url.replace("+asyncpg", "")


def _make(folder: Path) -> None:
    """Make the files of a Postgres that lets nobody in without a password."""
    secret = folder / "password"
    secret.write_text(PASSWORD)
    if os.getuid() == 0:
        account = pwd.getpwnam("nobody")
        for path in (folder, secret):
            os.chown(path, account.pw_uid, account.pw_gid)
    command = ["initdb", "--pgdata", folder / "data", "--username", "postgres", "--no-sync"]
    how = ["--auth", "scram-sha-256", "--pwfile", secret]
    subprocess.run(_unprivileged(*command, *how), check=True, stdout=subprocess.DEVNULL, cwd=folder)


@contextmanager
def _running(folder: Path, port: int, settings: Sequence[str]) -> Iterator[None]:
    settings = [*settings, "listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}"]
    options = [word for each in settings for word in ("-c", each)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            _unprivileged("postgres", "-D", folder / "data", *options), cwd=folder, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)  # its "fast shutdown": clients are cut off
        process.wait(timeout=60)


def _unprivileged(program: str, *arguments: object) -> list[str]:
    """A command of Postgres's, which root may not run; it ends by itself where the test is killed."""
    account = pwd.getpwnam("nobody")
    become = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    tether = ["setpriv", *(become if os.getuid() == 0 else []), "--pdeathsig=INT", "--"]
    return [*tether, str(_PROGRAMS[-1] / program), *map(str, arguments)]
