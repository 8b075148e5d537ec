"""Prefect's server on a real Postgres: a run's own, and that of `study serve`."""

from pathlib import Path

import pytest

from storage.results import Results
from storage.tables.published import read_run
from tests.chaos import Arena
from tests.night_server import bare_server, start_serving
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
def test_study_serve_keeps_runs_and_schedules_in_postgres_where_a_later_server_finds_them(tmp_path: Path):
    results, home = tmp_path / "results", tmp_path / "home"
    asked = {"study_file": str(write_toy(tmp_path, SMALL)), "results": str(results), "lanes": 1}
    home.mkdir()
    (home / "prefect.db").touch()  # were it used, it would be an empty file no more
    with serving() as url:
        server = start_serving(home, PREFECT_API_DATABASE_CONNECTION_URL=url).wait_until_served()
        try:
            scheduled = wait_until(lambda: ask(url, SCHEDULED))
            run = server.wait(server.submit("on-demand", {"run": asked}), "COMPLETED", "FAILED", "CRASHED")
            trained = f"select 1 from task_run where flow_run_id = '{run['id']}' and task_key like 'train-%' "
            trained += "and state_type = 'COMPLETED'"
            wait_until(lambda: len(ask(url, trained)) == 4)  # the server writes them down later
            server.part("pages:create").kill()
            server.kill()
        finally:
            server.stop()
        assert (home / "prefect.db").stat().st_size == 0
        assert len(scheduled) >= 3  # Prefect's least number of runs ahead
        assert set(scheduled) == {"nightly"}
        assert run["state_name"] == "Completed"
        assert [each.status for each in read_run(Results(results)).trials] == ["completed"] * 4
        later = tmp_path / "later"  # a home in which nothing is known
        with bare_server(later, PREFECT_API_DATABASE_CONNECTION_URL=url) as other:
            found = other.run(run["id"])
        kept = ("name", "state_type", "start_time", "end_time", "total_run_time", "parameters")
        assert {name: found[name] for name in kept} == {name: run[name] for name in kept}
