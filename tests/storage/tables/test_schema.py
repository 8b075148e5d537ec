"""What the contract says: a table's rows and keys, units, and that it is only added to."""

import dataclasses
import re
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest

from storage.tables import SCHEMA_VERSION, TABLES, schema_of
from storage.tables.published import RunTables
from storage.tables.row import UNITS, Row
from tests.rows import (
    make_chosen_model,
    make_finals,
    make_lab_tables,
    make_models,
    make_nights,
    make_pictures,
    make_study,
)
from tests.searches import searched_tables

FIRST = (Path(__file__).parent / "schema-1.0.0.txt").read_text(encoding="utf-8").splitlines()
"""Every column of schema 1.0.0: table, name, type, unit and whether it may be null."""

PAGE = (Path(__file__).parents[3] / "docs" / "tables.md").read_text(encoding="utf-8")
"""The contract as people read it: what changes in `storage/` has to be changed there, too."""

TYPES = (pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.binary(), pa.timestamp("us", tz="UTC"))


COLUMNS = {table: kind.columns() for table, kind in TABLES.items()}


@pytest.fixture(scope="module")
def lab_rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """The rows of every table of the lab study, and `search` of one that searches."""
    study, sheet = make_study(), tmp_path_factory.mktemp("sheet") / "sheet.png"
    cv2.imwrite(str(sheet), np.full((30, 30), 200, np.uint8))
    tables = make_lab_tables(study)
    return [
        *(row for rows in vars(tables).values() if isinstance(rows, list) for row in rows),
        tables.run,
        *make_nights({2: "identical", 3: "drifted"}),
        *make_models(make_chosen_model(study)),
        *make_pictures(study, sheet),
        *searched_tables().search,
        *make_finals(study, tables.trials),
    ]


def read_keys(rows: list[Row], table: str, without: str = "") -> list[tuple[object, ...]]:
    """The key of each row of a table, or its parts but one."""
    kind = TABLES[table]
    names = [name for name in kind.KEY if name != without]
    return [tuple(getattr(row, name) for name in names) for row in rows if isinstance(row, kind)]


@pytest.mark.parametrize("table", TABLES)
def test_a_key_identifies_each_row(lab_rows: list[Row], table: str):
    keys = read_keys(lab_rows, table)
    assert keys
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("table", "part"), [("trials", "repeat"), ("trials", "setting"), ("epochs", "epoch")]
)
def test_no_column_can_be_spared_from_a_key(lab_rows: list[Row], table: str, part: str):
    keys = read_keys(lab_rows, table, without=part)
    assert len(set(keys)) < len(keys)


@pytest.mark.parametrize("kind", TABLES.values(), ids=TABLES)
def test_a_key_begins_with_the_run_and_is_of_columns_that_are_never_null(kind: type[Row]):
    nullable = {each.name: each.nullable for each in kind.columns()}
    assert kind.KEY[0] == next(iter(nullable)) == "run_id"
    assert not any(nullable[name] for name in kind.KEY)


@pytest.mark.parametrize("table", TABLES)
def test_units_types_and_meanings_are_as_the_page_and_the_name_promise(table: str):
    promised = {"_accuracy": "fraction", "_loss": "nats", "seconds": "s", "_at": "UTC"}
    for column in COLUMNS[table]:
        assert column.unit in UNITS, column
        assert column.type in TYPES, column
        assert re.fullmatch(r"[A-Z`].*\.", column.meaning), column
        assert "schema" not in column.meaning and "ince 1." not in column.meaning, column
        units = {unit for ending, unit in promised.items() if column.name.endswith(ending)}
        assert units <= {column.unit}, column


def test_every_unit_is_used():
    assert {column.unit for columns in COLUMNS.values() for column in columns} == set(UNITS)


def test_nothing_of_schema_1_0_0_was_removed_or_changed_and_what_was_added_may_be_null():
    today = {
        f"{table}.{each.name} {each.type} {each.unit or '-'}{' null' if each.nullable else ''}"
        for table, columns in COLUMNS.items()
        for each in columns
    }
    assert set(FIRST) - today == set(), "a column is never removed or changed; see docs/tables.md"
    tables = {line.partition(".")[0] for line in FIRST}
    added = [line for line in today - set(FIRST) if line.partition(".")[0] in tables]
    assert all(line.endswith(" null") for line in added), added


def test_every_table_is_part_of_a_run():
    names = {"run" if name == "runs" else name for name in TABLES}
    assert names == {field.name for field in dataclasses.fields(RunTables)}


def read_cells(text: str) -> list[tuple[str, ...]]:
    """The cells of each row of the first table of a text in Markdown, the header left out."""
    rows = re.findall(r"^\| (.*) \|$", text, re.M)
    return [tuple(cell.strip() for cell in row.split(" | ")) for row in rows[2:]]


def test_the_page_has_the_version_the_units_and_what_a_row_of_each_table_is():
    assert f"This page is schema version {SCHEMA_VERSION}." in PAGE
    units = PAGE.partition("| unit | says |")[2].partition("\n## ")[0]
    assert read_cells(f"\n| unit | says |{units}") == [
        (name or "(none)", says) for name, says in UNITS.items()
    ]
    tables = PAGE.partition("\n## Every table\n")[2].partition("\n## ")[0]
    assert read_cells(tables) == [
        (f"[`{name}`](#{name})", each.meaning(), ", ".join(f"`{part}`" for part in each.KEY))
        for name, each in TABLES.items()
    ]


@pytest.mark.parametrize("table", TABLES)
def test_the_page_has_each_column_with_its_type_unit_and_meaning(table: str):
    section = PAGE.partition(f"\n## {table}\n")[2].partition("\n## ")[0]
    described = []
    for field in schema_of(TABLES[table]):
        labels = {name.decode(): text.decode() for name, text in field.metadata.items()}
        null = "yes" if field.nullable else ""
        described.append((f"`{field.name}`", str(field.type), labels["unit"], null, labels["meaning"]))
    assert read_cells(section) == described


def test_a_file_names_its_table_and_the_version():
    assert schema_of(TABLES["epochs"]).metadata == {b"schema_version": b"1.0.0", b"table": b"epochs"}
