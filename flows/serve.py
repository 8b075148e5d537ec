"""Server, work pool, deployments, worker and alarms on this machine, from one command; Ctrl-C stops all."""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import typer
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import WorkerStatus
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    temporary_settings,
)

from flows.abandoned import SERVED_BY, WORKER, AbandonedRuns
from flows.deploy import POOL, PROJECT, deploy, refuse_another_folder
from flows.options import NO_TELEMETRY
from flows.sharing import (
    CLIENT_PASSWORD,
    LOOPBACK,
    SERVER_PASSWORD,
    address,
    check_sharing,
    is_healthy,
    is_ours,
)
from flows.supervise import Guest, Part, Watched, describe_end, keep_running
from flows.tether import start_tethered
from study.errors import InputError

logger = logging.getLogger(__name__)

UPKEEP = {"PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,orphans"}
"""The server removes old events, and logs and artifacts of flow runs that are no more. Not `flow_runs`: that
would be every old one in the user's database, other projects' too. Who has this project only may set that."""
START_SECONDS = 120
"""Longest wait for the server; on a slow disk its first start migrates its database for a while."""


def serve(port: int, host: str = LOOPBACK) -> None:
    """Serve until Ctrl-C or SIGTERM; what ends by itself meanwhile is started again.

    A server of this user that already answers on the port is used and left running.

    Raises:
        InputError: others could reach the server without a password, it did not start, the work pool is of
            another type, or a part ended again and again.
    """
    signal.signal(signal.SIGTERM, _end_in_order)
    check_sharing(host, os.environ)
    url = address(host, port)
    environment = serving_environment(url, os.environ)
    with _settings(environment), ExitStack() as stack:
        runs = AbandonedRuns(POOL)
        server = _start_server(stack, url, host, port, environment)
        deploy(environment)
        if isinstance(server, Part):
            runs.mark(after_seconds=0)  # what was left when the server stopped; no worker of ours runs yet
        stack.callback(runs.end)
        others = _start_others(stack, environment)
        _announce(url, environment)
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):  # not to wait for a server that is gone
            keep_running([server, *others, runs])


def serving_environment(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of server, deploying, worker and the runs it starts."""
    needed = {"PREFECT_API_URL": f"{url}/api"}
    if environment.get(SERVER_PASSWORD):
        needed[CLIENT_PASSWORD] = environment.get(CLIENT_PASSWORD) or environment[SERVER_PASSWORD]
    # Prefect lets any web page of this machine's browsers use the API; ours has a page of its own only.
    own_page = {"PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{url},{url.replace(LOOPBACK, 'localhost')}"}
    mark = {SERVED_BY: str(os.getpid())}
    return {**own_page, **NO_TELEMETRY, **UPKEEP, **environment, **needed, **mark}


def _end_in_order(number: int, _frame: object) -> None:
    # As an exception, so that what was started here is stopped: SIGTERM alone would leave server and worker.
    raise SystemExit(128 + number)


@contextmanager
def _settings(environment: Mapping[str, str]) -> Iterator[None]:
    """Let Prefect's client in this process use the server that the environment names."""
    given = {PREFECT_API_URL: environment["PREFECT_API_URL"]}
    if environment.get(CLIENT_PASSWORD):
        given[PREFECT_API_AUTH_STRING] = environment[CLIENT_PASSWORD]
    with temporary_settings(given):
        yield


def _start_server(
    stack: ExitStack, url: str, host: str, port: int, environment: Mapping[str, str]
) -> Watched:
    if is_healthy(url):
        if not is_ours(port):
            raise InputError(
                f"the server that already runs on {url} is not this user's, and whoever runs it could run "
                "anything as you; give another --port"
            )
        refuse_another_folder()
        logger.warning("using the server that already runs on %s", url)
        return Guest(f"the server on {url}", lambda: is_healthy(url))
    arguments = ["server", "start", "--host", host, "--port", str(port)]
    server = _start(stack, "the server", arguments, environment, lambda: is_healthy(url), START_SECONDS)
    _wait_until_healthy(url, port, server)
    return server


def _start_others(stack: ExitStack, environment: Mapping[str, str]) -> list[Watched]:
    worker = ["worker", "start", "--pool", POOL, "--name", WORKER]
    alarms = Part("the alarm", lambda: start_tethered(["flows.alarm"], environment, PROJECT))
    stack.callback(alarms.stop)
    return [alarms, _start(stack, "the worker", worker, environment, _is_worker_heard)]


def _start(
    stack: ExitStack,
    name: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    is_well: Callable[[], bool],
    patience_seconds: float = 300.0,
) -> Part:
    # Tethered: it ends with this process even where that is killed, and does not get the terminal's Ctrl-C.
    def start() -> "subprocess.Popen[bytes]":
        return start_tethered(["prefect", *arguments], environment, PROJECT)

    part = Part(name, start, is_well, patience_seconds)
    stack.callback(part.stop)
    return part


def _wait_until_healthy(url: str, port: int, server: Part) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (is_healthy(url) and is_ours(port)):  # ours: another may have taken the port meanwhile
        code = server.process.poll()
        if code is not None:
            raise InputError(
                f"the server ended ({describe_end(code)}); its log is above; "
                f"if another program uses {url}, give another --port"
            )
        if time.monotonic() > deadline:
            raise InputError(f"the server did not answer on {url} within {START_SECONDS} s; its log is above")
        time.sleep(0.2)


def _is_worker_heard() -> bool:
    """Whether the server has heard of our worker lately; a server that does not answer is no fault of it."""
    try:
        with get_client(sync_client=True) as client:
            workers = client.read_workers_for_work_pool(POOL)
    except Exception:
        return True
    return any(each.name == WORKER and each.status == WorkerStatus.ONLINE for each in workers)


def _announce(url: str, environment: Mapping[str, str]) -> None:
    if CLIENT_PASSWORD not in environment:
        logger.warning(
            "no password is asked for: every user of this machine can run anything as you through "
            "this server; docs/security.md says how to set one"
        )
    typer.echo(
        f"\nserving on {url}\n"
        "  run a study: open that address, Deployments, on-demand, Run; the nightly runs by its schedule\n"
        "  from the command line: "
        f"PREFECT_API_URL={url}/api .venv/bin/prefect deployment run study/smoke --watch\n"
        "  Ctrl-C stops all of it; what ran before is there at the next start\n",
        err=True,
    )
