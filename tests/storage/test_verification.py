"""What is found damaged in a results folder, and what is said of it."""

import pytest

from storage.results import Results
from storage.tables.history import update_history
from storage.tables.parts import MEND, part_path
from storage.tables.published import publish
from storage.tables.schema import TABLES
from storage.upkeep import Checked, check_results, check_runs
from tests.frames import RUN_ID
from tests.small_run import make_tables

LATER = "20260302T020000Z-lab-0000bbbb"


def test_what_is_sound_is_listed_without_damage(results: Results):
    publish(results, make_tables())
    update_history(results)
    assert list(check_results(results)) == [Checked("run", RUN_ID), Checked("history", "2026-03")]


@pytest.mark.parametrize("table", TABLES)
def test_a_missing_part_of_a_published_run_is_noticed(results: Results, table: str):
    publish(results, make_tables())
    path = part_path(results, table, RUN_ID)
    path.unlink()
    found = list(check_runs(results))
    if table == "runs":
        assert found == []  # then it is no run
    else:
        assert found == [Checked("run", RUN_ID, (f"{path}: no such file; {MEND}",))]


def test_another_run_s_file_is_noticed(results: Results):
    for run_id in (RUN_ID, LATER):
        publish(results, make_tables(run_id))
    path = part_path(results, "trials", RUN_ID)
    path.write_bytes(part_path(results, "trials", LATER).read_bytes())
    found = list(check_runs(results))
    assert found == [
        Checked("run", RUN_ID, (f"{path}: has rows of run {LATER}; {MEND}",)),
        Checked("run", LATER),
    ]


def test_a_damaged_month_of_runs_has_the_month_written_again(results: Results):
    publish(results, make_tables())
    (month,) = update_history(results)
    assert update_history(results) == []
    (results.history / "runs" / f"month={month}" / "part-0.parquet").write_bytes(b"PAR1")
    assert update_history(results) == [month]
    assert update_history(results) == []
