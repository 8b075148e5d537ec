"""Serving: a real server, pool, deployments and worker; the schedule yields runs; Ctrl-C stops all."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest

from flows.deploy import PROJECT
from flows.sharing import is_healthy
from tests.bad_input.parameters import REFUSED

STUDY = Path(sys.executable).with_name("study")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    process = subprocess.Popen(
        [STUDY, "serve", "--port", str(port)],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    yield url, process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


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


def ask(url: str, path: str, body: dict[str, Any]) -> Any:
    request = Request(f"{url}/api/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def wait_for(what: Any, seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := what():
                return found
        except OSError:
            pass
        time.sleep(0.5)
    raise AssertionError("nothing within the time")


def test_the_deployments_are_registered_with_one_pool_that_runs_one_at_a_time(server):
    url, _ = server
    found = wait_for(lambda: len(all_ := ask(url, "deployments/filter", {})) == 4 and all_)
    assert {each["name"] for each in found} == {"nightly", "on-demand", "smoke", "alarm"}
    assert all(each["enforce_parameter_schema"] for each in found)
    (pool,) = [each for each in ask(url, "work_pools/filter", {}) if each["name"] == "study"]
    assert (pool["type"], pool["concurrency_limit"]) == ("process", 1)


@pytest.mark.parametrize(("parameters", "reason"), [case[1:] for case in REFUSED])
def test_a_run_with_a_parameter_that_the_flow_does_not_have_or_not_so_is_not_created(
    server, parameters: dict[str, Any], reason: str
):
    url, _ = server
    deployments = wait_for(lambda: len(found := strict_deployments(url)) == 3 and found)
    for deployment in deployments:
        assert deployment["tags"], "making the schema strict must leave the rest as it was"
        with pytest.raises(HTTPError) as caught:
            ask(url, f"deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
        assert caught.value.code == 409
        assert json.load(caught.value)["detail"] == f"Error creating flow run: {reason}"


def strict_deployments(url: str) -> list[dict[str, Any]]:
    found = ask(url, "deployments/filter", {})
    return [each for each in found if each["parameter_openapi_schema"].get("additionalProperties") is False]


def test_the_nightly_schedule_yields_scheduled_runs(server):
    # With sqlalchemy 2.1 everything else works, but no schedule ever yields a run, silently.
    url, _ = server
    body = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    runs = wait_for(lambda: ask(url, "flow_runs/filter", body))
    nightly = {"run": {"study": "lab", "fresh": True, "latest_start": "2h"}}
    assert all(each["parameters"] == nightly for each in runs)


def test_the_ui_is_served(server):
    url, _ = server
    wait_for(lambda: is_healthy(url))
    with urlopen(url, timeout=30) as page:
        assert b"<html" in page.read()


def test_everything_that_serves_listens_on_loopback_only(server):
    url, process = server
    wait_for(lambda: ask(url, "work_pools/study/workers/filter", {}))
    hosts = {host for host, _ in sockets_of(psutil.Process(process.pid))}
    assert hosts == {"127.0.0.1"}


def test_ctrl_c_stops_server_and_worker(server):
    url, process = server
    wait_for(lambda: is_healthy(url))
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert not is_healthy(url)
