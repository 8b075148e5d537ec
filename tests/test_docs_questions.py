"""What `docs/reading.md` says, with the libraries it names: every way gives the same and right answer."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from storage.results import Results, open_results
from storage.tables import TABLES, schema_of
from storage.tables.history import update_history
from storage.tables.published import RunTables, publish
from tests.gallery import ENGINES, GALLERY, answer, list_questions, read_gallery, set_up
from tests.gallery_answers import EXPECTED, Rows, list_lab, make_gallery_nights

QUESTIONS = list_questions()
ASKED = [*QUESTIONS, read_gallery()["JSON"]]
BOTH = [(number, way) for number, section in enumerate(ASKED) for way in section.ways()]


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[RunTables]]]:
    folder = tmp_path_factory.mktemp("gallery")
    results, made = open_results(folder / "results"), make_gallery_nights()
    for each in made:
        publish(results, each)
    assert update_history(results) == ["2024-01", "2024-02", "2024-03"]
    yield folder, made


@pytest.fixture
def here(nights: tuple[Path, list[RunTables]], monkeypatch: pytest.MonkeyPatch) -> list[RunTables]:
    monkeypatch.chdir(nights[0])
    return nights[1]


@pytest.fixture(scope="module")
def names(nights: tuple[Path, list[RunTables]]) -> dict[str, dict[str, Any]]:
    """What each way's set-up has read."""
    with chdir(nights[0]):
        return {way: set_up(way) for way in ENGINES}


