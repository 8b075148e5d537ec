"""Files that keep the contract, and what is said of those that do not."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from storage.contract import check_file, is_readable, list_parquet, version_number
from storage.history import update_history
from storage.parts import MEND, part_path, read_part
from storage.place import Results
from storage.schema import COLUMNS, SCHEMA_VERSION
from storage.tables import list_runs, publish
from storage.verification import Checked, check_history, check_runs, check_trainings
from study.errors import InputError
from tests.frames import RUN_ID
from tests.small_run import make_tables

Change = Callable[[pa.Table], pa.Table]


@pytest.fixture
def summary(results: Results) -> Path:
    """The file of `summary` of a sound run of five settings."""
    publish(results, make_tables())
    return results.tables / "summary" / f"run={RUN_ID}" / "part-0.parquet"


def _problems(path: Path, change: Change) -> list[str]:
    """What is said of a file once it is changed, after its name."""
    pq.write_table(change(pq.ParquetFile(path).read()), path)
    said = [str(problem) for problem in check_file(path)]
    assert all(each.startswith(f"{path}: ") and "\n" not in each for each in said)
    return [each.removeprefix(f"{path}: ") for each in said]


def _labelled(content: pa.Table, **labels: str) -> pa.Table:
    changed = {name.encode(): label.encode() for name, label in labels.items()}
    return content.replace_schema_metadata({**content.schema.metadata, **changed})


def _wider(table: pa.Table) -> pa.Table:
    return table.append_column("mood", pa.array(["fine"] * len(table)))


def _replaced(table: pa.Table, name: str, values: pa.Array, field: pa.Field | None = None) -> pa.Table:
    at = table.column_names.index(name)
    return table.set_column(at, field or table.schema.field(name), values)


def _without(table: pa.Table, name: str) -> pa.Table:
    """A table with nulls in place of a column's numbers."""
    return _replaced(table, name, pa.nulls(len(table), pa.int64()), pa.field(name, pa.int64()))


def _worded(table: pa.Table, name: str) -> pa.Table:
    """A table with words in place of a column's numbers."""
    return _replaced(table, name, pa.array(["x"] * len(table)), pa.field(name, pa.string()))


def test_every_table_of_a_published_run_keeps_the_contract(results: Results, summary: Path):
    files = list_parquet(results.tables)
    assert len(files) == len(COLUMNS)
    assert [problem for file in files for problem in check_file(file)] == []


def test_a_column_that_must_be_there_is_missed_with_its_type(summary: Path):
    said = _problems(summary, lambda table: table.drop_columns(["setting", "engine"]))
    assert said == [
        "column 'setting' is not there, expected string since schema 1.0.0",
        "column 'engine' is not there, expected string since schema 1.5.0",
    ]


def test_a_column_that_came_later_than_the_file_is_not_missed(summary: Path):
    def change(table: pa.Table) -> pa.Table:
        return _labelled(table.drop_columns(["engine"]), schema_version="1.4.0")

    assert _problems(summary, change) == []


def test_another_type_is_told_with_the_one_expected(summary: Path):
    def change(table: pa.Table) -> pa.Table:
        text, field = table.column("mean_accuracy").cast(pa.string()), table.schema.field("mean_accuracy")
        return _replaced(table, "mean_accuracy", text, field.with_type(pa.string()))

    assert _problems(summary, change) == ["column 'mean_accuracy' is string, expected double"]


def test_nulls_are_counted_where_none_may_be(summary: Path):
    def change(table: pa.Table) -> pa.Table:
        field = table.schema.field("trials").with_nullable(True)
        return _replaced(table, "trials", pa.array([1, None, None, 4, 5]), field)

    assert _problems(summary, change) == ["column 'trials' lacks a value in 2 of 5 rows, expected no null"]


def test_another_unit_and_none_are_told_with_the_one_expected(summary: Path):
    def change(table: pa.Table) -> pa.Table:
        fields = [
            field.with_metadata({b"unit": b"%"}) if field.name == "mean_accuracy"
            else field.remove_metadata() if field.name == "mean_training_seconds"
            else field
            for field in table.schema
        ]  # fmt: skip
        return table.cast(pa.schema(fields, table.schema.metadata))

    assert _problems(summary, change) == [
        "column 'mean_accuracy' has unit '%', expected 'fraction'",
        "column 'mean_training_seconds' has unit '', expected 's'",
    ]


