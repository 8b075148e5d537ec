"""`study prune` as a person calls it, and what a server of ours removes by itself."""

from prefect.settings.models.server.services import ServerServicesDBVacuumSettings

from flows.serving.serve import serving_environment
from storage.results import Results
from storage.tables.published import list_runs
from tests.aged_runs import end_run, keep_training, read_everything
from tests.command import Ended, study


def prune(results: Results, *arguments: object) -> Ended:
    return study("prune", *arguments, "--results", results.folder)


def test_what_went_and_what_stayed_is_said_with_counts_and_reasons(results: Results):
    old = [end_run(results, days, keys=[keep_training(results, days, days)]) for days in (50, 40)]
    old.append(end_run(results, 45, "smoke"))
    end_run(results, 1, "smoke")
    end_run(results, 1)
    before = read_everything(results.folder)
    code, out, err = prune(results, "--older-than", "30d", "--dry-run")
    assert (code, err) == (0, "")
    assert "would remove 3 runs, 0." in out
    assert all(f"  {run_id}, 0." in out for run_id in old)
    assert "would remove 2 trainings, 0.0 MB" in out
    assert "kept 2 runs: the newest complete of its study\n" in out
    assert read_everything(results.folder) == before
    code, out, err = prune(results, "--older-than", "30d", "--no-trainings")
    assert (code, err) == (0, "")
    assert "\nremoved 3 runs, 0." in out
    assert all(f"  {run_id}, 0." in out for run_id in old)
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
    assert f"{stuck}: could not be removed: " in err
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
