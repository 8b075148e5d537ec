"""Serve Prefect's server, work pool, deployments, alarm and worker on this machine, from one command.

If one part dies, all end with a message. systemd or Docker start them again, not this module (deploy/).
"""

import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, NoReturn

import psutil
import typer
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    get_current_settings,
    temporary_settings,
)

from flows.serving.abandoned_runs import POOL, SERVED_BY, WORKER, end_left_runs, mark_abandoned_runs
from flows.serving.database import prepare_database
from flows.serving.deploy import PROJECT, deploy
from flows.serving.parent_death import start_program, stop_program
from flows.serving.temporary import (
    CLIENT_PASSWORD,
    LOOPBACK,
    NO_TELEMETRY,
    SERVER_PASSWORD,
    address,
    check_sharing,
    is_healthy,
)
from flows.serving.waiting_runs import keep_naming_holder
from study.errors import InputError
from tasks.environment import end_by_signals

logger = logging.getLogger(__name__)

UPKEEP = {"PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,orphans"}
"""The server removes old events, and logs and artifacts of deleted flow runs. Not `flow_runs`: that would
delete all old flow runs in the user's database, other projects' too. Without those you may set it."""
START_SECONDS = 120
"""Longest wait for the server; on a slow disk its first start takes a while to migrate its database."""
LOOK_SECONDS = 1.0
"""Time between two checks that every part is alive."""
LOG_NAME, LOG_BYTES, LAST_LINES = "server.log", 10_000_000, 10
"""The server's log, in Prefect's home. Most of it is about a database that was busy until the next try."""


class PartFailed(RuntimeError):
    """A part of serving died or did not start; the message names it, its end and the remedy."""


