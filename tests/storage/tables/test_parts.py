"""How a file of a table is read, and what is said of one that is not as its schema says."""

import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.results import Results
from storage.tables.parts import MEND, part_path, read_part
from storage.tables.published import list_runs, publish
from storage.tables.rows_of_findings import SummaryRow
from storage.tables.rows_of_work import RunRow, TrialRow
from study.errors import InputError
from tests.rows import RUN_ID
from tests.small_run import make_tables

Change = Callable[[pa.Table], pa.Table]


@pytest.fixture
def summary(results: Results) -> Path:
    """The file of `summary` of a sound run of five settings."""
    publish(results, make_tables())
    return part_path(results, "summary", RUN_ID)


def _replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), pa.field(name, values.type), values)


def _labelled(table: pa.Table, name: bytes, label: bytes) -> pa.Table:
    return table.replace_schema_metadata({**table.schema.metadata, name: label})


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda table: table.drop_columns(["setting"]), "lacks the column 'setting'"),
        (lambda table: table.drop_columns(["published_accuracy"]), "lacks the column 'published_accuracy'"),
        (
            lambda table: _replaced(table, "exercise", pa.nulls(5, pa.int64())),
            "column 'exercise' lacks a value",
        ),
        (
            lambda table: _replaced(table, "trials", pa.array(["x"] * 5)),
            "column 'trials' is string, expected int64",
        ),
        (lambda table: _labelled(table, b"table", b"trials"), "holds table 'trials', expected 'summary'"),
        (lambda table: table.replace_schema_metadata({}), "holds no table, expected 'summary'"),
        *(
            (
                lambda table, version=version: _labelled(table, b"schema_version", version),
                f"has schema version {version.decode(errors='replace')!r}, this program reads 1.x",
            )
            for version in (b"2.0.0", b"0.9", b"", b"newest", b"\xff")
        ),
    ],
)
def test_what_is_not_as_the_schema_says_is_named_with_file_and_remedy(
    summary: Path, change: Change, fault: str
):
    pq.write_table(change(pq.ParquetFile(summary).read()), summary)
    with pytest.raises(InputError) as told:
        read_part(summary, SummaryRow)
    assert str(told.value) == f"{summary}: {fault}; {MEND}"


def test_a_file_that_is_not_there_is_named(results: Results):
    missing = part_path(results, "trials", "nowhere")
    with pytest.raises(InputError, match=f"^{re.escape(str(missing))}: no such file; {re.escape(MEND)}$"):
        read_part(missing, TrialRow)


@pytest.mark.parametrize("kept", [0, 4, 100])
def test_a_file_cut_short_cannot_be_read(summary: Path, kept: int):
    summary.write_bytes(summary.read_bytes()[:kept])
    with pytest.raises(InputError, match="cannot be read as a Parquet file: "):
        read_part(summary, SummaryRow)


def test_a_changed_bit_never_changes_what_is_read(results: Results, summary: Path):
    trials = part_path(results, "trials", RUN_ID)
    written, sound = trials.read_bytes(), read_part(trials, TrialRow)
    places, found = range(0, len(written), 41), 0
    for place in places:
        damaged = bytearray(written)
        damaged[place] ^= 1
        trials.write_bytes(damaged)
        try:
            assert read_part(trials, TrialRow).equals(sound), place
        except InputError:
            found += 1
    assert found > len(places) / 2


def test_a_damaged_name_of_a_column_is_damage_and_hides_no_other_run(
    results: Results, summary: Path, caplog: pytest.LogCaptureFixture
):
    publish(results, make_tables("20260302-120000-abcd"))
    for kind, name in ((SummaryRow, b"setting"), (RunRow, b"study")):
        path = part_path(results, kind.TABLE, RUN_ID)
        path.write_bytes(path.read_bytes().replace(name, name[:-1] + b"\xff"))
        with pytest.raises(InputError, match="cannot be read as a Parquet file: 'utf-8' codec"):
            read_part(path, kind)
    assert [run.run_id for run in list_runs(results)] == ["20260302-120000-abcd"]
    assert "cannot be read as a Parquet file: 'utf-8' codec" in caplog.text


def test_a_file_is_compressed_in_a_way_that_every_reader_has(summary: Path):
    group = pq.ParquetFile(summary).metadata.row_group(0)
    assert {group.column(place).compression for place in range(group.num_columns)} == {"SNAPPY"}
