"""What the contract says: a table's rows and keys, units, and since when a column is there."""

import dataclasses

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from storage.column import UNITS, Column, added
from storage.contract import version_number
from storage.schema import COLUMNS, SCHEMA_VERSION, TABLES, schema_of
from storage.tables import RunTables
from tests.frames import (
    make_agreement,
    make_chosen_model,
    make_comparisons,
    make_epochs,
    make_finals,
    make_models,
    make_nights,
    make_pictures,
    make_run,
    make_study,
    make_summary,
    make_trainings,
    make_trials,
)
from tests.searches import searched_frames

TYPES = (pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.binary(), pa.timestamp("us", tz="UTC"))


@pytest.fixture(scope="module")
def lab_frames(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Every table of the lab study, and `search` of one that searches."""
    study, trials = make_study(), make_trials()
    sheet = tmp_path_factory.mktemp("sheet") / "sheet.png"
    cv2.imwrite(str(sheet), np.full((30, 30), 200, np.uint8))
    return {
        "runs": make_run(study, trials).to_frame().T,
        "trials": trials,
        "trainings": make_trainings(study),
        "epochs": make_epochs(study),
        "summary": make_summary(trials),
        "nights": make_nights({2: "identical", 3: "drifted"}),
        "comparisons": make_comparisons(study, trials),
        "agreement": make_agreement(study, trials),
        "models": make_models(make_chosen_model(study)),
        "pictures": make_pictures(study, sheet),
        "search": searched_frames().search,
        "finals": make_finals(study, trials),
    }


@pytest.mark.parametrize("table", TABLES)
def test_a_key_identifies_each_row(lab_frames: dict[str, pd.DataFrame], table: str):
    frame = lab_frames[table]
    assert len(frame) > 0
    assert not frame.duplicated(list(TABLES[table].key)).any()


def test_no_column_can_be_spared_from_a_key(lab_frames: dict[str, pd.DataFrame]):
    for table, name in (
        ("trials", "repeat"),
        ("trials", "setting"),
        ("epochs", "epoch"),
    ):
        shorter = [each for each in TABLES[table].key if each != name]
        assert lab_frames[table].duplicated(shorter).any(), (table, name)


@pytest.mark.parametrize("table", TABLES)
def test_a_key_begins_with_the_run_and_is_of_columns_that_every_file_of_the_table_has(table: str):
    columns = {each.name: each for each in COLUMNS[table]}
    assert TABLES[table].key[0] == "run_id"
    for name in TABLES[table].key:
        assert not columns[name].nullable
        assert columns[name].since == ""


@pytest.mark.parametrize("table", TABLES)
def test_units_and_types_are_of_a_fixed_vocabulary(table: str):
    for column in COLUMNS[table]:
        assert column.unit in UNITS, column
        assert column.type in TYPES, column


def test_every_unit_is_used():
    assert {column.unit for columns in COLUMNS.values() for column in columns} == set(UNITS)


@pytest.mark.parametrize("table", TABLES)
def test_a_column_that_was_added_later_may_be_null(table: str):
    for column in COLUMNS[table]:
        versions = (TABLES[table].since, TABLES[table].since_of(column), SCHEMA_VERSION)
        assert sorted(versions, key=version_number) == list(versions)
        assert column.nullable or column.since == "", column


def test_a_meaning_leaves_versions_to_their_field():
    meanings = [column.meaning for columns in COLUMNS.values() for column in columns]
    assert not [each for each in meanings if "schema" in each or "ince 1." in each]


def test_the_first_version_of_a_column_is_in_the_metadata():
    assert schema_of("summary").field("engine").metadata[b"since"] == b"1.5.0"
    assert schema_of("search").field("schedule").metadata[b"since"] == b"1.6.0"
    assert schema_of("runs").field("run_id").metadata[b"since"] == b"1.0.0"


def test_columns_are_added_as_they_are_but_for_their_version():
    column = Column("mood", pa.string(), "", "how it went", True)
    assert added("1.9.0", column) == (dataclasses.replace(column, since="1.9.0"),)


def test_every_table_is_part_of_a_run():
    names = {"run" if name == "runs" else name for name in TABLES}
    assert names == {field.name for field in dataclasses.fields(RunTables)}
