"""What tests ask of a server: its API, the ports that it listens at; and a port for one."""

import base64
import json
import socket
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil

from tests.waiting import WAIT_SECONDS

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


def ask(url: str, path: str, body: Any = None, password: str = "", method: str | None = None) -> Any:
    """What the API of a Prefect server answers to a question, posted where it has a body and no method.

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
            request = Request(f"{url}/api/{path}", content, headers, method=method)
            with urlopen(request, timeout=WAIT_SECONDS) as answer:
                found = answer.read()
        except HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                raise
            time.sleep(0.3)
        else:
            return json.loads(found) if found else None
