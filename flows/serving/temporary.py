"""Start Prefect's temporary server during the imports, keep it running, and end it with the run.

A server that the user names is asked instead, within seconds.
"""

import atexit
import gc
import logging
import os
import re
import secrets
import socket
import subprocess
import tempfile
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
from study.wording import shortened


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
REFUSED = 2
"""Exit code of a server that refuses its database; its last words are the whole message."""
_PORT_TAKEN = "address already in use"
_ERROR = re.compile(r"[\w.]+: \S")
"""Begins the last line of a traceback."""
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
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR",  # for its last words
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_EPHEMERAL": "1",  # without the services of a lasting one
            "PREFECT__SERVER_FINAL": "1",
            "PY_KEY_VALUE_DISABLE_BEARTYPE": "1",  # of a library: it checks types
        }
        self._stopped = threading.Event()
        self._port = _free_port()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - open while it runs
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
            InputError: it does not start; the message has its last words.
        """
        deadline, starts = time.monotonic() + START_SECONDS, 1
        while not is_healthy(self.url):
            code, is_late = self._process.poll(), time.monotonic() > deadline
            if code is not None and _PORT_TAKEN in self._read_output() and starts < STARTS:
                starts, self._port = starts + 1, _free_port()
                self._process = self._start()
            elif code is not None or is_late:
                said = last_words(self._read_output()) or f"no answer within {START_SECONDS:.0f} s"
                where = f"Prefect's server with its home in {os.environ['PREFECT_HOME']}"
                raise InputError(said if code == REFUSED else f"{where} does not start: {said}")
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
        arguments = ["uvicorn", "--factory", "flows.serving.database:create", "--host", LOOPBACK]
        arguments += ["--port", str(self._port), "--log-level", "error", "--lifespan", "on"]
        return start_program(arguments, self._environment, output=self._said)

    def _read_output(self) -> str:
        return os.pread(self._said.fileno(), os.fstat(self._said.fileno()).st_size, 0).decode(
            errors="replace"
        )


def last_words(output: str) -> str:
    """Return the last error of what a program has printed, or else its last line."""
    lines = [each for each in output.splitlines() if each.strip()]
    return shortened(([each for each in lines if _ERROR.match(each)] or lines or [""])[-1], 500)


@contextmanager
def temporary_server() -> Iterator[None]:
    """Start the temporary server while the body runs, unless PREFECT_API_URL or the profile names one.

    It is stopped when this process ends.

    Raises:
        InputError: it does not start, or the named one does not answer.
    """
    server = None if os.environ.get(API_URL) else TemporaryServer()
    yield
    # Late: the import of Prefect takes a second, during which the server starts.
    from prefect.context import refresh_global_settings_context
    from prefect.settings import get_current_settings

    if get_current_settings().api.url is not None:
        if server is not None:
            server.stop()
        check_server()
    elif server is not None:
        server.wait()
        os.environ |= server.environment
        refresh_global_settings_context()


_ANSWER_SECONDS = 10.0
"""Longest time that a named server may take to answer; a busy one is asked twice."""


def check_server() -> None:
    """Ask the server that Prefect's settings name what each run needs of it.

    Raises:
        InputError: it does not answer, refuses or has another version; the message says what names it.
    """
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.settings import (
        PREFECT_API_REQUEST_TIMEOUT,
        PREFECT_API_URL,
        PREFECT_CLIENT_MAX_RETRIES,
        temporary_settings,
    )

    url = httpx.URL(str(PREFECT_API_URL.value())).copy_with(userinfo=b"")
    server = f"Prefect's server {url} ({named_by(API_URL)})"
    try:
        quick = {PREFECT_API_REQUEST_TIMEOUT: _ANSWER_SECONDS, PREFECT_CLIENT_MAX_RETRIES: 1}
        with temporary_settings(quick), get_client(sync_client=True) as client:
            client.raise_for_api_version_mismatch()
            client.read_flows(limit=1)  # what needs a password, and the server's database
    except Exception as error:
        cause = error.__cause__ or error
        reason = shortened(str(cause).partition("\n")[0] or type(cause).__name__, 300)
        if isinstance(cause, ValueError):
            reason = "what answers there is no Prefect server"
        way_out = "start it, or unset that for a server of this program's own"
        if isinstance(cause, httpx.HTTPStatusError) and cause.response.status_code in (401, 403):
            reason = f"{cause.response.status_code} {cause.response.reason_phrase}"
            way_out = f"set {CLIENT_PASSWORD} to its name:password, or PREFECT_API_KEY in Prefect Cloud"
        raise InputError(f"{server} cannot be used: {reason}; {way_out}") from error


def named_by(*variables: str) -> str:
    """Return what names a setting of Prefect: its environment variable, or the file that has it."""
    from prefect.context import get_settings_context

    given = next((each for each in variables if os.environ.get(each)), None)
    profile = get_settings_context().profile
    if given is None and any(each.name in variables for each in profile.settings):
        return f"profile {profile.name!r} in {profile.source}"
    return given or "prefect.toml, pyproject.toml or .env in this folder"


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
