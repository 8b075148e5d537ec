"""Name, write and read one file of a table."""

import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from storage.results import Results, find_paths, is_local, read_all, read_bytes
from storage.tables.row import SCHEMA_VERSION, AnyRow, Row, schema_of
from study.errors import InputError, StoreUnreachable
from study.wording import shortened, shown

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

MEND = "restore the file, or remove this run's folder from `tables/runs`; running the study again is quick"
"""The remedy: the trainings are kept, so another run reads them."""


def part_path(results: Results, table: str, run_id: str) -> Path:
    """Return the path of a run's file of a table.

    Raises:
        InputError: the run's id, which may come from a table, would lead out of the results folder.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise InputError(f"run {run_id!r} in {results.tables} is no run's id; remove its row in `runs`")
    return results.tables / table / f"run={run_id}" / "part-0.parquet"


def list_published(results: Results) -> list[str]:
    """List the ids of the runs that have a row in `runs`, readable or not, oldest first by name."""
    parts = find_paths(results.tables / "runs", "run=*/part-0.parquet")
    return [path.parent.name.removeprefix("run=") for path in parts]


def encode_part(kind: type[Row], rows: Sequence[Row]) -> bytes:
    """Encode the rows of a table as a Parquet file; the same rows give the same bytes."""
    schema = schema_of(kind)
    return encode_parquet([pa.Table.from_pylist([vars(row) for row in rows], schema=schema)], schema)


def encode_parquet(groups: Sequence[pa.Table], schema: pa.Schema) -> bytes:
    """Encode tables, each in its own row groups, with checksums, and statistics by which readers skip."""
    content = io.BytesIO()
    options = {"compression": "snappy", "write_page_index": True, "write_page_checksum": True}
    with pq.ParquetWriter(content, schema, **options) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=100_000)
    return content.getvalue()


def read_parts(
    results: Results, kind: type[Row], run_ids: Sequence[str]
) -> Iterator[tuple[str, pa.Table | InputError | None]]:
    """Read each run's rows as `read_part`: None if it has no such file, or the error."""
    named = [run_id for run_id in run_ids if _RUN_ID.fullmatch(run_id)]
    contents = read_all([part_path(results, kind.TABLE, run_id) for run_id in named])
    for run_id in run_ids:
        try:
            path = part_path(results, kind.TABLE, run_id)
            is_there = path.exists() if is_local(path) else path in contents
            yield run_id, read_part(path, kind, contents.get(path)) if is_there else None
        except InputError as damage:
            yield run_id, damage


def read_part(path: Path, kind: type[Row], content: bytes | None = None, mend: str = MEND) -> pa.Table:
    """Read the columns of a kind of row from a file of its table; skip others, which a later version added.

    Raises:
        InputError: the file is missing or damaged (its pages have checksums), is another table's, or of a
            version that is not read here. The message ends with `mend`: what a person can do.
        StoreUnreachable: the store that has it does not answer.
    """
    schema = schema_of(kind)
    try:
        # We pass it as a file: the folder's `run=` partition would add a column that repeats run_id.
        source = path if is_local(path) else pa.BufferReader(read_bytes(path) if content is None else content)
        with pq.ParquetFile(source, page_checksum_verification=True) as file:
            _check_kind(file.schema_arrow.metadata or {}, kind.TABLE)
            return _fit(file.read(columns=schema.names), schema)
    except StoreUnreachable:
        raise  # this is not damage
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; {mend}") from error
    except _Misfit as error:
        raise InputError(f"{path}: {error}; {mend}") from error
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:  # the last: damaged names of columns
        raise InputError(f"{path}: cannot be read as a Parquet file: {_reason_of(error)}; {mend}") from error


def list_rows(kind: type[AnyRow], part: pa.Table, path: Path) -> list[AnyRow]:
    """Return the rows of a file.

    Raises:
        InputError: a value is not one that its column can have, such as a status of a later version.
    """
    try:
        return [kind.model_validate(row) for row in part.to_pylist()]
    except ValidationError as error:
        first = error.errors()[0]
        name, value = first["loc"][0], shown(str(first["input"]))
        raise InputError(f"{path}: column {name!r} holds {value}: {first['msg']}; {MEND}") from error


class _Misfit(Exception):
    """A file does not fit the schema."""


def _check_kind(metadata: Mapping[bytes, bytes], table: str) -> None:
    """Refuse a file of another table, or of a version that we do not read."""
    found, version = (
        metadata.get(name, b"").decode(errors="replace") for name in (b"table", b"schema_version")
    )
    if found != table:
        raise _Misfit(f"holds {f'table {shown(found)}' if found else 'no table'}, expected {table!r}")
    major = SCHEMA_VERSION.partition(".")[0]  # later minor versions only add to it
    if version.partition(".")[0] != major:
        raise _Misfit(f"has schema version {shown(version)}, this program reads {major}.x")


def _fit(content: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with just the columns of a schema."""
    for field in schema:
        if field.name not in content.column_names:
            raise _Misfit(f"lacks the column {field.name!r}")
        column = content.column(field.name)
        if column.type != field.type:
            raise _Misfit(f"column {field.name!r} is {column.type}, expected {field.type}")
        if column.null_count and not field.nullable:
            raise _Misfit(f"column {field.name!r} lacks a value")
    return pa.Table.from_arrays([content.column(name) for name in schema.names], schema=schema)


def _reason_of(error: Exception) -> str:
    """Say why a file cannot be read, on one line, without its path."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else shortened(str(error), 200).rstrip(".")
