"""Prefect's temporary server: started while the rest is imported, kept running, ended with the run."""

import atexit
import gc
import logging
import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPException
from ipaddress import ip_address
from urllib.error import URLError
from urllib.request import urlopen

from flows.serving.parent_death import start_program, stop_program
from study.errors import InputError


@contextmanager
def without_collecting() -> Iterator[None]:
    """Keep Python from looking for garbage among modules while they are imported: a sixth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


NO_TELEMETRY = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
"""Prefect's server and its pages report no use by the first, its client none by the second."""


LOOPBACK = "127.0.0.1"
SERVER_PASSWORD, CLIENT_PASSWORD = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
"""Prefect's own settings for basic authentication: what the server asks for, and what clients send."""


def check_sharing(host: str, environment: Mapping[str, str]) -> None:
    """Refuse an address that other machines reach, unless the server asks for a name and a password.

    Raises:
        InputError: it asks for none, or for something that is no name with a password.
    """
    name, _, password = environment.get(SERVER_PASSWORD, "").partition(":")
    if SERVER_PASSWORD in environment and not (name and password):
        raise InputError(f'{SERVER_PASSWORD} must be a name, a colon and a password, such as "admin:…"')
    if not password and not _is_loopback(host):
        raise InputError(
            f"--host: {host} can be reached from other machines, and whoever reaches the server can run "
            f'anything as you; set {SERVER_PASSWORD}="admin:…" for the server and {CLIENT_PASSWORD} to the '
            f"same for its clients, or leave --host out for {LOOPBACK}"
        )


def address(host: str, port: int) -> str:
    """Where this machine reaches a server that listens on a host."""
    if host in ("0.0.0.0", "::"):
        host = LOOPBACK if host == "0.0.0.0" else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_healthy(url: str) -> bool:
    """Whether a Prefect server answers there; it answers this without a password."""
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
"""Longest time until it answers; a database of an earlier Prefect is brought up to date meanwhile."""

STARTS = 5
"""How often it is tried to start: another program may take the free port first."""

API_URL = "PREFECT_API_URL"
_LOOK_SECONDS = 1.0
_PAUSE_SECONDS = 0.05


class TemporaryServer:
    """A Prefect server on loopback that does not outlive this process and is started anew if it dies."""

    def __init__(self) -> None:
        """Start it; `wait` says when it answers."""
        # Only this process and its children may use it: every user of the machine reaches loopback.
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
        """Where it listens."""
        return address(LOOPBACK, self._port)

    @property
    def environment(self) -> dict[str, str]:
        """What lets Prefect in this process, and in those it starts, use it."""
        return {API_URL: f"{self.url}/api", CLIENT_PASSWORD: self.password}

    def wait(self) -> None:
        """Wait until it answers, then look after it until it is stopped.

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
                logger.warning("Prefect's temporary server ended (exit code %s) and is started anew", code)
                self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        arguments = ["uvicorn", "--factory", "flows.serving.temporary_app:create", "--host", LOOPBACK]
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
    # Late: it takes Prefect a second to be imported, and the server has started meanwhile.
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
