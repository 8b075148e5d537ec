"""By the book on somebody else's server: the commands of prefect.yaml's head, and what its automations do."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
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

from flows.serving.abandoned_runs import SILENT_LOOKS, look_at_runs, mark_abandoned_runs
from flows.serving.alarm import MADE_UP, alarms, register, register_all
from flows.serving.deploy import deploy, prepare_pool
from study.errors import InputError
from tests.night_server import NightServer, bare_server, clean_environment
from tests.served import PROJECT
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

WITHIN = timedelta(seconds=60)
"""Instead of an hour; a server on a busy machine may take 20 s to handle an event."""


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
    }


def test_registering_again_leaves_each_automation_once_and_untouched(book: NightServer):
    before = automations(book)
    register()
    assert automations(book) == before
    ours = [each["description"] for name, each in before.items() if name.startswith("study: ")]
    assert ours
    assert len(set(ours) - {""}) == len(ours)


def test_what_a_person_has_changed_stays_and_what_an_earlier_version_made_is_replaced(
    book: NightServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    off, deleted, late = (
        f"mine: a night {what}" for what in ("did not do its work", "drifted", "never started")
    )

    def make(hours: int) -> list[Automation]:
        made = alarms(UUID(book.deployment("alarm")["id"]), within=timedelta(hours=hours))
        for each in made:
            each.name = each.name.replace("study", "mine")
        return made

    def mine() -> dict[str, Any]:
        return {name: each for name, each in automations(book).items() if name.startswith("mine")}

    register_all(make(1))
    first = mine()
    assert caplog.text == ""
    book.ask(f"automations/{first[off]['id']}", {"enabled": False}, method="PATCH")
    book.ask(f"automations/{first[deleted]['id']}", method="DELETE")
    make(1)[-1].create()  # a double one
    register_all(make(2))
    second = mine()
    assert second.keys() == first.keys()
    assert (second[off]["id"], second[off]["enabled"]) == (first[off]["id"], False)
    assert f"automation {off!r} stays as it was changed in the UI (switched off)" in caplog.text
    assert second[deleted]["enabled"] is True
    assert f"automation {deleted!r} was deleted and is made again" in caplog.text
    assert second[late]["trigger"]["within"] == 7200
    monkeypatch.setattr(
        "flows.serving.alarm.EDITED_AFTER", timedelta(0)
    )  # as if a person had set the two hours
    register_all(make(3))
    assert mine()[late] == second[late]
    assert f"automation {late!r} stays as it was changed in the UI (edited)" in caplog.text


def start_run(server: NightServer) -> str:
    flow = server.deployment("nightly")["flow_id"]
    run = server.ask("flow_runs/", {"flow_id": flow, "work_pool_name": "study"})
    server.ask(f"flow_runs/{run['id']}/set_state", {"state": {"type": "RUNNING"}, "force": True})
    return str(run["id"])


def send_heartbeat(server: NightServer, run: str) -> None:
    """As Prefect sends it for a run that has set a frequency."""
    resource = {"prefect.resource.id": f"prefect.flow-run.{run}"}
    event = {
        "occurred": datetime.now(UTC).isoformat(),
        "event": "prefect.flow-run.heartbeat",
        "resource": resource,
        "id": str(UUID(bytes=os.urandom(16), version=4)),
    }
    server.ask("events", [event])
    wait_until(lambda: resource in [each["resource"] for each in server.events("prefect.flow-run.heartbeat")])


def test_a_night_that_is_late_raises_an_alarm_and_one_that_starts_none(book: NightServer):
    watching = alarms(UUID(book.deployment("alarm")["id"]), "watched", WITHIN)[-1]
    watching.name = "watched"
    register_all([watching])
    flow = book.deployment("nightly")["flow_id"]

    def be_late(name: str) -> str:
        run = book.ask("flow_runs/", {"flow_id": flow, "name": name, "tags": ["watched"]})
        book.ask(
            f"flow_runs/{run['id']}/set_state",
            {"state": {"type": "SCHEDULED", "name": "Late"}, "force": True},
        )
        return str(run["id"])

    be_late("missed")
    started = be_late("started")
    book.ask(f"flow_runs/{started}/set_state", {"state": {"type": "PENDING"}, "force": True})

    def raised() -> set[str]:
        found = book.runs_of("alarm", "COMPLETED", "RUNNING", "SCHEDULED", "PENDING")
        return {run["name"] for run in found if "not started" in run["name"]}

    (name,) = wait_until(raised)
    assert name.startswith("alarm: missed: due at 20")
    assert "and not started 0.01667 h later: is a worker running, is the pool paused or busy?" in name


def test_a_silent_run_is_dead_after_as_many_looks_as_there_were_not_after_time(book: NightServer):
    silent, heard = start_run(book), start_run(book)
    send_heartbeat(book, heard)
    looks = look_at_runs("study", {UUID(silent): SILENT_LOOKS - 2})
    assert looks[UUID(silent)] == SILENT_LOOKS - 1
    assert UUID(heard) not in looks
    assert book.run(silent)["state_type"] == "RUNNING"
    look_at_runs("study", looks)
    assert "its process is gone" in book.run(silent)["state"]["message"]
    assert book.run(silent)["state_type"] == "CRASHED"
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


def test_of_nights_that_were_due_while_nothing_served_the_newest_stays_and_what_people_switched_off(
    book: NightServer, caplog: pytest.LogCaptureFixture
):
    environment = clean_environment(book.log.with_name("home"), PREFECT_API_URL=f"{book.url}/api")
    body = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}

    def see_nights() -> list[str]:
        found = [each["id"] for each in book.ask("flow_runs/filter", body) if each["auto_scheduled"]]
        return found if len(found) > 2 else []

    missed, earlier, other, *_ = wait_until(see_nights)
    with get_client(sync_client=True) as client:
        client.update_work_pool("study", WorkPoolUpdate(is_paused=True))  # nobody is to start it
    now = datetime.now(UTC)
    for run, due in ((missed, now - timedelta(hours=3)), (earlier, now - timedelta(hours=27))):
        state = {"type": "SCHEDULED", "name": "Late", "state_details": {"scheduled_time": due.isoformat()}}
        book.ask(f"flow_runs/{run}/set_state", {"state": state, "force": True})
    nightly = book.deployment("nightly")
    (schedule,) = nightly["schedules"]
    book.ask(f"deployments/{nightly['id']}/schedules/{schedule['id']}", {"active": False}, method="PATCH")
    deploy(environment)
    kept, skipped = book.run(missed), book.run(earlier)
    assert (kept["state_type"], kept["auto_scheduled"], kept["run_count"]) == ("SCHEDULED", True, 0)
    assert datetime.fromisoformat(kept["next_scheduled_start_time"]) == now - timedelta(hours=3)
    assert skipped["state_name"] == "Skipped"
    newest = f"{now - timedelta(hours=3):%Y-%m-%d %H:%M} UTC"
    assert skipped["state"]["message"] == (
        f"{MADE_UP} of {newest}: of the runs that were due while nothing served, only the newest runs"
    )
    with pytest.raises(HTTPError, match="404"):  # what Prefect does with all others
        book.run(other)
    (schedule,) = book.deployment("nightly")["schedules"]
    assert schedule["active"] is False
    assert "deployment nightly keeps its schedules of the server, other than in prefect.yaml" in caplog.text


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
