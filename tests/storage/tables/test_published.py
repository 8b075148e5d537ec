import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.results import Results, open_results
from storage.tables.published import list_runs, publish, read_rows, read_run, rows_of
from storage.tables.schema import COLUMNS, SCHEMA_VERSION, schema_of
from study.errors import InputError
from tests.frames import (
    RUN_ID,
    STARTED_AT,
    make_epochs,
    make_summary,
    make_trials,
)
from tests.small_run import make_small_study, make_tables

LATER = "20260302-120000-abcd"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return open_results(tmp_path / "results")


def _part(results: Results, table: str, run_id: str = RUN_ID) -> Path:
    return results.folder / "tables" / table / f"run={run_id}" / "part-0.parquet"


def test_a_published_run_is_read_back_as_it_was_written(results: Results):
    publish(results, make_tables(failed=[(4, 5.0, 2)]))
    found = read_run(results)
    study = make_small_study()
    trials = make_trials(study, failed=[(4, 5.0, 2)])
    pd.testing.assert_frame_equal(found.trials, trials)
    pd.testing.assert_frame_equal(found.epochs, make_epochs(study))
    pd.testing.assert_frame_equal(found.summary, make_summary(trials))
    assert (found.run["run_id"], found.run["failed_trials"]) == (RUN_ID, 1)
    assert found.run["started_at"] == STARTED_AT


@pytest.mark.parametrize("table", COLUMNS)
def test_a_table_lies_where_the_contract_says_and_bears_its_version(results: Results, table: str):
    publish(results, make_tables())
    schema = pq.read_schema(_part(results, table))
    assert schema.metadata[b"schema_version"] == SCHEMA_VERSION.encode() == b"1.0.0"
    assert schema.metadata[b"table"] == table.encode()
    assert schema.names == [column.name for column in COLUMNS[table]]


@pytest.mark.parametrize("table", COLUMNS)
def test_a_written_column_tells_its_unit_and_meaning(results: Results, table: str):
    publish(results, make_tables())
    written = pq.read_schema(_part(results, table))
    for column in COLUMNS[table]:
        metadata = written.field(column.name).metadata
        assert (metadata[b"unit"], metadata[b"meaning"]) == (column.unit.encode(), column.meaning.encode())


