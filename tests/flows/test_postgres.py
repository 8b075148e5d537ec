"""Prefect's server on a real Postgres: a run's own, and `study serve`, whose runs and schedules stay there.

Of `study serve` one scenario; the tests say what is to be seen of it afterwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from storage.tables.published import read_run
from tests.chaos import Arena
from tests.night_server import NightServer, bare_server, start_serving
from tests.postgres import ask, needs_postgres, serving
from tests.prefect_home import prepare_home
from tests.toy import SMALL, write_toy
from tests.waiting import wait_until

pytestmark = needs_postgres

SCHEDULED = """
select deployment.name from flow_run join deployment on deployment.id = flow_run.deployment_id
where flow_run.auto_scheduled and flow_run.state_type = 'SCHEDULED'
  and flow_run.next_scheduled_start_time > now()
"""


@dataclass(frozen=True)
class Seen:
    """What was seen: of `study serve`, and of a server that was started after all of it had been killed."""

    url: str
    run: dict[str, Any]
    results: Path
    tasks: dict[str, int]
    """How many task runs, by what they ran and how that ended."""
    scheduled: list[str]
    """For each run that a schedule has yielded, its deployment."""
    later: dict[str, Any]
    home: Path


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("postgres")
    results = folder / "results"
    asked = {"study_file": str(write_toy(folder, SMALL)), "results": str(results), "lanes": 1}
    with serving() as url:
        server = _serve(folder / "home", url)
        try:
            scheduled = wait_until(lambda: ask(url, SCHEDULED))
            run = server.wait(server.submit("on-demand", {"run": asked}), "COMPLETED", "FAILED", "CRASHED")
            tasks = wait_until(lambda: _settled_tasks(url, run["id"]))  # the server writes them down later
            server.part("server start").kill()
            server.kill()
        finally:
            server.stop()
        later = folder / "later"  # a home in which nothing is known
        with bare_server(later, PREFECT_API_DATABASE_CONNECTION_URL=url) as other:
            yield Seen(url, run, results, tasks, scheduled, other.run(run["id"]), folder / "home")


def _serve(home: Path, url: str) -> NightServer:
    home.mkdir()
    (home / "prefect.db").touch()  # were it used, it would be an empty file no more
    return start_serving(home, PREFECT_API_DATABASE_CONNECTION_URL=url).wait_until_served()


def _settled_tasks(url: str, flow_run: str) -> dict[str, int] | None:
    what = "split_part(task_key, '-', 1) || ' ' || state_type"
    rows = ask(url, f"select {what}, count(*) from task_run where flow_run_id = '{flow_run}' group by 1")
    counts = {name: int(count) for name, count in (row.split("|") for row in rows)}
    return None if not counts or any(name.endswith(("PENDING", "RUNNING")) for name in counts) else counts


def test_a_runs_own_server_keeps_it_in_postgres(tmp_path: Path):
    with serving() as url:
        arena = Arena(tmp_path, SMALL, environment={"PREFECT_API_DATABASE_CONNECTION_URL": url})
        file = prepare_home(tmp_path / "prefect") / "prefect.db"
        before = file.read_bytes()
        assert arena.run_study("--lanes", 1) == 0, arena.said()
        run = read_run(arena.results).run
        found = ask(url, f"select state_type, state_name from flow_run where id = '{run.flow_run_id}'")
        assert found == ["COMPLETED|Completed"]
        assert file.read_bytes() == before
        assert not file.with_name("prefect.db-wal").exists()


@pytest.mark.slow
def test_a_run_completes_and_publishes(seen: Seen):
    assert seen.run["state_name"] == "Completed"
    trials = pd.read_parquet(seen.results / "tables" / "trials")
    assert list(trials.status) == ["completed"] * 4


@pytest.mark.slow
def test_the_flow_run_and_its_task_runs_are_in_postgres(seen: Seen):
    found = ask(seen.url, f"select state_type, state_name from flow_run where id = '{seen.run['id']}'")
    assert found == ["COMPLETED|Completed"]
    assert seen.tasks["train COMPLETED"] == 4
    assert all(name.endswith(" COMPLETED") for name in seen.tasks), seen.tasks


@pytest.mark.slow
def test_a_schedule_yields_runs_in_postgres(seen: Seen):
    assert len(seen.scheduled) >= 3  # Prefect's least number of runs ahead
    assert set(seen.scheduled) == {"nightly"}


@pytest.mark.slow
def test_a_server_that_starts_after_all_was_killed_still_knows_the_run(seen: Seen):
    kept = ("name", "state_type", "start_time", "end_time", "total_run_time", "parameters")
    assert {name: seen.later[name] for name in kept} == {name: seen.run[name] for name in kept}


@pytest.mark.slow
def test_nothing_is_kept_in_a_database_file(seen: Seen):
    assert (seen.home / "prefect.db").stat().st_size == 0
