"""Start Prefect's temporary server during the imports, keep it running, and end it with the run.

It uses a copy of an empty database, which is made once.
"""

import atexit
import gc
import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http.client import HTTPException
from importlib import metadata
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from flows.serving.parent_death import start_program, stop_program
from study.errors import InputError


@contextmanager
def without_collecting() -> Iterator[None]:
    """Turn garbage collection off during imports, where it takes a sixth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


NO_TELEMETRY = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
"""The first stops usage reports of Prefect's server and its pages, the second those of its client."""


LOOPBACK = "127.0.0.1"
SERVER_PASSWORD, CLIENT_PASSWORD = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
"""Prefect's settings for basic authentication: the server requires the first, clients send the second."""


def check_sharing(host: str, environment: Mapping[str, str]) -> None:
    """Refuse an address that other machines reach, unless the server asks for a name and a password.

    Raises:
        InputError: it asks for none, or the setting is not a name with a password.
    """
    name, _, password = environment.get(SERVER_PASSWORD, "").partition(":")
    if SERVER_PASSWORD in environment and not (name and password):
        raise InputError(f'{SERVER_PASSWORD} must be a name, a colon and a password, such as "admin:…"')
    if not password and not _is_loopback(host):
        raise InputError(
            f"--host: {host} can be reached from other machines, and anyone who reaches the server can run "
            f'anything as you; set {SERVER_PASSWORD}="admin:…" for the server and {CLIENT_PASSWORD} to the '
            f"same for its clients, or leave --host out for {LOOPBACK}"
        )


def address(host: str, port: int) -> str:
    """Return the URL by which this machine reaches a server that listens on a host."""
    if host in ("0.0.0.0", "::"):
        host = LOOPBACK if host == "0.0.0.0" else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_healthy(url: str) -> bool:
    """Say whether a Prefect server answers there; this request needs no password."""
    try:
        with urlopen(f"{url}/api/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError, HTTPException):
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


logger = logging.getLogger(__name__)

START_SECONDS = 120.0
"""Longest time until it answers; this includes the migration of an earlier Prefect's database."""

STARTS = 5
"""Most attempts to start: another program may take the free port first."""

API_URL = "PREFECT_API_URL"
_LOOK_SECONDS = 1.0
_PAUSE_SECONDS = 0.05


class TemporaryServer:
    """A Prefect server on loopback; it ends with this process, and is started again if it dies."""

    def __init__(self) -> None:
        """Start it; `wait` returns when it answers."""
        # A password, because every user of the machine reaches loopback: only we and our children may use it.
        self.password = f"study:{secrets.token_urlsafe(32)}"  # in the environment, which others cannot read
        self._environment = {
            **os.environ,
            SERVER_PASSWORD: self.password,
            CLIENT_PASSWORD: self.password,
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_EPHEMERAL": "1",  # without the services of a lasting one
            "PREFECT__SERVER_FINAL": "1",
            "PY_KEY_VALUE_DISABLE_BEARTYPE": "1",  # of a library: it checks types
        }
        self._stopped = threading.Event()
        self._port = _free_port()
        self._process = self._start()
        atexit.register(self.stop)

    @property
    def url(self) -> str:
        """The URL on which it listens."""
        return address(LOOPBACK, self._port)

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which Prefect uses it, in this process and its children."""
        return {API_URL: f"{self.url}/api", CLIENT_PASSWORD: self.password}

    def wait(self) -> None:
        """Wait until it answers, then keep it running until it is stopped.

        Raises:
            RuntimeError: it does not start.
        """
        deadline, starts = time.monotonic() + START_SECONDS, 1
        while not is_healthy(self.url):
            code = self._process.poll()
            if time.monotonic() > deadline or (code is not None and starts == STARTS):
                raise RuntimeError(f"Prefect's temporary server does not answer (exit code {code})")
            if code is not None:
                starts, self._port = starts + 1, _free_port()
                self._process = self._start()
            time.sleep(_PAUSE_SECONDS)
        threading.Thread(target=self._keep, name="temporary server", daemon=True).start()

    def stop(self) -> None:
        """Stop it."""
        self._stopped.set()
        stop_program(self._process)

    def _keep(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            code = self._process.poll()
            if code is not None and not self._stopped.is_set():
                logger.warning("Prefect's temporary server ended (exit code %s); starting it again", code)
                self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        arguments = ["uvicorn", "--factory", "flows.serving.temporary:create", "--host", LOOPBACK]
        arguments += ["--port", str(self._port), "--log-level", "error", "--lifespan", "on"]
        return start_program(arguments, self._environment)


@contextmanager
def temporary_server() -> Iterator[None]:
    """Start the temporary server while the body runs, unless PREFECT_API_URL or the profile names one.

    It is stopped when this process ends.
    """
    if os.environ.get(API_URL):
        yield
        return
    server = TemporaryServer()
    yield
    # Late: the import of Prefect takes a second, during which the server starts.
    from prefect.context import refresh_global_settings_context
    from prefect.settings import get_current_settings

    if get_current_settings().api.url is not None:
        server.stop()
        return
    server.wait()
    os.environ |= server.environment
    refresh_global_settings_context()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


NAME = "prefect.db"
"""Name of the database in Prefect's home."""

_FOLDER = Path(__file__).resolve().parents[2] / "build"
_MAKING_SECONDS = 180.0


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


def create() -> Any:
    """Make the application for uvicorn; end this process if Prefect's profile names another server.

    The profile is read here because the parent process starts this one before it has imported Prefect.
    """
    with without_collecting():
        from prefect.settings import get_current_settings

        settings = get_current_settings()
        if settings.api.url is not None:
            raise SystemExit(0)
        url = settings.server.database.connection_url
        if url is not None and url.get_secret_value().endswith(f"/{settings.home / NAME}"):
            with suppress(OSError):  # Prefect then makes one, or says why it cannot
                copy_database(settings.home)
        from prefect.server.api.server import create_app

        return create_app()


if __name__ == "__main__":
    make_database()