@pytest.mark.parametrize("table", COLUMNS)
def test_every_column_has_a_meaning_and_a_name_of_its_own(table: str):
    assert all(column.meaning for column in COLUMNS[table])
    names = [column.name for column in COLUMNS[table]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("table", COLUMNS)
def test_a_column_has_the_unit_that_its_name_promises(table: str):
    units = {column.name: column.unit for column in COLUMNS[table]}
    promised = {name: "fraction" for name in units if name.endswith("_accuracy")}
    promised |= {name: "nats" for name in units if name.endswith("_loss")}
    promised |= {name: "s" for name in units if name.endswith("seconds")}
    promised |= {name: "UTC" for name in units if name.endswith("_at")}
    assert promised.items() <= units.items()


@pytest.mark.parametrize("table", ["trials", "epochs", "summary"])
def test_fractions_lie_between_0_and_1(results: Results, table: str):
    publish(results, make_tables())
    frame = getattr(read_run(results), table)
    fractions = [
        each.name for each in COLUMNS[table] if each.unit == "fraction" and each.name != "difference"
    ]
    assert len(fractions) >= 3
    for name in fractions:
        assert frame[name].dropna().between(0, 1).all()


@pytest.mark.parametrize("table", COLUMNS)
def test_every_table_joins_with_runs(table: str):
    first = schema_of(table).field(0)
    assert (first.name, first.type, first.nullable) == ("run_id", pa.string(), False)


def test_a_run_without_its_row_in_runs_is_invisible(results: Results):
    publish(results, make_tables())
    publish(results, make_tables(LATER))
    _part(results, "runs", LATER).unlink()
    assert list_runs(results)["run_id"].tolist() == [RUN_ID]
    assert read_run(results).run["run_id"] == RUN_ID
    with pytest.raises(InputError, match=f"run '{LATER}' is not published"):
        read_run(results, LATER)


@pytest.mark.parametrize("table", ["trials", "epochs", "summary"])
def test_a_run_is_not_published_when_one_of_its_tables_cannot_be_written(results: Results, table: str):
    _part(results, table).parent.parent.mkdir(parents=True)
    _part(results, table).parent.touch()
    with pytest.raises(OSError, match="File exists"):
        publish(results, make_tables())
    assert list_runs(results).empty
    assert not _part(results, "runs").parent.exists()


def test_a_table_that_cannot_be_replaced_leaves_the_published_run_as_it_was(results: Results):
    publish(results, make_tables())
    tables = make_tables()
    bad = dataclasses.replace(tables, summary=[{**tables.summary[0], "value": "five"}])
    with pytest.raises(pa.ArrowInvalid, match="Could not convert 'five'"):
        publish(results, bad)
    assert len(read_run(results).summary) == 5


def test_an_unknown_column_is_refused_by_name(results: Results):
    tables = make_tables()
    bad = dataclasses.replace(tables, trials=[{**tables.trials[0], "acuracy": 0.9}])
    with pytest.raises(
        ValueError, match=re.escape("table trials: columns ['acuracy'] are not in its schema")
    ):
        publish(results, bad)
    assert list_runs(results).empty


def test_a_row_without_a_value_it_must_have_is_refused(results: Results):
    tables = make_tables()
    bad = dataclasses.replace(tables, trials=[{"run_id": RUN_ID}])
    with pytest.raises(pa.ArrowInvalid, match="Column 'study' is declared non-nullable but contains nulls"):
        publish(results, bad)
    assert list_runs(results).empty


def test_a_run_whose_every_trial_failed_is_published(results: Results):
    failed = [(4, value, repeat) for value in (1.0, 2.0, 5.0, 10.0, 20.0) for repeat in (1, 2, 3, 4)]
    tables = make_tables(failed=failed)
    publish(results, dataclasses.replace(tables, trainings=[], epochs=[]))
    found = read_run(results)
    assert found.trials["status"].tolist() == ["failed"] * 20
    assert found.epochs.empty
    assert list(found.epochs.columns) == [column.name for column in COLUMNS["epochs"]]


def test_two_runs_are_listed_oldest_first_and_the_latest_is_read(results: Results):
    publish(results, make_tables(LATER))
    publish(results, make_tables(RUN_ID))
    assert list_runs(results)["run_id"].tolist() == [RUN_ID, LATER]
    assert read_run(results).run["run_id"] == LATER
    earlier = read_run(results, RUN_ID)
    assert earlier.run["run_id"] == RUN_ID
    assert set(earlier.trials["run_id"]) == {RUN_ID}


def test_pandas_reads_the_trials_of_two_runs_from_the_folder(results: Results):
    failed = [(4, value, repeat) for value in (1.0, 2.0, 5.0, 10.0, 20.0) for repeat in (1, 2, 3, 4)]
    publish(results, make_tables(RUN_ID))
    publish(results, make_tables(LATER, failed=failed))
    trials = pd.read_parquet(results.tables / "trials")
    assert trials.groupby("run_id").size().to_dict() == {RUN_ID: 20, LATER: 20}
    assert trials.groupby("run_id")["test_accuracy"].count().to_dict() == {RUN_ID: 20, LATER: 0}


def test_a_reader_that_joins_on_runs_does_not_see_half_a_run(results: Results):
    publish(results, make_tables(RUN_ID))
    publish(results, make_tables(LATER))
    _part(results, "runs", LATER).unlink()
    runs, trials = (pd.read_parquet(results.tables / table) for table in ("runs", "trials"))
    assert set(trials["run_id"]) == {RUN_ID, LATER}
    assert set(trials.merge(runs[["run_id"]], on="run_id")["run_id"]) == {RUN_ID}


def test_where_nothing_is_published_the_list_is_empty_and_has_its_columns(results: Results):
    runs = list_runs(results)
    assert runs.empty
    assert list(runs.columns) == [column.name for column in COLUMNS["runs"]]


def test_reading_where_nothing_is_published_says_how_to_begin(results: Results):
    message = f"no run published in {results.tables}; latest: none yet; `study run` makes one"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_run(results)


def test_an_unknown_run_is_answered_with_the_latest(results: Results):
    publish(results, make_tables())
    message = f"run 'yesterday' is not published in {results.tables}; latest: {RUN_ID}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_run(results, "yesterday")


def test_the_rows_of_many_runs_are_read_at_once(results: Results):
    for run_id in (RUN_ID, LATER):
        publish(results, make_tables(run_id))
    trials = read_rows(results, "trials", [LATER, RUN_ID])
    assert trials["run_id"].tolist() == [LATER] * 20 + [RUN_ID] * 20
    pd.testing.assert_frame_equal(trials.tail(20).reset_index(drop=True), read_run(results, RUN_ID).trials)
    some = read_rows(results, "trials", [RUN_ID], ["key", "seed"])
    assert list(some.columns) == ["key", "seed"]
    assert read_rows(results, "trials", []).empty


def test_a_damaged_run_is_left_out_of_many_with_a_warning(results: Results, caplog: pytest.LogCaptureFixture):
    for run_id in (RUN_ID, LATER):
        publish(results, make_tables(run_id))
    _part(results, "trials", RUN_ID).write_bytes(b"PAR1")
    assert set(read_rows(results, "trials", [RUN_ID, "../elsewhere", LATER])["run_id"]) == {LATER}
    assert "cannot be read as a Parquet file" in caplog.text
    assert "run '../elsewhere' in" in caplog.text


def _rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.ParquetFile(path).read()), path)


