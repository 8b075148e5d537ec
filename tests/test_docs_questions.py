"""What `docs/reading.md` says, with the libraries it names: every way gives the same and right answer."""

from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
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


def test_each_row_group_of_the_history_is_of_one_study(here: list[RunTables]):
    for fragment in ds.dataset("results/history/trials", partitioning="hive").get_fragments():
        groups = [group.statistics["study"] for group in fragment.row_groups]
        assert [group["min"] for group in groups] == [group["max"] for group in groups] == ["lab", "smoke"]


@pytest.mark.parametrize("table", TABLES)
def test_the_history_has_today_s_columns_in_every_file(here: list[RunTables], table: str):
    for path in Path("results/history", table).rglob("*.parquet"):
        assert pq.read_schema(path).equals(schema_of(TABLES[table]), check_metadata=True)


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


def test_the_first_look_prints_each_setting_s_readings_by_run_and_pools_each_reading_once(
    here: list[RunTables], capsys: pytest.CaptureFixture[str]
):
    section = GALLERY.read_text(encoding="utf-8").partition("## A first look")[2]
    scope: dict[str, Any] = {}
    exec(section.partition("```python")[2].partition("```")[0], scope)
    shown = capsys.readouterr().out
    assert f"{len(list_lab(here)) * 10} rows x 3 columns" in shown
    assert "dense_units=128" in shown
    read = [(row.exercise, row.reading) for each in list_lab(here) for row in each.trials if row.reading]
    assert scope["once"]["test_accuracy"].count() == len(set(read)) < len(read)


@pytest.mark.parametrize("way", QUESTIONS[7].ways())
def test_one_run_alone_has_no_rows_to_compare_with_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
):
    results = open_results(tmp_path / "results")
    publish(results, make_gallery_nights()[0])
    update_history(results)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(duckdb, "sql", duckdb.connect().sql)  # the default one has the tables of all nights
    assert answer(QUESTIONS[7], way, set_up(way)) == (["exercise", "trials", "equal"], [])
