"""A row as a class: its columns are its fields, and it refuses what its columns cannot hold."""

import re
from enum import StrEnum

import pyarrow as pa
import pytest
from pydantic import ValidationError

from storage.tables.row import Column, Epochs, Fraction, Moment, Row, Seconds
from tests.subscripts import find_subscripts


class Colour(StrEnum):
    RED = "red"


class Apple(Row, table="apples", key=("run_id", "colour")):
    """An apple of
    a run."""

    colour: Colour
    """`red`."""
    ripe: bool = False
    """Whether it is."""
    sugar: Fraction | None = None
    """Of its weight."""
    age: Epochs | None = None
    """Since it fell."""


class RottenApple(Apple):
    """An apple that was forgotten."""

    found_at: Moment
    """When it was found."""
    seconds: Seconds
    """That the search took."""


def test_fields_are_columns_with_type_unit_null_and_meaning():
    assert Apple.columns() == (
        Column("run_id", pa.string(), "", "The run; joins every table with `runs`."),
        Column("study", pa.string(), "", "Name of the study."),
        Column("colour", pa.string(), "", "`red`."),
        Column("ripe", pa.bool_(), "", "Whether it is."),
        Column("sugar", pa.float64(), "fraction", "Of its weight.", nullable=True),
        Column("age", pa.int64(), "epochs", "Since it fell.", nullable=True),
    )
    assert (Apple.TABLE, Apple.KEY, Apple.meaning()) == ("apples", ("run_id", "colour"), "an apple of a run")


def test_a_row_of_another_row_has_its_columns_first_and_its_table():
    assert RottenApple.columns() == (
        *Apple.columns(),
        Column("found_at", pa.timestamp("us", tz="UTC"), "UTC", "When it was found."),
        Column("seconds", pa.float64(), "s", "That the search took."),
    )
    assert (RottenApple.TABLE, RottenApple.KEY) == (Apple.TABLE, Apple.KEY)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"colour": "blue"}, "colour\n  Input should be 'red'"),
        ({"colour": None}, "colour\n  Input should be 'red'"),
        ({}, "colour\n  Field required"),
        ({"colour": "red", "sugar": "much"}, "sugar\n  Input should be a valid number"),
        ({"colour": "red", "sugar": float("nan")}, "sugar\n  Input should be a finite number"),
        ({"colour": "red", "weight": 1}, "weight\n  Extra inputs are not permitted"),
    ],
)
def test_a_row_refuses_what_its_columns_cannot_hold(values: dict[str, object], fault: str):
    with pytest.raises(ValidationError, match=re.escape(fault)):
        Apple.model_validate({"run_id": "run", "study": "lab", **values})


def test_a_subscript_of_a_column_is_found_and_one_of_another_name_is_not():
    code = 'first["run_id"]\nframe[["key", "test_accuracy"]]\nother["value"]\nplain[0]\n'
    assert list(find_subscripts(code)) == [(1, "run_id"), (2, "test_accuracy")]