def test_what_a_later_minor_version_added_is_left_out(results: Results):
    publish(results, make_tables())

    def change(table: pa.Table) -> pa.Table:
        wider = table.append_column("mood", pa.array(["fine"] * len(table)))
        return wider.replace_schema_metadata({**table.schema.metadata, b"schema_version": b"1.99.0"})

    for table in COLUMNS:
        _rewrite(_part(results, table), change)
    found = read_run(results)
    pd.testing.assert_frame_equal(found.trials, make_trials(make_small_study()))
    assert "mood" not in found.run.index


@pytest.mark.parametrize("version", [b"2.0.0", b"0.9", b"", b"newest", b"\xff"])
def test_another_major_version_is_refused_with_the_one_that_is_read(results: Results, version: bytes):
    publish(results, make_tables())
    _rewrite(
        _part(results, "trials"),
        lambda table: table.replace_schema_metadata({**table.schema.metadata, b"schema_version": version}),
    )
    with pytest.raises(InputError, match=r"has schema version '.*', this program reads 1\.x; "):
        read_run(results)


def test_a_damaged_run_hides_no_other(results: Results, caplog: pytest.LogCaptureFixture):
    publish(results, make_tables(RUN_ID))
    publish(results, make_tables(LATER))
    _part(results, "runs", LATER).write_bytes(b"PAR1")
    assert read_run(results, RUN_ID).run["run_id"] == RUN_ID
    assert caplog.messages == []
    assert list_runs(results)["run_id"].tolist() == [RUN_ID]
    assert read_run(results).run["run_id"] == RUN_ID
    assert f"{_part(results, 'runs', LATER)}: cannot be read as a Parquet file" in caplog.messages[0]
    with pytest.raises(InputError, match="cannot be read as a Parquet file"):
        read_run(results, LATER)
    _part(results, "runs", RUN_ID).unlink()
    with pytest.raises(InputError, match="cannot be read as a Parquet file"):
        read_run(results)


def test_runs_of_which_no_row_can_be_read_are_an_error(results: Results):
    publish(results, make_tables())
    (row,) = results.tables.glob("runs/*/part-0.parquet")
    row.write_bytes(b"PAR1")
    with pytest.raises(InputError, match=f"^{re.escape(str(row))}: cannot be read as a Parquet file: "):
        list_runs(results)


def test_rows_have_missing_values_as_none():
    frame = pd.DataFrame({"a": [1.5, None], "b": ["x", None]})
    assert rows_of(frame) == [{"a": 1.5, "b": "x"}, {"a": None, "b": None}]
