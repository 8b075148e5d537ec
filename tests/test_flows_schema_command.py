"""`study schema`: the contract for people and programs, the page made of it, and files held against it."""

import json
import re
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.command_line import Invocation, app
from flows.schema_page import draw_page, holds_json
from storage.place import Results
from storage.schema import COLUMNS, SCHEMA_VERSION, TABLES, schema_of
from storage.tables import publish
from study.errors import InputError
from tests.frames import RUN_ID
from tests.small_run import make_tables

PAGE = Path(__file__).parents[1] / "docs" / "tables.md"


def schema(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["schema", *map(str, arguments)], obj=Invocation())


def test_all_tables_are_shown_with_what_a_row_is_and_the_version():
    done = schema()
    assert done.exit_code == 0
    for table in TABLES:
        assert re.search(rf"│ {table} +│ ", done.output)
    assert "one reading: a setting of an exercise" in done.output
    assert f"Schema {SCHEMA_VERSION}." in done.output


@pytest.mark.parametrize("table", TABLES)
def test_one_table_is_shown_with_each_column(table: str):
    done = schema(table)
    assert done.exit_code == 0
    assert done.output.startswith(f"{table}: a row is {TABLES[table].row}; identified by run_id")
    for column in COLUMNS[table]:
        assert re.search(
            rf"│ {column.name} +│ {re.escape(str(column.type))} +│ {column.unit} +│", done.output
        )


def test_programs_get_every_table_with_its_key_and_columns():
    told = json.loads(schema("--json").output)
    assert told["schema_version"] == SCHEMA_VERSION
    assert [table["name"] for table in told["tables"]] == list(TABLES)
    for table in told["tables"]:
        fields = schema_of(table["name"])
        assert table["key"] == list(TABLES[table["name"]].key)
        assert [column["name"] for column in table["columns"]] == fields.names
        for column in table["columns"]:
            field = fields.field(column["name"])
            assert (column["type"], column["nullable"]) == (str(field.type), field.nullable)
            labels = {name: column[name].encode() for name in ("unit", "meaning", "since")}
            assert labels == {name: field.metadata[name.encode()] for name in labels}


def test_programs_get_one_table():
    (table,) = json.loads(schema("epochs", "--json").output)["tables"]
    assert (table["name"], table["since"]) == ("epochs", "1.0.0")
    assert table["columns"][-1] == {
        "name": "study",
        "type": "string",
        "unit": "",
        "nullable": True,
        "since": "1.7.0",
        "meaning": "name of the study",
    }


def test_the_page_of_the_tables_is_what_the_contract_says():
    assert schema("--markdown").output == draw_page()
    again = "run `.venv/bin/study schema --markdown > docs/tables.md`"
    assert PAGE.read_text(encoding="utf-8") == draw_page(), f"{PAGE} is out of date; {again}"


def test_the_page_has_a_row_for_each_column_and_joins_on_columns_that_are_there():
    page = draw_page()
    for table in TABLES:
        section = page.partition(f"\n## {table}\n")[2].partition("\n## ")[0]
        assert re.findall(r"^\| `(\w+)` \|", section, re.M) == [each.name for each in COLUMNS[table]]
    names = {column.name for columns in COLUMNS.values() for column in columns}
    joins = page.partition("## How they join")[2].partition("A training is named")[0]
    assert set(re.findall(r"`(\w+)`", joins)) <= names | set(TABLES) | {"cell"}


def test_the_columns_of_json_are_told_apart():
    assert {column.name for columns in COLUMNS.values() for column in columns if holds_json(column)} == {
        "versions", "study_definition", "parameters", "devices", "definition", "changes",
    }  # fmt: skip


def test_sound_files_are_counted(results: Results):
    publish(results, make_tables())
    done = schema("--check", results.tables)
    assert (done.exit_code, done.output) == (0, f"12 files in {results.tables}: 12 sound, 0 not\n")


def test_each_problem_is_a_line_and_the_exit_code_is_1(results: Results):
    publish(results, make_tables())
    damaged = results.tables / "trials" / f"run={RUN_ID}" / "part-0.parquet"
    damaged.write_bytes(b"PAR1\x1b[31m")
    done = schema("--check", results.tables)
    assert done.exit_code == 1
    first, last = done.output.splitlines()
    assert first.startswith(f"{damaged}: cannot be read as a Parquet file: ")
    assert last == f"12 files in {results.tables}: 11 sound, 1 not"


def test_problems_are_told_to_programs(results: Results):
    publish(results, make_tables())
    damaged = results.tables / "trials" / f"run={RUN_ID}" / "part-0.parquet"
    damaged.write_bytes(b"PAR1")
    done = schema("--check", results.tables, "--json")
    assert done.exit_code == 1
    told = json.loads(done.output)
    assert told["files"] == 12
    assert [(each["file"], each["column"]) for each in told["problems"]] == [(str(damaged), None)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trails"], "table 'trails' is none; give one of runs, trials, "),
        (["trials", "--check", "."], "study schema: give either the table 'trials' or --check, not both"),
        (["--markdown", "--json"], "study schema: --markdown prints one page"),
        (["--check", "nowhere"], "nowhere: no such file or folder"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], message: str):
    done = schema(*arguments)
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith(message)