class Log:
    """What a program prints, kept in a file of which the latest `LOG_BYTES` to twice as much remain."""

    def __init__(self, path: Path) -> None:
        """Begin; the file of an earlier program is continued."""
        self.path = path
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._ended = threading.Event()

    def keep(self, output: IO[bytes]) -> None:
        """Keep every line until the program ends."""
        # Opened late: a disk that is full must not leave the program's output unread.
        file = RotatingFileHandler(self.path, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8", delay=True)
        for line in output:
            text = line.decode(errors="replace").rstrip()
            self._last.append(text)
            file.emit(logging.makeLogRecord({"msg": text}))
        file.close()
        self._ended.set()

    def tail(self) -> str:
        """Return the last lines of a program that has ended or does not answer."""
        self._ended.wait(LOOK_SECONDS)
        return "\n".join(self._last)


@dataclass(frozen=True)
class Part:
    """A program that serving needs; messages call it by its name, such as "the worker"."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Log | None = None
    """None if it prints to this terminal."""

    def check(self, *, is_starting: bool = False) -> None:
        """Check that it is alive.

        Raises:
            PartFailed: it has ended.
        """
        code = self.process.poll()
        if code is not None:
            raise self.failed(f"ended ({describe_end(code)})", is_starting=is_starting)

    def failed(self, how: str, *, is_starting: bool) -> PartFailed:
        """Return the error: how it failed, where its log is, what to do, and why it did not start."""
        where = f"in {self.log.path}" if self.log else "above"
        said = f"\n{self.log.tail()}" if self.log and is_starting else ""
        return PartFailed(
            f"{self.name} {how}, so everything was stopped; its log is {where}; `study serve` starts all "
            f"of it again, and docs/serving.md has a systemd unit that does this{said}"
        )


def serve(port: int, host: str = LOOPBACK) -> None:
    """Serve until Ctrl-C, SIGTERM or the death of a part; then stop every part.

    Raises:
        InputError: others could reach the server without a password, the port is taken, the database is of
            another Prefect, the work pool is of another type, or Prefect refused the deployments.
        PartFailed: a part died, or the server did not answer in time.
    """
    end_by_signals(_end_in_order)
    check_sharing(host, os.environ)
    check_port(host, port)
    prepare_database()
    url = address(host, port)
    environment = serving_environment(url, os.environ)
    home = get_current_settings().home
    home.mkdir(parents=True, exist_ok=True)
    with _settings(environment), ExitStack() as stack:
        arguments = ["uvicorn", "--factory", "flows.serving.pages:create", "--host", host]
        arguments += ["--port", str(port), "--log-level", "warning"]
        server = _start(stack, "the server", arguments, environment, Log(home / LOG_NAME))
        wait_for_server(url, port, server)
        deploy(environment)
        mark_abandoned_runs(POOL)  # of an earlier, killed `study serve`; no worker of ours runs yet
        stack.callback(end_left_runs)  # before the server ends: they report to it that they were stopped
        alarm = _start(stack, "the alarm", ["flows.serving.alarm"], environment)
        arguments = ["flows.serving.worker", "worker", "start", "--pool", POOL, "--name", WORKER]
        worker = _start(stack, "the worker", arguments, environment)
        keep_naming_holder(POOL)
        _announce(url, environment, home / LOG_NAME)
        watch([server, alarm, worker])


def check_port(host: str, port: int) -> None:
    """Check that the server can listen on this address and port.

    Raises:
        InputError: the port is taken, or the address is not this machine's.
    """
    try:
        (family, kind, protocol, _, where), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        raise InputError(
            f"the server cannot listen on {host}, port {port}: {error.strerror}; stop what listens there, "
            "such as another `study serve`, or give another --port or --host"
        ) from error


def serving_environment(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of server, deploying, worker and its runs."""
    needed = {"PREFECT_API_URL": f"{url}/api"}
    if environment.get(SERVER_PASSWORD):
        needed[CLIENT_PASSWORD] = environment.get(CLIENT_PASSWORD) or environment[SERVER_PASSWORD]
    # The pages ask the address at which the browser has found them, forwarded or not. By default Prefect lets
    # any web page in a browser here use the API; we allow its own only.
    own_page = {
        "PREFECT_UI_API_URL": "/api",
        "PREFECT_SERVER_UI_V2_ENABLED": "false",  # the older UI has the form that our tests fill in
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": url,
    }
    mark = {SERVED_BY: str(os.getpid())}
    return {**own_page, **NO_TELEMETRY, **UPKEEP, **environment, **needed, **mark}


def wait_for_server(url: str, port: int, server: Part) -> None:
    """Wait until our server answers.

    Its own process must listen on the port: another user's program there could run anything as us.

    Raises:
        PartFailed: it died, or did not answer in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while not (_listens(server.process.pid, port) and is_healthy(url)):
        server.check(is_starting=True)
        if time.monotonic() > deadline:
            raise server.failed(f"did not answer on {url} within {START_SECONDS} s", is_starting=True)
        time.sleep(0.2)


def watch(parts: Sequence[Part]) -> NoReturn:
    """Check the parts until one dies.

    Raises:
        PartFailed: one has died.
    """
    while True:
        for part in parts:
            part.check()
        time.sleep(LOOK_SECONDS)


def describe_end(code: int) -> str:
    """Say how a process ended, by its exit code."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _end_in_order(number: int, _frame: object) -> None:
    # An exception stops all started parts; SIGTERM alone would leave server and worker running.
    raise SystemExit(128 + number)


@contextmanager
def _settings(environment: Mapping[str, str]) -> Iterator[None]:
    """Let Prefect's client in this process use the server that the environment names."""
    given = {PREFECT_API_URL: environment["PREFECT_API_URL"]}
    if environment.get(CLIENT_PASSWORD):
        given[PREFECT_API_AUTH_STRING] = environment[CLIENT_PASSWORD]
    with temporary_settings(given):
        yield


def _start(
    stack: ExitStack,
    name: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Log | None = None,
) -> Part:
    # It ends with this process even if that is killed, and does not get the terminal's Ctrl-C.
    process = start_program(arguments, environment, PROJECT, None if log is None else subprocess.PIPE)
    stack.callback(stop_program, process)
    if log is not None:
        threading.Thread(target=log.keep, args=[process.stdout], name=f"log of {name}", daemon=True).start()
    return Part(name, process, log)


def _listens(process: int, port: int) -> bool:
    try:
        connections = psutil.Process(process).net_connections("tcp")
    except psutil.Error:  # it has ended
        return False
    return any(each.laddr.port == port and each.status == psutil.CONN_LISTEN for each in connections)


def _announce(url: str, environment: Mapping[str, str], log: Path) -> None:
    if CLIENT_PASSWORD not in environment:
        logger.warning(
            "the server has no password: every user of this machine can run anything as you through it; "
            "docs/security.md shows how to set one"
        )
    typer.echo(
        f"\nserving on {url}\n"
        "  run a study: open that address, Deployments, on-demand, Run; the nightly runs by its schedule\n"
        "  from the command line: "
        f"PREFECT_API_URL={url}/api .venv/bin/prefect deployment run study/smoke --watch\n"
        f"  the server's log: {log}\n"
        "  Ctrl-C stops all of it; earlier runs are there again at the next start\n",
        err=True,
    )
