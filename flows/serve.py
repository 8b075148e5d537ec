"""Server, work pool, deployments and worker on this machine, from one command; Ctrl-C stops all of it."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from flows.options import NO_TELEMETRY
from flows.tether import start_tethered, stop_tethered
from study.errors import InputError

logger = logging.getLogger(__name__)

PROJECT = Path(__file__).resolve().parent.parent
POOL = "study"
LOOPBACK = "127.0.0.1"
SERVER_PASSWORD, CLIENT_PASSWORD = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
"""Prefect's own settings for basic authentication: what the server asks for, and what clients send."""
UPKEEP = {"PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,orphans"}
"""The server removes old events, and logs and artifacts of flow runs that are no more. Not `flow_runs`: that
would be every old one in the user's database, other projects' too; `study prune --prefect` removes ours."""
START_SECONDS = 120
"""Longest wait for the server; on a slow disk its first start migrates its database for a while."""


def serve(port: int, host: str = LOOPBACK) -> None:
    """Serve until Ctrl-C, SIGTERM, or until a part of it ends.

    A server of this user that already answers on the port is used and left running.

    Raises:
        InputError: others could reach the server without a password, it did not start, or a part ended.
    """
    signal.signal(signal.SIGTERM, _end_in_order)
    check_sharing(host, os.environ)
    url = address(host, port)
    environment = serving_environment(url, os.environ)
    with _server(url, host, port, environment):
        deploy(environment)
        with _prefect(["worker", "start", "--pool", POOL], environment) as worker:
            logger.warning("serving on %s; runs go to pool %s; Ctrl-C stops", url, POOL)
            if CLIENT_PASSWORD not in environment:
                logger.warning(
                    "no password is asked for: every user of this machine can run anything as you through "
                    "this server; docs/security.md says how to set one"
                )
            code = worker.wait()
    raise InputError(f"the worker ended by itself with exit code {code}; its log above says why")


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


def serving_environment(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of server, deploying, worker and the runs it starts."""
    needed = {"PREFECT_API_URL": f"{url}/api"}
    if environment.get(SERVER_PASSWORD):
        needed[CLIENT_PASSWORD] = environment.get(CLIENT_PASSWORD) or environment[SERVER_PASSWORD]
    # Prefect lets any web page of this machine's browsers use the API; ours has a page of its own only.
    own_page = {"PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{url},{url.replace(LOOPBACK, 'localhost')}"}
    return {**own_page, **NO_TELEMETRY, **UPKEEP, **environment, **needed}


def deploy(environment: Mapping[str, str]) -> None:
    """Make the work pool and register the deployments of prefect.yaml, which refuse unknown parameters.

    Raises:
        InputError: Prefect refused; its message is in the log above.
    """
    if _run(["work-pool", "inspect", POOL], environment, quiet=True) != 0:
        _must_run(["work-pool", "create", POOL, "--type", "process"], environment)
    # The pool's limit, as a deployment's own does not hold across deployments.
    _must_run(["work-pool", "set-concurrency-limit", POOL, "1"], environment)
    _must_run(["--no-prompt", "deploy", "--all"], environment)
    strict = [sys.executable, "-m", "flows.strict_deployments"]
    code = subprocess.run(strict, env=environment, cwd=PROJECT, check=False).returncode
    if code != 0:
        raise InputError(f"`{' '.join(strict[1:])}` failed with exit code {code}; its log is above")


def is_healthy(url: str) -> bool:
    """Whether a Prefect server answers there; it answers this without a password."""
    try:
        with urlopen(f"{url}/api/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def is_ours(port: int) -> bool:
    """Whether a process of this user listens on a port."""
    user = os.getuid()
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended, or may not be looked at
            if process.uids().real == user and port in _listened_ports(process):
                return True
    return False


def _end_in_order(number: int, _frame: object) -> None:
    # As an exception, so that what was started here is stopped: SIGTERM alone would leave server and worker.
    raise SystemExit(128 + number)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listened_ports(process: psutil.Process) -> set[int]:
    connections = process.net_connections("tcp")
    return {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}


@contextmanager
def _server(url: str, host: str, port: int, environment: Mapping[str, str]) -> Iterator[None]:
    if is_healthy(url):
        if not is_ours(port):
            raise InputError(
                f"the server that already runs on {url} is not this user's, and whoever runs it could run "
                "anything as you; give another --port"
            )
        logger.warning("using the server that already runs on %s", url)
        yield
        return
    arguments = ["server", "start", "--host", host, "--port", str(port)]
    with _prefect(arguments, environment) as server:
        _wait_until_healthy(url, port, server)
        yield


def _wait_until_healthy(url: str, port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (is_healthy(url) and is_ours(port)):  # ours: another may have taken the port meanwhile
        if server.poll() is not None:
            raise InputError(
                f"the server ended with exit code {server.returncode}; "
                f"if another program uses {url}, give another --port"
            )
        if time.monotonic() > deadline:
            raise InputError(f"the server did not answer on {url} within {START_SECONDS} s; its log is above")
        time.sleep(0.2)


@contextmanager
def _prefect(arguments: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    # Tethered: it ends with this process even where that is killed, and does not get the terminal's Ctrl-C.
    process = start_tethered(["prefect", *arguments], environment, PROJECT)
    try:
        yield process
    finally:
        stop_tethered(process)


def _must_run(arguments: list[str], environment: Mapping[str, str]) -> None:
    code = _run(arguments, environment)
    if code != 0:
        raise InputError(f"`prefect {' '.join(arguments)}` failed with exit code {code}; its log is above")


def _run(arguments: list[str], environment: Mapping[str, str], quiet: bool = False) -> int:
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run(
        _command(arguments), env=environment, cwd=PROJECT, stdout=output, stderr=output, check=False
    ).returncode


def _command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "prefect", *arguments]
