"""`study schema`: the contract with readers, and the page made of it."""

import json
from pathlib import Path

from flows.cli.schema import draw_page, draw_table
from tests.command import study
from tests.rows import make_chosen_model, make_lab_tables, make_models, make_study

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


def test_every_key_of_the_json_that_a_run_wrote_is_on_the_page():
    tables, page = make_lab_tables(make_study()), draw_page()
    written = [
        tables.run.parameters or "{}",
        tables.run.study_definition,
        make_models(make_chosen_model(make_study()))[0].definition,
    ]
    keys = {key for text in written for key in json.loads(text)}
    assert {"title", "confusion"} <= keys
    assert [key for key in keys if f"`{key}`" not in page] == []