def test_an_unknown_column_is_told_in_a_file_of_a_version_that_is_known(summary: Path):
    expected = f"column 'mood' is unknown to schema {SCHEMA_VERSION}, expected in later versions only"
    assert _problems(summary, _wider) == [expected]


def test_an_unknown_column_is_fine_in_a_file_of_a_later_minor_version(summary: Path):
    assert _problems(summary, lambda table: _labelled(_wider(table), schema_version="1.99.0")) == []


def test_a_column_that_is_there_twice_is_told(summary: Path):
    def change(table: pa.Table) -> pa.Table:
        return table.append_column(table.schema.field("setting"), table.column("setting"))

    assert _problems(summary, change)[0] == "column 'setting' is there 2 times, expected once"


def test_rows_that_the_key_does_not_tell_apart_are_told(summary: Path):
    said = _problems(summary, lambda table: pa.concat_tables([table, table.slice(0, 2)]))
    assert said == ["has 7 rows with 5 different run_id + exercise + setting, expected as many as rows"]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"table": "summaries"}, "holds table 'summaries', expected one of runs, trials, "),
        ({"table": ""}, "holds table '', expected one of runs, trials, "),
        ({"schema_version": "2.0.0"}, "has schema version '2.0.0', expected 1."),
        ({"schema_version": ""}, f"has schema version '', expected {SCHEMA_VERSION} or another 1.x.y"),
    ],
)
def test_a_file_that_is_no_table_or_of_another_major_version_is_told(
    summary: Path, labels: dict[str, str], found: str
):
    said = _problems(summary, lambda content: _labelled(content, **labels))
    assert len(said) == 1
    assert said[0].startswith(found)


def test_a_file_without_metadata_is_no_table(summary: Path):
    said = _problems(summary, pa.Table.replace_schema_metadata)
    assert [each.partition(",")[0] for each in said] == ["holds table ''"]


@pytest.mark.parametrize("kept", [0, 4, 100])
def test_a_file_cut_short_is_told(summary: Path, kept: int):
    summary.write_bytes(summary.read_bytes()[:kept])
    (problem,) = check_file(summary)
    assert str(problem).startswith(f"{summary}: cannot be read as a Parquet file: ")


def test_a_damaged_name_of_a_column_is_told_as_damage_and_hides_no_other_run(
    results: Results, summary: Path, caplog: pytest.LogCaptureFixture
):
    publish(results, make_tables("20260302-120000-abcd"))
    for path, name in (
        (summary, b"setting"),
        (results.tables / "runs" / summary.relative_to(results.tables / "summary"), b"study"),
    ):
        content = path.read_bytes()
        path.write_bytes(content.replace(name, name[:-1] + b"\xff"))
        (problem,) = check_file(path)
        assert str(problem).startswith(f"{path}: cannot be read as a Parquet file: 'utf-8' codec")
    assert list_runs(results)["run_id"].tolist() == ["20260302-120000-abcd"]
    assert "cannot be read as a Parquet file: 'utf-8' codec" in caplog.text


def test_files_and_folders_that_readers_skip_are_passed_over(results: Results, summary: Path):
    for name in (".part-0.parquet", "_metadata.parquet", "_old/part-0.parquet", ".trash/run/part-0.parquet"):
        hidden = results.tables / name
        hidden.parent.mkdir(parents=True, exist_ok=True)
        hidden.write_bytes(b"not a table")
    assert len(list_parquet(results.tables)) == len(COLUMNS)
    assert list_parquet(summary) == [summary]


def test_a_folder_below_a_hidden_one_is_not_passed_over(tmp_path: Path):
    hidden = Results(tmp_path / ".cache")
    publish(hidden, make_tables())
    assert len(list_parquet(hidden.tables)) == len(COLUMNS)


def test_files_on_an_object_store_are_held_against_the_contract_too():
    results = Results(cast(Path, UPath("memory://bucket/results")))
    publish(results, make_tables())
    part = results.tables / "trials" / f"run={RUN_ID}" / "part-0.parquet"
    part.write_bytes(b"PAR1")
    files = list_parquet(results.tables)
    assert len(files) == len(COLUMNS)
    assert [problem.file for file in files for problem in check_file(file)] == [part]
    assert list_parquet(part) == [part]


def test_the_history_keeps_the_contract(results: Results):
    for run_id in (RUN_ID, "20260302-120000-abcd"):
        publish(results, make_tables(run_id))
    update_history(results)
    files = list_parquet(results.history)
    assert len(files) == len(COLUMNS)
    assert [problem for file in files for problem in check_file(file)] == []