@pytest.fixture
def copied(nights: tuple[Path, list[RunTables]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a copy of the results, to be spoilt."""
    shutil.copytree(nights[0] / "results", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _approximately(rows: Rows) -> Rows:
    return [
        tuple(pytest.approx(value, rel=1e-9) if isinstance(value, float) else value for value in row)
        for row in rows
    ]


def test_ten_questions_are_answered_in_pandas_polars_duckdb_and_plain_sql():
    assert len(QUESTIONS) == 10
    for section in QUESTIONS:
        assert {"pandas", "Polars", "DuckDB", "SQL in DuckDB", "SQL in Polars"} <= set(section.ways())


@pytest.mark.parametrize(("number", "way"), BOTH)
def test_every_way_gives_the_answer_that_plain_python_finds(
    here: list[RunTables], names: dict[str, dict[str, Any]], number: int, way: str
):
    expected = EXPECTED[number](here)
    assert len(expected) > 1
    columns, rows = answer(ASKED[number], way, names[way])
    assert rows == _approximately(expected)
    assert columns == answer(ASKED[number], "pandas", names["pandas"])[0]


# The layout of the files: files that must not be read are spoilt, so that reading them fails.

HISTORY = "results/history/trials"
LAB, SMOKE = 45, 6  # trials of a night


def _pandas(folder: str, column: str, value: str) -> int:
    return len(pd.read_parquet(folder, filters=[(column, "==", value)]))


def _polars(folder: str, column: str, value: str) -> int:
    rows = pl.scan_parquet(f"{folder}/", hive_partitioning=True)
    return len(rows.filter(pl.col(column) == value).collect())


def _duckdb(folder: str, column: str, value: str) -> int:
    rows = duckdb.read_parquet(f"{folder}/*/*.parquet", hive_partitioning=True)
    return len(rows.filter(f"{column} = '{value}'").fetchall())


def _pyarrow(folder: str, column: str, value: str) -> int:
    rows = ds.dataset(folder, partitioning="hive")
    return len(rows.to_table(filter=ds.field(column) == value))


READERS = [_pandas, _polars, _duckdb, _pyarrow]


def _spoil(path: Path, but_study: str = "") -> None:
    """Overwrite a file's rows, but not its footer, nor the row groups of a study."""
    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        place = file.schema_arrow.get_field_index("study")
    with path.open("r+b") as file:
        for group in groups:
            if group.column(place).statistics.min == but_study:
                continue
            for column in map(group.column, range(group.num_columns)):
                file.seek(column.dictionary_page_offset or column.data_page_offset)
                file.write(b"\xff" * column.total_compressed_size)


def _spoil_all(folder: Path, but: str = "", but_study: str = "") -> None:
    for path in folder.rglob("*.parquet"):
        if path.parent.name != but:
            _spoil(path, but_study)


@pytest.mark.parametrize("reader", READERS, ids=lambda each: each.__name__[1:])
class TestWhatIsNotReadWithAFilter:
    def test_on_month_are_the_other_months_files(self, copied: Path, reader: Callable[..., int]):
        _spoil_all(copied / HISTORY, but="month=2024-02")
        assert reader(HISTORY, "month", "2024-02") == 2 * LAB + SMOKE
        with pytest.raises((OSError, pl.exceptions.ComputeError, duckdb.Error)):
            reader(HISTORY, "month", "2024-01")

    def test_on_study_are_the_other_studies_row_groups(self, copied: Path, reader: Callable[..., int]):
        _spoil_all(copied / HISTORY, but_study="smoke")
        assert reader(HISTORY, "study", "smoke") == 3 * SMOKE
        with pytest.raises((OSError, pl.exceptions.ComputeError, duckdb.Error)):
            reader(HISTORY, "study", "lab")

    def test_on_run_id_are_row_groups_of_other_times(self, copied: Path, reader: Callable[..., int]):
        _spoil_all(copied / HISTORY, but="month=2024-03")
        _spoil_all(copied / HISTORY / "month=2024-03", but_study="lab", but="none")
        assert reader(HISTORY, "run_id", "20240301T020000Z-lab-0000abcd") == LAB

    def test_on_run_are_the_files_of_other_runs_in_tables(self, copied: Path, reader: Callable[..., int]):
        run_id = "20240202T020000Z-lab-0000abcd"
        _spoil_all(copied / "results" / "tables" / "trials", but=f"run={run_id}")
        assert reader("results/tables/trials", "run", run_id) == LAB


def test_each_row_group_of_the_history_is_of_one_study(here: list[RunTables]):
    for fragment in ds.dataset(HISTORY, partitioning="hive").get_fragments():
        groups = [group.statistics["study"] for group in fragment.row_groups]
        assert [group["min"] for group in groups] == [group["max"] for group in groups] == ["lab", "smoke"]


@pytest.mark.parametrize("table", TABLES)
def test_the_history_has_today_s_columns_in_every_file(here: list[RunTables], table: str):
    for path in Path("results/history", table).rglob("*.parquet"):
        assert pq.read_schema(path).equals(schema_of(TABLES[table]), check_metadata=True)


def _make_newer(path: Path) -> None:
    rows = pq.ParquetFile(path).read()
    labels = {"table": "trials", "schema_version": "1.1.0"}
    newer = rows.append_column("mood", pa.array(["fine"] * len(rows)))
    pq.write_table(newer.replace_schema_metadata(labels), path)


def test_a_column_of_a_later_version_is_seen_by_readers_that_are_told_so_and_not_in_the_history(copied: Path):
    tables = copied / "results" / "tables" / "trials"
    _make_newer(tables / "run=20240202T020000Z-lab-0000abcd" / "part-0.parquet")
    everywhere = f"{tables}/*/*.parquet"
    assert "mood" not in pd.read_parquet(tables)
    assert "mood" not in ds.dataset(tables, partitioning="hive").schema.names
    with pytest.raises(pl.exceptions.SchemaError, match="extra column in file"):
        pl.scan_parquet(f"{tables}/").collect()
    told = pl.scan_parquet(f"{tables}/", missing_columns="insert", extra_columns="ignore")
    assert "mood" not in told.collect().columns
    assert "mood" not in duckdb.read_parquet(everywhere).columns
    assert "mood" in duckdb.read_parquet(everywhere, union_by_name=True).columns
    shutil.rmtree(copied / "results" / "history")
    update_history(Results(copied / "results"))
    history = pd.read_parquet(HISTORY)
    assert "mood" not in history
    assert len(history) == 6 * LAB + 3 * SMOKE


def test_columns_that_may_be_null_are_integers_if_pandas_is_told_so(here: list[RunTables]):
    column = "epochs_run"
    assert pd.read_parquet(HISTORY).dtypes[column] == "float64"
    assert pd.read_parquet(HISTORY, dtype_backend="numpy_nullable").dtypes[column] == "Int64"
    assert pd.read_parquet(HISTORY, dtype_backend="pyarrow").dtypes[column] == "int64[pyarrow]"


def test_points_in_time_are_utc_and_partitions_text_everywhere(here: list[RunTables]):
    runs = pd.read_parquet("results/history/runs")
    assert (str(runs.dtypes["started_at"]), str(runs.dtypes["month"])) == ("datetime64[us, UTC]", "category")
    schema = pl.scan_parquet("results/history/runs/", hive_partitioning=True).collect_schema()
    assert (schema["started_at"], schema["month"]) == (pl.Datetime("us", "UTC"), pl.String)
    found = duckdb.read_parquet("results/history/runs/*/*.parquet", hive_partitioning=True)
    types = dict(zip(found.columns, map(str, found.types), strict=True))
    assert (types["started_at"], types["month"]) == ("TIMESTAMP WITH TIME ZONE", "VARCHAR")


def test_an_object_store_is_read_in_the_same_way(
    here: list[RunTables], s3_results: Results, monkeypatch: pytest.MonkeyPatch
):
    for each in here[:3]:
        publish(s3_results, each)
    update_history(s3_results)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")  # Polars'; the server of the tests has no certificate
    section = read_gallery()["An object store"]
    blocks = {
        way: code.replace("s3://bucket/results", str(s3_results.folder))
        for way, code in section.blocks.items()
    }
    assert list(blocks) == ["pandas", "Polars", "DuckDB"]
    for way in blocks:
        columns, rows = answer(replace(section, blocks=blocks), way, {})
        assert columns == ["run_id", "status"]
        assert rows == [(each.run.run_id, each.run.status) for each in here[:2]]


def test_the_first_look_prints_each_setting_s_readings_by_run(
    here: list[RunTables], capsys: pytest.CaptureFixture[str]
):
    section = GALLERY.read_text(encoding="utf-8").partition("## A first look")[2]
    exec(section.partition("```python")[2].partition("```")[0])
    shown = capsys.readouterr().out
    assert f"{len(list_lab(here)) * 10} rows x 3 columns" in shown
    assert "dense_units=128" in shown
