"""Server, work pool, deployments and worker on this machine, from one command; Ctrl-C stops all of it."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from study.errors import InputError

logger = logging.getLogger(__name__)

PROJECT = Path(__file__).resolve().parent.parent
POOL = "study"
START_SECONDS = 120
"""Longest wait for the server; on a slow disk its first start migrates its database for a while."""


def serve(port: int) -> None:
    """Serve until Ctrl-C, SIGTERM, or until a part of it ends.

    A server that already answers on the port is used and left running.

    Raises:
        InputError: the server did not start, or a part ended by itself.
    """
    signal.signal(signal.SIGTERM, _end_in_order)
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "PREFECT_API_URL": f"{url}/api", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    with _server(url, port, environment):
        deploy(environment)
        with _prefect(["worker", "start", "--pool", POOL], environment) as worker:
            logger.warning("serving on %s; runs go to pool %s; Ctrl-C stops", url, POOL)
            code = worker.wait()
    raise InputError(f"the worker ended by itself with exit code {code}; its log above says why")


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
    """Whether a Prefect server answers there."""
    try:
        with urlopen(f"{url}/api/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _end_in_order(number: int, _frame: object) -> None:
    # As an exception, so that what was started here is stopped: SIGTERM alone would leave server and worker.
    raise SystemExit(128 + number)


@contextmanager
def _server(url: str, port: int, environment: Mapping[str, str]) -> Iterator[None]:
    if is_healthy(url):
        logger.warning("using the server that already runs on %s", url)
        yield
        return
    arguments = ["server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with _prefect(arguments, environment) as server:
        _wait_until_healthy(url, server)
        yield


def _wait_until_healthy(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_healthy(url):
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
    process = subprocess.Popen(_command(arguments), env=environment, cwd=PROJECT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


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
