"""Define a row of a table as a class, and derive the table's columns and schema from it.

The contract with readers: accuracies are fractions of 1, times are seconds unless they are timestamps (UTC).
Changes are additions only.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = "1.0.0"

UNITS = {
    "": "a name, a number of things, or a ratio without a unit",
    "fraction": "of 1: 0.9 is 90%",
    "nats": "of a loss: cross entropy with the natural logarithm",
    "s": "seconds",
    "UTC": "a moment, in universal time",
    "epochs": "passes over the training images",
    "images": "of the dataset",
    "pixels": "of the 28 x 28 of an image",
    "bytes": "of memory",
}
"""Every unit that a column may have, and its meaning."""


Fraction = Annotated[float, "fraction"]
Nats = Annotated[float, "nats"]
Seconds = Annotated[float, "s"]
Moment = Annotated[datetime, "UTC"]
Epochs = Annotated[int, "epochs"]
MeanEpochs = Annotated[float, "epochs"]
Images = Annotated[int, "images"]
Pixels = Annotated[int, "pixels"]
Bytes = Annotated[int, "bytes"]

_TYPES = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    bytes: pa.binary(),
    datetime: pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class Column:
    """One column: name, Arrow type, unit (one of `UNITS`) and meaning."""

    name: str
    type: pa.DataType
    unit: str
    meaning: str
    nullable: bool = False


class Row(BaseModel):
    """A row of a table. Each field is a column: its type says unit and null, its docstring the meaning.

    A class may have only some of a table's columns, to read those alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    TABLE: ClassVar[str] = ""
    """The name of the table."""
    KEY: ClassVar[tuple[str, ...]] = ()
    """The columns that identify a row."""

    run_id: str
    """The run; joins every table with `runs`."""
    study: str
    """Name of the study."""

    def __init_subclass__(cls, table: str = "", key: tuple[str, ...] = (), **options: Any) -> None:
        """Name the table and its key."""
        super().__init_subclass__(**options)
        cls.TABLE, cls.KEY = table or cls.TABLE, key or cls.KEY

    @classmethod
    def columns(cls) -> tuple[Column, ...]:
        """Return its columns, in order."""
        return tuple(
            _column(name, field.annotation, field.metadata, " ".join((field.description or "").split()))
            for name, field in cls.model_fields.items()
        )

    @classmethod
    def meaning(cls) -> str:
        """Say what a row is, such as `a published run`."""
        text = " ".join((cls.__doc__ or "").split()).removesuffix(".")
        return text[:1].lower() + text[1:]


AnyRow = TypeVar("AnyRow", bound=Row)


def null_if_nan(value: float) -> float | None:
    """Return the value for a row, which refuses NaN: None for it."""
    return None if math.isnan(value) else value


def _column(name: str, annotation: Any, metadata: Iterable[Any], meaning: str) -> Column:
    kinds = get_args(annotation)
    nullable = type(None) in kinds
    if nullable:
        (annotation,) = (kind for kind in kinds if kind is not type(None))
    if get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
    unit = next((each for each in metadata if isinstance(each, str)), "")
    type_ = next(_TYPES[kind] for kind in annotation.__mro__ if kind in _TYPES)
    return Column(name, type_, unit, meaning, nullable)


def schema_of(row: type[Row]) -> pa.Schema:
    """Return the Arrow schema of rows, with unit and meaning in each field's metadata."""
    fields = [
        pa.field(each.name, each.type, each.nullable, {"unit": each.unit, "meaning": each.meaning})
        for each in row.columns()
    ]
    return pa.schema(fields, metadata={"schema_version": SCHEMA_VERSION, "table": row.TABLE})
