"""`study verify` and `study compact`: what is damaged, what to redo, and a history made anew."""

from pathlib import Path

from storage.results import Results
from storage.tables.parts import part_path
from storage.tables.published import publish
from tests.command import study
from tests.small_run import make_tables

LATER = "20260302T020000Z-lab-0000bbbb"


def test_a_damaged_run_is_named_with_what_to_do(results: Results):
    for run_id in (make_tables().run.run_id, LATER):
        publish(results, make_tables(run_id))
    path = part_path(results, "trials", LATER)
    path.write_bytes(path.read_bytes()[:-1])
    code, out, err = study("verify", "--results", results.folder)
    assert (code, err) == (1, "")
    assert f"run {LATER}: {path}: cannot be read as a Parquet file: " in out
    assert "; restore the file, or remove this run's folder from `tables/runs`; " in out
    assert "2 published runs: 1 sound, 1 damaged\n1 month of the history: 0 sound, 1 damaged\n" in out


def test_the_history_is_made_and_then_up_to_date(results: Results):
    publish(results, make_tables())
    assert study("compact", "--results", results.folder)[:2] == (
        0,
        f"{results.history}: 1 month written: 2026-03\n",
    )
    assert study("compact", "--results", results.folder)[1] == f"{results.history}: up to date\n"
    assert study("verify", "--results", results.folder)[0] == 0


def test_where_nothing_is_kept_nothing_is_called_sound(tmp_path: Path):
    code, out, err = study("verify", "--results", tmp_path / "elsewhere")
    assert (code, out) == (2, "")
    assert err == f"study: nothing is kept in {tmp_path}/elsewhere; give the folder of a run with --results\n"