def test_where_no_parquet_file_is_that_is_said(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("not a table")
    for path, found in (
        (tmp_path / "nowhere", "no such file or folder"),
        (tmp_path / "mine.txt", "is no Parquet file"),
        (tmp_path, "no Parquet file lies there"),
    ):
        with pytest.raises(InputError, match=f"^{re.escape(str(path))}: {found}"):
            list_parquet(path)


def test_versions_are_compared_as_numbers_and_odd_ones_count_as_the_first():
    assert version_number("1.10.0") > version_number("1.9.0")
    assert version_number("1.x") == version_number("1") == version_number("1.0.0")
    assert is_readable("1.99.0")
    assert not any(map(is_readable, ("2.0.0", "", "newest", "10.0.0")))


def test_a_file_of_another_table_is_not_read_in_its_place(results: Results, summary: Path):
    trials = part_path(results, "trials", RUN_ID)
    mend = f"{re.escape(MEND)}$"
    holds = f"^{re.escape(str(trials))}: holds table 'trials', expected 'epochs'; {mend}"
    with pytest.raises(InputError, match=holds):
        read_part(trials, "epochs")
    pq.write_table(pq.ParquetFile(trials).read().replace_schema_metadata({}), trials)
    with pytest.raises(InputError, match=f": holds no table of this program, expected 'trials'; {mend}"):
        read_part(trials, "trials")
    missing = part_path(results, "trials", "nowhere")
    with pytest.raises(InputError, match=f": no such file, though the run was published; {mend}"):
        read_part(missing, "trials")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda table: table.drop_columns(["setting"]), "lacks the column 'setting'"),
        (lambda table: _without(table, "exercise"), "column 'exercise' lacks a value"),
        (lambda table: _worded(table, "trials"), "column 'trials' is string, expected int64"),
    ],
)
def test_a_column_that_breaks_the_contract_is_named_when_the_table_is_read(
    summary: Path, change: Change, fault: str
):
    pq.write_table(change(pq.ParquetFile(summary).read()), summary)
    with pytest.raises(InputError) as told:
        read_part(summary, "summary")
    assert str(told.value) == f"{summary}: {fault}; {MEND}"


def test_a_damaged_training_is_told_with_what_becomes_of_it(results: Results):
    (results.trainings / "0123456789abcdef").mkdir(parents=True)
    assert list(check_trainings(results)) == [
        Checked(
            "training",
            "0123456789abcdef",
            (f"{results.trainings / '0123456789abcdef'} has no record: it was never finished",),
            "the next run that needs it trains it again",
        )
    ]


def test_a_damaged_manifest_of_a_month_has_the_month_written_again(results: Results, summary: Path):
    (month,) = update_history(results)
    assert update_history(results) == []
    assert [each.damage for each in check_history(results)] == [()]
    manifest = results.manifests / "history" / f"{month}.json"
    manifest.write_text("{")
    (checked,) = check_history(results)
    assert (checked.kind, checked.name, checked.remedy) == ("history", month, "`study compact` makes it anew")
    assert checked.damage == (
        f"{manifest}: is damaged",
        f"{results.history}: does not say what `tables` does in {month}",
    )
    assert update_history(results) == [month]
    assert update_history(results) == []


def test_how_a_file_differs_from_its_manifest_is_told(results: Results, summary: Path):
    (checked,) = check_runs(results)
    assert checked == Checked("run", RUN_ID)
    written = summary.read_bytes()
    summary.write_bytes(written + b"x")
    (checked,) = check_runs(results)
    assert checked.damage == (
        f"{summary}: has {len(written) + 1:,} bytes, the manifest says {len(written):,}",
    )
    changed = b"x" + written[1:]
    summary.write_bytes(changed)
    found, expected = (hashlib.sha256(content).hexdigest()[:12] for content in (changed, written))
    (checked,) = check_runs(results)
    assert checked.damage == (f"{summary}: its SHA-256 is {found}…, the manifest says {expected}…",)
    summary.unlink()
    (checked,) = check_runs(results)
    assert checked.damage == (f"{summary}: No such file or directory",)
    row = results.tables / "runs" / f"run={RUN_ID}"
    assert checked.remedy == (
        f"redo it: restore the files, or remove {row} and run `study run STUDY`, which reads the trainings "
        "that are kept"
    )
