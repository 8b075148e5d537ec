"""Hold Parquet files against the contract: table and version, columns, types, nulls, units and keys."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from storage import object_store
from storage.address import is_local
from storage.parts import MAJOR, UNREADABLE, find_fault, is_readable, open_source, read_label, reason_of
from storage.schema import SCHEMA_VERSION, TABLES, schema_of
from study.errors import InputError, StoreUnreachable
from study.wording import shown

_MAGIC = b"PAR1"
"""The first bytes of every Parquet file."""

_VERSION = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file, and in which column; none where it is the file as a whole."""

    file: Path
    column: str | None
    found: str

    def __str__(self) -> str:
        """The problem on one line."""
        where = "" if self.column is None else f"column {shown(self.column)} "
        return f"{self.file}: {where}{self.found}"


def list_parquet(path: Path) -> list[Path]:
    """The Parquet files that a path names: itself, or those below it whose names begin with no `.` or `_`.

    Args:
        path: As `storage.address.read_address` gives it.

    Raises:
        InputError: there is none.
    """
    try:
        if not is_local(path):
            object_store.reach(path)
        if path.is_file():
            with path.open("rb") as file:
                if file.read(len(_MAGIC)) != _MAGIC:
                    raise InputError(f"{path}: is no Parquet file; give one, or a folder with such files")
            return [path]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    below = (each for each in sorted(path.rglob("*.parquet")) if each.is_file())
    files = [each for each in below if not _is_passed_over(each.relative_to(path))]
    if not files:
        raise InputError(f"{path}: no Parquet file lies there; `study run` writes some into `results/tables`")
    return files


def check_file(path: Path) -> list[Problem]:
    """What in a Parquet file is not as the contract has it; see `Problem`."""
    try:
        # As a file: the folder's `run=` partition would add a column that repeats run_id.
        with pq.ParquetFile(open_source(path)) as file:
            content = file.read()
        content.column_names  # noqa: B018 - decodes them
    except StoreUnreachable:
        raise  # that is no fault of the file
    except UNREADABLE as error:
        return [Problem(path, None, f"cannot be read as a Parquet file: {reason_of(error)}")]
    metadata = content.schema.metadata or {}
    table, version = read_label(metadata, "table"), read_label(metadata, "schema_version")
    if table not in TABLES:
        return [Problem(path, None, f"holds table {shown(table)}, expected one of {', '.join(TABLES)}")]
    if not is_readable(version):
        expected = f"{SCHEMA_VERSION} or another {MAJOR}.x.y"
        return [Problem(path, None, f"has schema version {shown(version)}, expected {expected}")]
    return [Problem(path, *each) for each in _check_columns(content, table, version)]


def version_number(version: str) -> tuple[int, ...]:
    """A version to compare by; of one that is not spelled in three numbers, the first."""
    found = _VERSION.fullmatch(version)
    return tuple(map(int, found.groups())) if found else (int(MAJOR), 0, 0)


def _is_passed_over(path: Path) -> bool:
    """Whether readers of folders skip a file: ours while it is written, and what other programs lay there."""
    return any(part.startswith((".", "_")) for part in path.parts)


def _check_columns(content: pa.Table, table: str, version: str) -> Iterator[tuple[str | None, str]]:
    """Each column at fault, with what was found."""
    known = schema_of(table)
    for field in known:
        places = content.schema.get_all_field_indices(field.name)
        if len(places) > 1:
            yield field.name, f"is there {len(places)} times, expected once"
        elif places:
            yield from _check_column(field, content.schema.field(places[0]), content.column(places[0]))
        elif version_number(_since(field)) <= version_number(version):
            yield field.name, f"is not there, expected {field.type} since schema {_since(field)}"
    if version_number(version) <= version_number(SCHEMA_VERSION):
        for name in sorted(set(content.column_names) - set(known.names)):
            yield name, f"is unknown to schema {SCHEMA_VERSION}, expected in later versions only"
    if all(_is_sound(known.field(name), content) for name in TABLES[table].key):
        yield from _check_key(content, TABLES[table].key)


def _is_sound(field: pa.Field, content: pa.Table) -> bool:
    return bool([each.type for each in content.schema if each.name == field.name] == [field.type])


def _check_column(field: pa.Field, found: pa.Field, column: pa.ChunkedArray) -> Iterator[tuple[str, str]]:
    if fault := find_fault(field, column):
        nulls = f" in {column.null_count} of {len(column)} rows, expected no null"
        yield field.name, f"{fault}{nulls if column.type == field.type else ''}"
    unit, expected = (read_label(each.metadata or {}, "unit") for each in (found, field))
    if unit != expected:
        yield field.name, f"has unit {shown(unit)}, expected {shown(expected)}"


def _check_key(content: pa.Table, key: tuple[str, ...]) -> Iterator[tuple[None, str]]:
    keys = content.select(list(key))
    distinct = keys.group_by(list(key)).aggregate([]).num_rows
    if distinct < len(keys):
        yield (
            None,
            f"has {len(keys)} rows with {distinct} different {' + '.join(key)}, expected as many as rows",
        )


def _since(field: pa.Field) -> str:
    return read_label(field.metadata, "since")
