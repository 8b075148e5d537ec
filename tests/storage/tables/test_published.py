import dataclasses
import re

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.results import Results
from storage.tables import TABLES, schema_of
from storage.tables.parts import part_path
from storage.tables.published import list_runs, publish, read_rows, read_run
from storage.tables.row import Row
from storage.tables.rows_of_work import TrialRow
from storage.upkeep import check_runs
from study.errors import InputError
from study.status import Status
from tests.rows import RUN_ID
from tests.small_run import changed, make_tables

LATER = "20260302-120000-abcd"
ALL_FAILED = [(4, value, repeat) for value in (1.0, 2.0, 5.0, 10.0, 20.0) for repeat in (1, 2, 3, 4)]


def _ids(results: Results) -> list[str]:
    return [run.run_id for run in list_runs(results)]


def test_a_published_run_is_read_back_as_it_was_written(results: Results):
    tables = make_tables(failed=[(4, 5.0, 2)])
    publish(results, tables)
    assert read_run(results) == tables


def test_a_table_lies_where_the_contract_says_with_its_version_units_and_meanings(results: Results):
    publish(results, make_tables())
    for table, kind in TABLES.items():
        assert pq.read_schema(part_path(results, table, RUN_ID)).equals(schema_of(kind), check_metadata=True)


def test_a_run_without_its_row_in_runs_is_invisible(results: Results):
    publish(results, make_tables())
    publish(results, make_tables(LATER))
    part_path(results, "runs", LATER).unlink()
    assert _ids(results) == [RUN_ID]
    assert read_run(results).run.run_id == RUN_ID
    with pytest.raises(InputError, match=f"run '{LATER}' is not published"):
        read_run(results, LATER)
    runs, trials = (pd.read_parquet(results.tables / table) for table in ("runs", "trials"))
    assert set(trials["run_id"]) == {RUN_ID, LATER}
    assert set(trials.merge(runs[["run_id"]], on="run_id")["run_id"]) == {RUN_ID}


def test_a_run_whose_every_trial_failed_is_published(results: Results):
    publish(results, dataclasses.replace(make_tables(failed=ALL_FAILED), trainings=[], epochs=[]))
    found = read_run(results)
    assert [trial.status for trial in found.trials] == [Status.FAILED] * 20
    assert found.epochs == []


def test_reading_where_nothing_is_published_says_how_to_begin(results: Results):
    assert list_runs(results) == []
    message = f"no run published in {results.tables}; latest: none yet; `study run` makes one"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_run(results)


def test_an_unknown_run_is_answered_with_the_latest(results: Results):
    publish(results, make_tables())
    message = f"run 'yesterday' is not published in {results.tables}; latest: {RUN_ID}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_run(results, "yesterday")


class Key(Row, table="trials"):
    """A trial's training."""

    key: str
    """The training."""


def test_the_rows_of_many_runs_are_read_at_once_whole_or_some_columns(results: Results):
    for run_id in (RUN_ID, LATER):
        publish(results, make_tables(run_id))
    trials = read_rows(results, TrialRow, [LATER, RUN_ID])
    assert trials == [*make_tables(LATER).trials, *make_tables(RUN_ID).trials]
    keys = read_rows(results, Key, [LATER, RUN_ID])
    assert keys == [Key(run_id=each.run_id, study=each.study, key=each.key) for each in trials]
    assert read_rows(results, TrialRow, []) == []


def test_a_damaged_run_is_left_out_of_many_with_a_warning(results: Results, caplog: pytest.LogCaptureFixture):
    for run_id in (RUN_ID, LATER):
        publish(results, make_tables(run_id))
    part_path(results, "trials", RUN_ID).write_bytes(b"PAR1")
    assert {each.run_id for each in read_rows(results, Key, [RUN_ID, "../elsewhere", LATER])} == {LATER}
    assert "cannot be read as a Parquet file" in caplog.text
    assert "run '../elsewhere' in" in caplog.text


def test_a_word_that_a_column_cannot_have_is_named_and_hides_no_other_run(
    results: Results, caplog: pytest.LogCaptureFixture
):
    tables = make_tables()
    publish(results, dataclasses.replace(tables, run=changed(tables.run, status="paused")))
    publish(results, make_tables(LATER))
    fault = (
        f"{part_path(results, 'runs', RUN_ID)}: column 'status' holds 'paused': Input should be 'completed', "
    )
    assert [each.damage[0].startswith(fault) for each in check_runs(results) if each.damage] == [True]
    with pytest.raises(InputError, match=f"^{re.escape(fault)}"):
        read_run(results, RUN_ID)
    assert _ids(results) == [LATER]
    assert fault in caplog.text


def test_what_a_later_minor_version_added_is_left_out(results: Results):
    publish(results, make_tables())
    for table in TABLES:
        content = pq.ParquetFile(part_path(results, table, RUN_ID)).read()
        wider = content.append_column("mood", pa.array(["fine"] * len(content)))
        labels = {**content.schema.metadata, b"schema_version": b"1.99.0"}
        pq.write_table(wider.replace_schema_metadata(labels), part_path(results, table, RUN_ID))
    assert read_run(results) == make_tables()


def test_a_damaged_run_hides_no_other(results: Results, caplog: pytest.LogCaptureFixture):
    publish(results, make_tables(RUN_ID))
    publish(results, make_tables(LATER))
    part_path(results, "runs", LATER).write_bytes(b"PAR1")
    assert read_run(results, RUN_ID).run.run_id == RUN_ID
    assert caplog.messages == []
    assert _ids(results) == [RUN_ID]
    assert read_run(results).run.run_id == RUN_ID
    assert f"{part_path(results, 'runs', LATER)}: cannot be read as a Parquet file" in caplog.messages[0]
    with pytest.raises(InputError, match="cannot be read as a Parquet file"):
        read_run(results, LATER)
    part_path(results, "runs", RUN_ID).unlink()
    for read in (read_run, list_runs):
        with pytest.raises(InputError, match="cannot be read as a Parquet file"):
            read(results)
