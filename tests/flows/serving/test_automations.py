"""By the book on somebody else's server: the commands of prefect.yaml's head, and what its automations do."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from uuid import UUID

import pytest
from prefect.automations import Automation
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.serving.abandoned_runs import mark_abandoned_runs
from flows.serving.alarm import alarms, register, register_all, silent_runs
from flows.serving.deploy import deploy, prepare_pool
from study.errors import InputError
from tests.night_server import NightServer, bare_server, clean_environment
from tests.served import PROJECT
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

WITHIN = timedelta(seconds=60)
"""Instead of 25 hours and of 5 minutes; a server on a busy machine may take 20 s to handle an event."""


def read_commands() -> list[str]:
    """The commands that the head of prefect.yaml lists, as they stand there."""
    head = (PROJECT / "prefect.yaml").read_text(encoding="utf-8").split("\nname:")[0]
    return [line.removeprefix("#   ") for line in head.splitlines() if line.startswith("#   ")]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NightServer]:
    """A bare server on which the book's commands have been carried out; its worker runs."""
    home = tmp_path_factory.mktemp("book") / "home"
    with bare_server(home) as server:
        first, *others = read_commands()
        commands = [
            "set -e",
            first.replace("PREFECT_API_URL=...", f"PREFECT_API_URL={server.url}/api"),
            *others,
        ]
        with (home.parent / "book.log").open("wb") as log:
            shell = subprocess.Popen(
                ["bash", "-c", "\n".join(commands)],
                cwd=PROJECT,
                env=clean_environment(home),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_until(
                lambda: (home.parent / "book.log").read_text().count("started!") or shell.poll() is not None
            )
            assert shell.poll() is None, (home.parent / "book.log").read_text()
            with temporary_settings({PREFECT_API_URL: f"{server.url}/api"}):
                yield server
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
            try:
                shell.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(shell.pid, signal.SIGKILL)
                shell.wait()


def automations(server: NightServer) -> dict[str, Any]:
    found = server.ask("automations/filter", {})
    assert len({each["name"] for each in found}) == len(found), "one of each"
    return {each["name"]: each for each in found}


def test_the_commands_of_the_book_do_all_that_serving_does(book: NightServer):
    assert "export" in read_commands()[0]
    pool = book.ask("work_pools/study")  # other tests make further pools, deployments and automations
    assert (pool["name"], pool["type"], pool["concurrency_limit"]) == ("study", "process", 1)
    book.wait_for_deployments()
    found = {each["name"] for each in book.ask("deployments/filter", {})}
    assert found >= {"nightly", "on-demand", "smoke", "alarm"}
    assert [each["status"] for each in book.ask("work_pools/study/workers/filter", {})] == ["ONLINE"]
    assert set(automations(book)) >= {
        "study: a night drifted",
        "study: a night did not do its work",
        "study: a night has failed trials",
        "study: a night never started",
        "study: a run fell silent",
    }


def test_registering_again_leaves_each_automation_once_and_untouched(book: NightServer):
    before = automations(book)
    register()
    assert automations(book) == before


def test_an_automation_that_has_changed_is_replaced_in_its_place_and_a_double_one_removed(book: NightServer):
    def make(seconds: int) -> Automation:
        automation = silent_runs(timedelta(seconds=seconds))
        automation.name = "changing"
        automation.enabled = False
        return automation

    register_all([make(600)])
    (before,) = [each for name, each in automations(book).items() if name == "changing"]
    make(600).create()
    register_all([make(700)])
    (after,) = [each for name, each in automations(book).items() if name == "changing"]
    assert before["trigger"]["within"] == 600
    assert after["trigger"]["within"] == 700
    assert after["enabled"] is False


def make_deployment(server: NightServer, name: str) -> UUID:
    flow = server.deployment("nightly")["flow_id"]
    return UUID(server.ask("deployments/", {"name": name, "flow_id": flow})["id"])


def start_run(server: NightServer, deployment: UUID) -> str:
    flow = server.deployment("nightly")["flow_id"]
    run = server.ask("flow_runs/", {"flow_id": flow, "deployment_id": str(deployment)})
    server.ask(f"flow_runs/{run['id']}/set_state", {"state": {"type": "RUNNING"}, "force": True})
    return str(run["id"])


def send_heartbeat(server: NightServer, run: str) -> None:
    """As Prefect sends it for a run that has set a frequency."""
    flow = {
        "prefect.resource.id": "prefect.flow.1",
        "prefect.resource.role": "flow",
        "prefect.resource.name": "study",
    }
    event = {
        "occurred": datetime.now(UTC).isoformat(),
        "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
        "related": [flow],
        "id": str(UUID(bytes=os.urandom(16), version=4)),
    }
    server.ask("events", [event])


@contextmanager
def repeated(send: Callable[[], object]) -> Iterator[None]:
    """Send something every three seconds, however long the test waits for anything else."""
    over = threading.Event()

    def send_until_over() -> None:
        while not over.wait(3):
            with suppress(OSError):  # busy for a moment
                send()

    with ThreadPoolExecutor(1) as executor:
        sending = executor.submit(send_until_over)
        try:
            yield
        finally:
            over.set()
    sending.result()


def test_a_night_that_never_started_raises_an_alarm_one_that_started_none_and_silent_runs_crash(
    book: NightServer,
):
    # In one test, as all of it is waiting.
    alarm = UUID(book.deployment("alarm")["id"])
    awaited, kept = make_deployment(book, "awaited"), make_deployment(book, "kept")
    watching = [alarms(deployment, alarm, WITHIN)[-1] for deployment in (awaited, kept)]
    for name, automation in zip(("awaited", "kept"), watching, strict=True):
        automation.name = name
        automation.actions[0].parameters["message"] = f"{name} never started"
    silence = silent_runs(WITHIN)
    silence.name = "silence"
    register_all([*watching, silence])
    silent, heard = start_run(book, make_deployment(book, "silent")), start_run(book, kept)
    send_heartbeat(book, silent)

    def is_over() -> bool:
        missing = [run for run in book.runs_of("alarm", "COMPLETED") if "never started" in run["name"]]
        return bool(missing) and book.run(silent)["state_type"] == "CRASHED"

    with repeated(lambda: start_run(book, kept)), repeated(lambda: send_heartbeat(book, heard)):
        wait_until(is_over)
    raised = {run["name"] for run in book.runs_of("alarm", "COMPLETED", "RUNNING", "SCHEDULED", "PENDING")}
    assert {name for name in raised if "never started" in name} == {"alarm: awaited never started"}
    assert "no more heartbeats" in book.run(silent)["state"]["message"]
    assert book.run(heard)["state_type"] == "RUNNING"


def test_a_pool_that_is_not_there_is_made_for_one_run_at_a_time(book: NightServer):
    prepare_pool("made")
    pool = book.ask("work_pools/made")
    assert (pool["type"], pool["concurrency_limit"]) == ("process", 1)
    assert pool["base_job_template"]["variables"]["properties"].keys() >= {"env", "working_dir"}


def test_a_pool_that_somebody_has_set_up_stays_so_with_a_warning(book: NightServer, caplog):
    with get_client(sync_client=True) as client:
        client.create_work_pool(
            WorkPoolCreate(name="wide", type="process", concurrency_limit=3, is_paused=True)
        )
    prepare_pool("wide")
    pool = book.ask("work_pools/wide")
    assert (pool["concurrency_limit"], pool["is_paused"]) == (3, True)
    assert "work pool wide has a limit of 3" in caplog.text
    assert "`prefect work-pool set-concurrency-limit wide 1`" in caplog.text
    assert "`prefect work-pool resume wide`" in caplog.text


def test_a_pool_whose_runs_are_no_processes_is_refused(book: NightServer):
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="docker", type="docker"))
    with pytest.raises(
        InputError, match=r"has a work pool 'docker' of type 'docker', .*needs one of type 'process'"
    ):
        prepare_pool("docker")


