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
from tests.night_server import NightServer, process_of, start_serving
from tests.toy import write_toy
from tests.waiting import WAIT_SECONDS, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NightServer]:
    """A served project. In the end Ctrl-C stops its server and its worker, and the exit code is 130."""
    server = start_serving(tmp_path_factory.mktemp("serving") / "home")
    try:
        yield server
        server.wait_until_served()  # while it starts, Python may lose the signal within a finaliser
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(timeout=WAIT_SECONDS) == 130
        assert not is_healthy(server.url)
    finally:
        server.stop()


def test_the_deployments_are_registered_with_one_pool_that_runs_one_at_a_time(served: NightServer):
    found = wait_until(lambda: len(all_ := served.ask("deployments/filter", {})) == 4 and all_)
    assert {each["name"] for each in found} == {"nightly", "on-demand", "smoke", "alarm"}
    assert all(each["enforce_parameter_schema"] for each in found)
    (pool,) = [each for each in served.ask("work_pools/filter", {}) if each["name"] == "study"]
    assert (pool["type"], pool["concurrency_limit"]) == ("process", 1)


STUDIES = ["lab", "optimizer", "optimum", "rigorous", "smoke"]
UNKNOWN = "Additional properties are not allowed ('{}' was unexpected)"


@pytest.mark.parametrize(
    ("given", "where", "reason"),
    [
        ({"lans": 4}, "", UNKNOWN.format("lans")),
        ({"lanes": "four"}, ".lanes", "'four' is not of type 'integer'"),
        ({"lanes": -1}, ".lanes", "-1 is less than the minimum of 0"),
        ({"exercises": 2}, ".exercises", "2 is not of type 'array'"),
        ({"exercises": [2, 99]}, ".exercises[1]", "99 is not one of [1, 2, 3, 4, 5, 6, 7, 8]"),
        ({"exercises": [2, 2]}, ".exercises", "[2, 2] has non-unique elements"),
        (
            {"study": "labb"},
            ".study",
            "'labb' is not one of ['lab', 'optimizer', 'optimum', 'rigorous', 'smoke']",
        ),
        (
            {"protocol": "held"},
            ".protocol",
            "'held' is not one of ['as the study says', 'lab', 'held-out']",
        ),
        (None, "", UNKNOWN.format("study")),
    ],
)
def test_a_run_with_a_parameter_that_the_flow_does_not_have_or_not_so_is_not_created(
    served: NightServer, given: dict[str, Any] | None, where: str, reason: str
):
    parameters = {"study": "lab"} if given is None else {"run": given}
    failed = "Validation failed" if given is None else f"Validation failed for field 'run{where}'"
    for deployment in served.wait_for_deployments():
        assert deployment["tags"], "making the schema strict must leave the rest as it was"
        with pytest.raises(HTTPError) as caught:
            served.ask(f"deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
        assert caught.value.code == 409
        told = json.load(caught.value)["detail"]
        assert told == f"Error creating flow run: {failed}. Failure reason: {reason}"


def test_the_nightly_schedule_yields_scheduled_runs(served: NightServer):
    # With sqlalchemy 2.1 everything else works, but no schedule ever yields a run, silently.
    body = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    runs = wait_until(lambda: served.ask("flow_runs/filter", body))
    nightly = {"run": {"study": "lab", "fresh": True, "latest_start": "2h"}}
    assert all(each["parameters"] == nightly for each in runs)


def test_the_ui_is_served(served: NightServer):
    wait_until(lambda: is_healthy(served.url))
    with urlopen(served.url, timeout=WAIT_SECONDS) as page:
        assert b"<html" in page.read()


LONG = """
name: long
title: A study of minutes
data: {train_images: 60000, test_images: 200}
baseline: {filters: 4, dense_units: 8, epochs: 1}
exercises:
  - {number: 4, kind: sweep, title: Epochs, question: How many epochs?, parameter: epochs,
     values: [1, 500], repeats: 4}
"""


def start_training(served: NightServer, folder: Path) -> str:
    """Start a night and wait until it trains."""
    served.wait_until_served()
    options = {"study_file": str(write_toy(folder, LONG)), "results": str(folder / "results"), "lanes": 1}
    run = served.submit("nightly", {"run": options})

    def is_training() -> bool:
        logs = served.ask("logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}})
        return any("epoch" in each["message"] for each in logs)

    wait_until(is_training)
    return run


def test_a_person_who_cancels_a_run_sees_no_failures_and_gets_no_alarm(served: NightServer, tmp_path: Path):
    run = start_training(served, tmp_path)
    served.ask(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    assert served.wait(run, "CANCELLED", "CRASHED")["state_name"] == "Cancelled"
    body = {"flow_runs": {"id": {"any_": [run]}}, "task_runs": {"name": {"like_": "train "}}}

    def ended() -> list[dict[str, Any]]:
        found = served.ask("task_runs/filter", body)
        return found if found and all(each["end_time"] for each in found) else []

    trainings = wait_until(ended)
    assert {each["state_name"] for each in trainings} == {"Cancelled"}
    logs = served.ask("logs/filter", {"logs": {"flow_run_id": {"any_": [run]}, "level": {"ge_": 40}}})
    assert logs == []
    # No process of its own looks for hooks, nor does the worker import the flow.
    wait_until(lambda: f"Cancelled flow run '{served.run(run)['name']}'" in served.said())
    assert "deployment step" not in served.said()
    assert served.runs_of("alarm", "SCHEDULED", "PENDING", "RUNNING", "COMPLETED") == []


def test_a_run_that_a_person_deletes_is_ended_with_one_line_that_says_how_to_resume_it(
    served: NightServer, tmp_path: Path
):
    run = start_training(served, tmp_path)
    family = [process_of(run), *process_of(run).children(recursive=True)]
    served.ask(f"flow_runs/{run}", method="DELETE")
    assert psutil.wait_procs(family, timeout=WAIT_SECONDS)[1] == []
    (line,) = wait_until(lambda: [each for each in served.said().splitlines() if "was deleted" in each])
    (interrupted,) = (tmp_path / "results" / "runs").iterdir()
    resume = f"`study resume {interrupted.name} --results {tmp_path / 'results'}` continues from there"
    assert line.endswith(f"every finished training is kept, and {resume}")


def test_a_part_that_dies_ends_serving_with_a_message_and_nothing_left_running(tmp_path: Path):
    server = start_serving(tmp_path / "home")
    try:
        server.wait_until_served()
        parts = psutil.Process(server.process.pid).children(recursive=True)
        server.part("pages:create").kill()
        assert server.process.wait(timeout=WAIT_SECONDS) == 1
    finally:
        server.stop()
    assert len(parts) >= 3
    assert psutil.wait_procs(parts, timeout=WAIT_SECONDS)[1] == []
    assert server.said().splitlines()[-1] == (
        "study: the server ended (killed by SIGKILL), so everything was stopped; its log is in "
        f"{tmp_path / 'home' / 'server.log'}; `study serve` starts all of it again, "
        "and docs/serving.md has a systemd unit that does this"
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "killed by SIGKILL"), (-99, "killed by signal 99")],
)
def test_how_a_process_ended_is_said_in_words(code: int, said: str):
    assert describe_end(code) == said
