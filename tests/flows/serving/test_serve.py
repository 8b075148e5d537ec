"""Serving: a real server, pool and worker; the schedule yields runs; if one part dies, all end."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
import pytest

from flows.serving.serve import describe_end
from flows.serving.temporary import is_healthy
from tests.bad_input.parameters import REFUSED
from tests.night_server import start_serving
from tests.served import ServedProject, serve_project, sockets_of
from tests.waiting import WAIT_SECONDS, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProject]:
    """A served project. In the end Ctrl-C stops its server and its worker, and the exit code is 130."""
    with serve_project(tmp_path_factory.mktemp("home")) as project:
        yield project
        wait_until(lambda: is_healthy(project.url))
        os.killpg(project.process.pid, signal.SIGINT)
        assert project.process.wait(timeout=WAIT_SECONDS) == 130
        assert not is_healthy(project.url)


def test_the_deployments_are_registered_with_one_pool_that_runs_one_at_a_time(served: ServedProject):
    found = wait_until(lambda: len(all_ := served.ask("deployments/filter", {})) == 4 and all_)
    assert {each["name"] for each in found} == {"nightly", "on-demand", "smoke", "alarm"}
    assert all(each["enforce_parameter_schema"] for each in found)
    (pool,) = [each for each in served.ask("work_pools/filter", {}) if each["name"] == "study"]
    assert (pool["type"], pool["concurrency_limit"]) == ("process", 1)


@pytest.mark.parametrize(("parameters", "reason"), [case[1:] for case in REFUSED])
def test_a_run_with_a_parameter_that_the_flow_does_not_have_or_not_so_is_not_created(
    served: ServedProject, parameters: dict[str, Any], reason: str
):
    for deployment in served.wait_for_deployments():
        assert deployment["tags"], "making the schema strict must leave the rest as it was"
        with pytest.raises(HTTPError) as caught:
            served.ask(f"deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
        assert caught.value.code == 409
        assert json.load(caught.value)["detail"] == f"Error creating flow run: {reason}"


def test_the_nightly_schedule_yields_scheduled_runs(served: ServedProject):
    # With sqlalchemy 2.1 everything else works, but no schedule ever yields a run, silently.
    body = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    runs = wait_until(lambda: served.ask("flow_runs/filter", body))
    nightly = {"run": {"study": "lab", "fresh": True, "latest_start": "2h"}}
    assert all(each["parameters"] == nightly for each in runs)


def test_the_ui_is_served(served: ServedProject):
    wait_until(lambda: is_healthy(served.url))
    with urlopen(served.url, timeout=WAIT_SECONDS) as page:
        assert b"<html" in page.read()


def test_everything_that_serves_listens_on_loopback_only(served: ServedProject):
    wait_until(lambda: served.ask("work_pools/study/workers/filter", {}))
    hosts = {host for host, _ in sockets_of(psutil.Process(served.process.pid))}
    assert hosts == {"127.0.0.1"}


def test_a_part_that_dies_ends_serving_with_a_message_and_nothing_left_running(tmp_path: Path):
    server = start_serving(tmp_path / "home")
    try:
        server.wait_until_served()
        parts = psutil.Process(server.process.pid).children(recursive=True)
        server.part("server start").kill()
        assert server.process.wait(timeout=WAIT_SECONDS) == 1
    finally:
        server.stop()
    assert len(parts) >= 3
    assert psutil.wait_procs(parts, timeout=WAIT_SECONDS)[1] == []
    assert server.said().splitlines()[-1] == (
        "study: the server ended (killed by SIGKILL), so everything was stopped; its log is above; "
        "`study serve` starts all of it again, and docs/serving.md has a systemd unit that does this"
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "killed by SIGKILL"), (-99, "killed by signal 99")],
)
def test_how_a_process_ended_is_said_in_words(code: int, said: str):
    assert describe_end(code) == said
