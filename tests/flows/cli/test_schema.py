"""`study schema`: the contract with readers, and the page made of it."""

from pathlib import Path

from flows.cli.schema import draw_page, draw_table
from tests.command import study

PAGE = Path(__file__).parents[3] / "docs" / "tables.md"


def test_the_page_of_the_tables_is_what_the_contract_says():
    assert study("schema").out == draw_page()
    again = "run `.venv/bin/study schema > docs/tables.md`"
    assert PAGE.read_text(encoding="utf-8") == draw_page(), f"{PAGE} is out of date; {again}"


def test_one_table_is_shown_as_on_the_page():
    assert study("schema", "trials").out == draw_table("trials")
    assert draw_table("trials") in draw_page()


def test_a_table_that_is_none_is_refused():
    done = study("schema", "trails")
    assert done.code == 2
    assert done.err.startswith("study: table 'trails' does not exist; give one of runs, trials, ")
