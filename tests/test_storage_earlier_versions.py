"""Tables that every earlier schema version wrote are read, and today's schema only adds to theirs."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.contract import check_file, list_parquet, version_number
from storage.history import update_history
from storage.nights import list_nights
from storage.schema import COLUMNS, SCHEMA_VERSION, TABLES, schema_of
from storage.tables import list_runs, publish, read_rows, read_run
from storage.verification import Checked, check_history, check_runs
from tests.earlier_versions import VERSIONS, unpack
from tests.small_run import make_tables

each_version = pytest.mark.parametrize("version", VERSIONS)


def _table_of(file: Path) -> str:
    return file.parent.parent.name


def _is_within(since: str, version: str) -> bool:
    return version_number(since) <= version_number(version)


def test_there_are_files_of_every_earlier_minor_version():
    major, minor, _ = map(int, SCHEMA_VERSION.split("."))
    assert tuple(f"{major}.{number}.0" for number in range(minor)) == VERSIONS


@each_version
def test_its_files_say_their_version_and_keep_the_contract(tmp_path: Path, version: str):
    files = list_parquet(unpack(tmp_path, version).tables)
    assert {pq.read_schema(file).metadata[b"schema_version"].decode() for file in files} == {version}
    assert [str(problem) for file in files for problem in check_file(file)] == []


@each_version
def test_it_has_the_tables_and_columns_that_are_said_to_be_there_since_then(tmp_path: Path, version: str):
    files = {_table_of(file): file for file in list_parquet(unpack(tmp_path, version).tables)}
    assert set(files) == {name for name, table in TABLES.items() if _is_within(table.since, version)}
    for name, file in files.items():
        since = {
            column.name for column in COLUMNS[name] if _is_within(TABLES[name].since_of(column), version)
        }
        assert set(pq.read_schema(file).names) == since, name


@each_version
def test_its_columns_have_the_same_type_unit_and_nullability_today(tmp_path: Path, version: str):
    for file in list_parquet(unpack(tmp_path, version).tables):
        today = schema_of(_table_of(file))
        for then in pq.read_schema(file):
            now = today.field(then.name)
            assert (then.type, then.nullable) == (now.type, now.nullable), then.name
            assert then.metadata[b"unit"] == now.metadata[b"unit"], then.name


@each_version
def test_its_run_is_read_with_nulls_for_what_it_did_not_have(tmp_path: Path, version: str):
    results = unpack(tmp_path, version)
    frames = read_run(results)
    assert list_runs(results)["run_id"].tolist() == [frames.run["run_id"]]
    for name, table in TABLES.items():
        frame = frames.run.to_frame().T if name == "runs" else getattr(frames, name)
        assert list(frame.columns) == [column.name for column in table.columns]
        later = [column.name for column in table.columns if not _is_within(table.since_of(column), version)]
        assert frame[later].isna().all(axis=None)
        assert _is_within(table.since, version) or frame.empty
    assert len(frames.trials) == frames.run["trials"] > 0
    assert frames.trials["test_accuracy"].between(0, 1).all()


@each_version
def test_the_rows_of_each_table_are_those_of_its_file(tmp_path: Path, version: str):
    results = unpack(tmp_path, version)
    run_id = str(read_run(results).run["run_id"])
    for file in list_parquet(results.tables):
        table, written = _table_of(file), pq.ParquetFile(file).read()
        rows = pa.Table.from_pandas(read_rows(results, table, [run_id]), schema=schema_of(table))
        for name in written.column_names:
            assert rows.column(name).equals(written.column(name)), (table, name)


def test_versions_in_one_folder_are_one_history(tmp_path: Path):
    results = unpack(tmp_path, *VERSIONS)
    publish(results, make_tables("20261231-120000-abcd"))
    runs = list_runs(results)
    assert len(runs) == len(VERSIONS) + 1
    assert runs["engine"].isna().sum() == VERSIONS.index("1.4.0") + 1  # the small run says none
    for table in TABLES:
        rows = read_rows(results, table, runs["run_id"].tolist())
        assert not rows.duplicated(list(TABLES[table].key)).any()
    trials = read_rows(results, "trials", runs["run_id"].tolist())
    assert trials.groupby("run_id").size().to_dict() == runs.set_index("run_id")["trials"].to_dict()
    assert list(dict.fromkeys(trials["run_id"])) == runs["run_id"].tolist()
    fresh = [each for each in VERSIONS if _is_within("1.3.0", each)]
    assert list_nights(results)["run_id"].nunique() == len(fresh)


def test_the_history_of_several_versions_has_the_columns_of_today(tmp_path: Path):
    results = unpack(tmp_path, *VERSIONS)
    update_history(results)
    assert list(check_history(results)) == [Checked("history", "2026-11")]
    files = list_parquet(results.history)
    assert {_table_of(file) for file in files} == set(TABLES)
    assert [str(problem) for file in files for problem in check_file(file)] == []
    trials = pd.read_parquet(results.history / "trials")
    ours = read_rows(results, "trials", list_runs(results)["run_id"].tolist())
    assert sorted(trials["weights_sha256"]) == sorted(ours["weights_sha256"])
    assert set(ours.columns) == set(trials.columns) - {"month"}


@each_version
def test_its_run_is_verified_without_a_manifest(tmp_path: Path, version: str):
    results = unpack(tmp_path, version)
    (run_id,) = list_runs(results)["run_id"]
    assert list(check_runs(results)) == [Checked("run", run_id)]


def test_runs_of_several_versions_are_read_with_one_schema_by_other_programs(tmp_path: Path):
    import duckdb

    results = unpack(tmp_path, *VERSIONS)
    trials, runs = (
        f"read_parquet('{results.tables}/{each}/*/*.parquet', union_by_name = true)"
        for each in ("trials", "runs")
    )
    read = duckdb.sql(f"SELECT trials.* FROM {trials} AS trials SEMI JOIN {runs} AS runs USING (run_id)").df()
    ours = read_rows(results, "trials", list_runs(results)["run_id"].tolist())
    assert len(read) == len(ours)
    assert set(ours.columns) <= set(read.columns)
    assert (read["run"] == read["run_id"]).all()
    first = pd.read_parquet(results.tables / "trials")
    assert len(first) == len(ours)
    assert "augmentation" not in first.columns
