"""`study prune` as a person calls it, and Prefect's database by a real server, counted in its file."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from prefect.settings.models.server.services import ServerServicesDBVacuumSettings

from flows.prefect_history import FLOW
from flows.run_study import run_study
from flows.serve import serving_environment
from storage.place import Results
from storage.tables import list_runs
from tests.aged_runs import end_run, keep_training, read_everything
from tests.command import Ended, study, study_program
from tests.prefect_home import furnish

TABLES = (
    "flow_run",
    "flow_run_state",
    "task_run",
    "task_run_state",
    "log",
    "artifact",
    "artifact_collection",
)

FLOWS = """
import sys
from flows.temporary_server import temporary_server
with temporary_server():
    from prefect import flow, get_run_logger, task
    from prefect.artifacts import create_markdown_artifact

@task
def work():
    get_run_logger().info("working")
    create_markdown_artifact("of a task", key="task")

def body(fails):
    get_run_logger().info("begun")
    work()
    create_markdown_artifact("of a flow", key="flow")
    if fails:
        raise RuntimeError("as asked")

ours, others = (flow(body, name=name) for name in ("study", "another"))
for each, fails in ((ours, True), (others, False), (ours, False), (ours, False)):
    try:
        each(fails)
    except RuntimeError:
        pass
"""


def prune(results: Results, *arguments: object) -> Ended:
    return study("prune", *arguments, "--results", results.folder)


def test_what_went_and_what_stayed_is_said_with_counts_and_reasons(results: Results):
    old = [end_run(results, days, keys=[keep_training(results, days, days)]) for days in (50, 40)]
    end_run(results, 45, "smoke")
    end_run(results, 1, "smoke")
    end_run(results, 1)
    before = read_everything(results.folder)
    code, out, err = prune(results, "--older-than", "30d", "--dry-run")
    assert (code, err) == (0, "")
    assert "would remove 3 runs (lab 2, smoke 1), 0." in out
    assert f"  {old[0]}, 0." in out
    assert "would remove 2 trainings, 0.0 MB" in out
    assert "kept 2 runs: the newest complete of its study\n" in out
    assert read_everything(results.folder) == before
    code, out, err = prune(results, "--older-than", "30d", "--no-trainings")
    assert (code, err) == (0, "")
    assert "removed 3 runs (lab 2, smoke 1), 0." in out
    assert "training" not in out
    assert "removed 2 trainings, 0.0 MB" in prune(results, "--keep", 1)[1]
    assert len(list_runs(results)) == 2


def test_damage_is_told_and_what_could_not_be_removed_exits_with_1(results: Results):
    stuck = end_run(results, 50)
    damaged = end_run(results, 40)
    end_run(results, 1)
    (results.tables / "runs" / f"run={damaged}" / "part-0.parquet").write_bytes(b"")
    results.run(stuck).rename(results.folder / "aside")
    results.run(stuck).symlink_to(results.folder / "aside")
    code, out, err = prune(results, "--older-than", "30d")
    assert code == 1
    assert f"could not be removed: {stuck}: " in err
    assert f"run={damaged}" in err
    assert "kept 1 run: a row in `runs` is damaged" in out
    assert (results.folder / "aside" / "report.html").exists()


def test_a_limit_longer_than_any_calendar_removes_nothing(results: Results):
    end_run(results, 50)
    end_run(results, 40)
    assert prune(results, "--older-than", "999999999d")[1].splitlines()[1] == "removed 0 runs, 0.0 MB"


def test_a_server_of_ours_removes_by_itself_only_events_and_what_belongs_to_no_flow_run():
    environment = serving_environment("http://127.0.0.1:4200", {})
    vacuum = ServerServicesDBVacuumSettings(enabled=environment["PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED"])
    assert vacuum.enabled_vacuum_types == {"events", "orphans"}
    asked = {"PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs"}
    assert serving_environment("http://127.0.0.1:4200", asked).items() >= asked.items()


def test_our_flow_is_named_as_prefect_knows_it():
    assert run_study.name == FLOW


def prune_with_prefect(results: Results, database: Path, *arguments: object) -> Ended:
    """As a program: Prefect's settings, its home among them, are those of a process."""
    where = ("--results", results.folder, "--prefect")
    return study_program("prune", *arguments, *where, PREFECT_HOME=str(database.parent))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of Prefect's with four flow runs: ours failed, another project's, ours, ours."""
    home = furnish(tmp_path_factory.mktemp("prefect"))
    environment = {**os.environ, "PREFECT_HOME": str(home)}
    subprocess.run(
        [sys.executable, "-c", FLOWS], check=True, env=environment, capture_output=True, timeout=180
    )
    return home / "prefect.db"


def rows(database: Path) -> dict[str, int]:
    with closing(sqlite3.connect(database)) as connection:
        return {table: connection.execute(f"select count(*) from {table}").fetchone()[0] for table in TABLES}


@pytest.mark.slow
def test_old_flow_runs_go_from_prefects_database_with_all_that_is_theirs(results: Results, database: Path):
    before = rows(database)
    assert before["flow_run"] == before["task_run"] == 4
    assert before["artifact"] == 9  # two of each, and Prefect's own of what one has raised
    assert before["log"] >= 8
    end_run(results, 1)

    code, out, _ = prune_with_prefect(results, database, "--older-than", "1d")
    assert (code, rows(database)) == (0, before)
    assert "removed 0 flow runs with task runs and logs and 0 artifacts, from the local database" in out
    code, out, _ = prune_with_prefect(results, database, "--older-than", "1s", "--dry-run")
    assert (code, rows(database)) == (0, before)
    assert "would remove 2 flow runs with task runs and logs, from the local database of Prefect\n" in out
    code, out, _ = prune_with_prefect(results, database, "--older-than", "1s")
    assert code == 0
    assert "removed 2 flow runs with task runs and logs and 5 artifacts, from the local database" in out
    assert "kept 1 flow run: the newest completed of its deployment\n" in out

    after = rows(database)
    assert after["flow_run"] == after["task_run"] == 2  # the newest of ours, and the other project's
    assert after["artifact"] == 4
    assert after["artifact_collection"] == before["artifact_collection"] == 2
    with closing(sqlite3.connect(database)) as connection:
        for table in ("task_run", "log", "artifact", "artifact_collection"):
            orphans = f"select count(*) from {table} where flow_run_id not in (select id from flow_run)"
            assert connection.execute(orphans).fetchone()[0] == 0
        names = connection.execute("select f.name from flow_run r join flow f on f.id = r.flow_id").fetchall()
    assert sorted(names) == [("another",), ("study",)]