def test_a_night_that_was_due_while_nothing_served_is_still_there_when_deployed_anew(book: NightServer):
    environment = clean_environment(book.log.with_name("home"), PREFECT_API_URL=f"{book.url}/api")
    body = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}

    def see_nights() -> list[str]:
        found = [each["id"] for each in book.ask("flow_runs/filter", body) if each["auto_scheduled"]]
        return found if len(found) > 1 else []

    missed, other, *_ = wait_until(see_nights)
    with get_client(sync_client=True) as client:
        client.update_work_pool("study", WorkPoolUpdate(is_paused=True))  # nobody is to start it
    due = datetime.now(UTC) - timedelta(hours=3)
    state = {"type": "SCHEDULED", "name": "Late", "state_details": {"scheduled_time": due.isoformat()}}
    book.ask(f"flow_runs/{missed}/set_state", {"state": state, "force": True})
    deploy(environment)
    kept = book.run(missed)
    assert (kept["state_type"], kept["auto_scheduled"], kept["run_count"]) == ("SCHEDULED", True, 0)
    assert datetime.fromisoformat(kept["next_scheduled_start_time"]) == due
    with pytest.raises(HTTPError, match="404"):  # what Prefect does with all others
        book.run(other)


def test_only_runs_without_a_process_that_no_other_machine_may_execute_are_marked(
    book: NightServer, monkeypatch: pytest.MonkeyPatch
):
    with get_client(sync_client=True) as client:
        client.update_work_pool("study", WorkPoolUpdate(is_paused=True))  # nobody is to start them
    run = book.submit("nightly", {})
    book.ask(f"flow_runs/{run}/set_state", {"state": {"type": "RUNNING"}, "force": True})
    mark_abandoned_runs("study")
    assert book.run(run)["state_type"] == "RUNNING"  # a worker that is not of `study serve` is online
    (worker,) = book.ask("work_pools/study/workers/filter", {})
    monkeypatch.setattr("flows.serving.abandoned_runs.WORKER", worker["name"])
    sleeping = [sys.executable, "-c", "print(flush=True); input()"]
    environment = {**os.environ, "PREFECT__FLOW_RUN_ID": run}
    with subprocess.Popen(
        sleeping, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as executing:
        assert executing.stdout is not None
        executing.stdout.readline()
        mark_abandoned_runs("study")
        assert book.run(run)["state_type"] == "RUNNING"  # a process on this machine executes it
        executing.kill()
    mark_abandoned_runs("study")
    assert book.run(run)["state_type"] == "CRASHED"


def test_what_prefect_refuses_to_deploy_is_told(
    book: NightServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("flows.serving.deploy.PROJECT", tmp_path)  # a folder without prefect.yaml
    environment = clean_environment(book.log.with_name("home"), PREFECT_API_URL=f"{book.url}/api")
    with pytest.raises(InputError, match=r"`prefect --no-prompt deploy --all .* failed with exit code 1"):
        deploy(environment)
    assert capfd.readouterr().err.strip()
