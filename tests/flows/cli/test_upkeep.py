"""Commands of upkeep as a person calls them, and what a server of ours removes by itself."""

import json
from pathlib import Path

from prefect.settings.models.server.services import ServerServicesDBVacuumSettings

from flows.serving.serve import serving_environment
from storage.results import Results
from storage.tables.parts import part_path
from storage.tables.published import list_runs, publish
from tests.aged_runs import end_run, keep_training, read_everything
from tests.command import Ended, study
from tests.small_run import make_tables

LATER = "20260302T020000Z-lab-0000bbbb"


def run(results: Results, *arguments: object) -> Ended:
    return study(*arguments, "--results", results.folder)


def test_what_went_and_what_stayed_is_said_with_counts_and_reasons(results: Results):
    old = [end_run(results, days, keys=[keep_training(results, days, days)]) for days in (50, 40)]
    old.append(end_run(results, 45, "smoke"))
    end_run(results, 1, "smoke")
    end_run(results, 1)
    before = read_everything(results.folder)
    code, out, err = run(results, "prune", "--older-than", "30d", "--dry-run")
    assert (code, err) == (0, "")
    assert "would remove 3 runs, 0." in out
    assert all(f"  {run_id}, 0." in out for run_id in old)
    assert "would remove 2 trainings, 0.0 MB" in out
    assert "kept 2 runs: the newest complete of its study\n" in out
    assert read_everything(results.folder) == before
    code, out, err = run(results, "prune", "--older-than", "30d", "--no-trainings")
    assert (code, err) == (0, "")
    assert "\nremoved 3 runs, 0." in out
    assert all(f"  {run_id}, 0." in out for run_id in old)
    assert "training" not in out
    assert "removed 2 trainings, 0.0 MB" in run(results, "prune", "--keep", 1)[1]
    assert len(list_runs(results)) == 2


def test_damage_is_told_and_what_could_not_be_removed_exits_with_1(results: Results):
    stuck = end_run(results, 50)
    damaged = end_run(results, 40)
    end_run(results, 1)
    (results.tables / "runs" / f"run={damaged}" / "part-0.parquet").write_bytes(b"")
    results.run(stuck).rename(results.folder / "aside")
    results.run(stuck).symlink_to(results.folder / "aside")
    code, out, err = run(results, "prune", "--older-than", "30d")
    assert code == 1
    assert f"{stuck}: could not be removed: " in err
    assert f"run={damaged}" in err
    assert "kept 1 run: a row in `runs` is damaged" in out
    assert (results.folder / "aside" / "report.html").exists()


def test_a_limit_longer_than_any_calendar_removes_nothing(results: Results):
    end_run(results, 50)
    end_run(results, 40)
    assert run(results, "prune", "--older-than", "999999999d")[1].splitlines()[1] == "removed 0 runs, 0.0 MB"


def test_a_server_of_ours_removes_by_itself_only_events_and_what_belongs_to_no_flow_run():
    environment = serving_environment("http://127.0.0.1:4200", {})
    vacuum = ServerServicesDBVacuumSettings(enabled=environment["PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED"])
    assert vacuum.enabled_vacuum_types == {"events", "orphans"}
    asked = {"PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs"}
    assert serving_environment("http://127.0.0.1:4200", asked).items() >= asked.items()


def test_kept_trainings_are_listed_with_their_size(results: Results):
    keys = [keep_training(results, seed) for seed in (1, 2)]
    code, out, _ = run(results, "trainings")
    assert code == 0
    assert all(key in out for key in keys)
    assert "filters=7 seed=2" in out
    assert "2 trainings, 0.0 MB in" in out


def test_an_empty_cache_is_no_error(results: Results):
    assert run(results, "trainings") == (0, f"0 trainings, 0.0 MB in {results.trainings}\n", "")


def test_damage_is_found_and_said(results: Results):
    sound, bad, unfinished = keep_training(results, 1), keep_training(results, 2), keep_training(results, 3)
    path = results.trainings / bad / "record.json"
    envelope = json.loads(path.read_text())
    envelope["record"]["epochs"][0]["test_accuracy"] = 0.5
    path.write_text(json.dumps(envelope))
    (results.trainings / unfinished / "record.json").unlink()
    code, out, err = run(results, "verify")
    assert (code, err) == (1, "")
    again = "; the next run that needs it trains it again\n"
    assert f"{path} is damaged: its checksum does not fit{again}" in out
    assert f"{results.trainings / unfinished} has no record: it was never finished{again}" in out
    assert "3 kept trainings: 1 sound, 2 damaged\n" in out
    code, out, _ = run(results, "trainings")
    assert code == 0
    assert "2 not readable (`study verify` says why)" in out
    assert sound in out


def test_a_damaged_run_is_named_with_what_to_do(results: Results):
    for run_id in (make_tables().run.run_id, LATER):
        publish(results, make_tables(run_id))
    path = part_path(results, "trials", LATER)
    path.write_bytes(path.read_bytes()[:-1])
    code, out, err = run(results, "verify")
    assert (code, err) == (1, "")
    assert f"run {LATER}: {path}: cannot be read as a Parquet file: " in out
    assert "; restore the file, or remove this run's folder from `tables/runs`; " in out
    assert "2 published runs: 1 sound, 1 damaged\n1 month of the history: 0 sound, 1 damaged\n" in out


def test_the_history_is_made_and_then_up_to_date(results: Results):
    publish(results, make_tables())
    assert run(results, "compact")[:2] == (
        0,
        f"{results.history}: 1 month written: 2026-03\n",
    )
    assert run(results, "compact")[1] == f"{results.history}: up to date\n"
    assert run(results, "verify")[0] == 0


def test_where_nothing_is_kept_nothing_is_called_sound(tmp_path: Path):
    code, out, err = study("verify", "--results", tmp_path / "elsewhere")
    assert (code, out) == (2, "")
    assert err == f"study: nothing is kept in {tmp_path}/elsewhere; give the folder of a run with --results\n"
