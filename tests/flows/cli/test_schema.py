"""`study schema`: the contract with readers, and the page made of it."""

import re
from pathlib import Path

from click.testing import Result
from typer.testing import CliRunner

from flows.cli.main import Invocation, app
from flows.cli.schema import draw_page, draw_table, holds_json
from storage.tables import TABLES
from study.errors import InputError

COLUMNS = [column for kind in TABLES.values() for column in kind.columns()]
PAGE = Path(__file__).parents[3] / "docs" / "tables.md"


def schema(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["schema", *map(str, arguments)], obj=Invocation())


def test_the_page_of_the_tables_is_what_the_contract_says():
    assert schema().output == draw_page()
    again = "run `.venv/bin/study schema > docs/tables.md`"
    assert PAGE.read_text(encoding="utf-8") == draw_page(), f"{PAGE} is out of date; {again}"


def test_one_table_is_shown_as_on_the_page():
    assert schema("trials").output == draw_table("trials")
    assert draw_table("trials") in draw_page()


def test_a_table_that_is_none_is_refused():
    done = schema("trails")
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith("table 'trails' does not exist; give one of runs, trials, ")


def test_the_page_has_a_row_for_each_column_and_joins_on_columns_that_are_there():
    page = draw_page()
    for table, kind in TABLES.items():
        section = page.partition(f"\n## {table}\n")[2].partition("\n## ")[0]
        assert re.findall(r"^\| `(\w+)` \|", section, re.M) == list(kind.model_fields)
    names = {column.name for column in COLUMNS}
    joins = page.partition("## How they join")[2].partition("A training is named")[0]
    assert set(re.findall(r"`(\w+)`", joins)) <= names | set(TABLES) | {"cell"}


def test_the_columns_of_json_are_told_apart():
    assert {column.name for column in COLUMNS if holds_json(column)} == {
        "versions", "study_definition", "parameters", "devices", "definition", "changes",
    }  # fmt: skip
