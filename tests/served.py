"""A `study serve` of a test's own: real server, pool, deployments and worker on a free port."""

import base64
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil

from tests.command import STUDY
from tests.prefect_home import prepare_home
from tests.waiting import WAIT_SECONDS, wait_until

PROJECT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sockets_of(process: psutil.Process) -> set[tuple[str, int]]:
    """Addresses and ports at which a process and its children listen."""
    found = set()
    for each in [process, *process.children(recursive=True)]:
        try:
            connections = each.net_connections("inet")
        except psutil.Error:
            continue
        found |= {tuple(each.laddr) for each in connections if each.status == psutil.CONN_LISTEN}
    return found


def ask(url: str, path: str, body: Any = None, password: str = "") -> Any:
    """What the API of a Prefect server answers to a question, posted where it has a body.

    Asked again, as Prefect's own clients do, where the server's database is busy: it answers 503 then, some
    questions after a wait, some at once.

    Raises:
        HTTPError: it refuses, or its database is busy too long.
    """
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if password:
        headers["Authorization"] = f"Basic {base64.b64encode(password.encode()).decode()}"
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with urlopen(Request(f"{url}/api/{path}", content, headers), timeout=WAIT_SECONDS) as answer:
                found = answer.read()
        except HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                raise
            time.sleep(0.3)
        else:
            return json.loads(found) if found else None


@dataclass(frozen=True)
class ServedProject:
    """A served project: where its pages are, and the process that serves it."""

    url: str
    process: "subprocess.Popen[bytes]"

    def ask(self, path: str, body: Any = None) -> Any:
        """What Prefect's API answers to a question, posted where it has a body."""
        return ask(self.url, path, body)

    def wait_for_deployments(self) -> list[dict[str, Any]]:
        """The deployments, once all of them refuse unknown parameters."""
        return list(wait_until(lambda: len(found := self._strict()) >= 3 and found))

    def deployment(self, name: str) -> dict[str, Any]:
        return next(each for each in self.ask("deployments/filter", {}) if each["name"] == name)

    def latest_run(self) -> dict[str, Any]:
        """The run that began last."""
        body = {"sort": "START_TIME_DESC", "limit": 1, "flow_runs": {"start_time": {"is_null_": False}}}
        return dict(self.ask("flow_runs/filter", body)[0])

    def asked_runs(self) -> list[dict[str, Any]]:
        """The runs that somebody asked for; those of the schedule come by themselves."""
        return [each for each in self.ask("flow_runs/filter", {}) if not each["auto_scheduled"]]

    def _strict(self) -> list[dict[str, Any]]:
        found = self.ask("deployments/filter", {})
        return [
            each for each in found if each["parameter_openapi_schema"].get("additionalProperties") is False
        ]


@contextmanager
def serve_project(home: Path) -> Iterator[ServedProject]:
    """Serve with a Prefect home of its own, until the body ends."""
    port = free_port()
    process = subprocess.Popen(
        [STUDY, "serve", "--port", str(port)],
        cwd=PROJECT,
        env={**os.environ, "PREFECT_HOME": str(prepare_home(home))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield ServedProject(f"http://127.0.0.1:{port}", process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=WAIT_SECONDS)
