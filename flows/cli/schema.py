"""The command `study schema`: print the contract with readers of the tables, the page docs/tables.md."""

from typing import Annotated

import typer

from storage.tables import SCHEMA_VERSION, TABLES, UNITS, Column, Row
from study.errors import InputError
from study.wording import shown


def schema_command(
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="A table, such as `trials`. Default: all.")
    ] = None,
) -> None:
    """Print the published tables as Markdown: what a row is, each column's type, unit and meaning.

    Without TABLE it prints the page `docs/tables.md`.
    """
    if table is not None and table not in TABLES:
        raise InputError(f"table {shown(table)} does not exist; give one of {', '.join(TABLES)}")
    typer.echo(draw_page() if table is None else draw_table(table), nl=False)


_INTRODUCTION = """\
# The tables

<!-- Made from the rows in storage/tables: `.venv/bin/study schema > docs/tables.md` writes it again. -->

The results of a run are Parquet files. Any reader of Parquet opens them, without this program.
This page is schema version {version}. `study schema trials` prints the section of one table, and
`study verify` compares files with it.

## Where they are

    results/tables/<table>/run=<run_id>/part-0.parquet

There is one file for each table and run, with all its rows; `results` is the folder that `--results` named.
The folder's name repeats the column `run_id`: readers that turn folders' names into columns add the same as a
column `run`. Ignore files whose names begin with `.` or `_`: they are being written, or are not ours.

A run is published as soon as its row in `runs` exists; that row is written last. Join with `runs`, as here in
DuckDB, to never read half a run:

    SELECT trials.*
    FROM read_parquet('results/tables/trials/*/*.parquet', union_by_name = true) AS trials
    SEMI JOIN read_parquet('results/tables/runs/*/*.parquet', union_by_name = true) AS runs USING (run_id)

A later version of the program may write more columns. `union_by_name` returns all of them, null if a file
lacks one; `pandas.read_parquet` on a table's folder returns those of the first file only.

To read all runs at once, take the history, which has the same rows in one file per month and table:

    results/history/<table>/month=<year>-<month>/part-0.parquet

Every run updates it, and so does `study compact`. The pages of all files have checksums. `study verify`
checks them, and other readers can: in pyarrow by `page_checksum_verification=True`.

## How they join

| what | on |
| --- | --- |
| every table with `runs` | `run_id` |
| `trials` with `trainings`, `epochs`, `search` and `models` | `run_id`, `key` |
| `trials` with `summary` | `run_id`, `exercise`, `setting` |
| `trials` with `nights` | `run_id`, `exercise` |
| `summary` with `finals` | `run_id`, `exercise`, `setting` |
| `summary` with `comparisons` | `run_id`, `exercise`, and `value` with `first_value` or `second_value` |
| `summary` with `agreement` where `kind` is `cell` | `run_id`, `exercise`, `value` |

A training is named by its `key` in every run: if a later run has the same key, it has read that training, not
repeated it.

## Units and types

Accuracies are fractions of 1, not percent. Times are seconds; moments are timestamps in UTC. Categories, such
as `status`, are plain strings, and new ones may be added. JSON is stored as strings; the meaning of such a
column says so:

{json}

In the files, each column's metadata have its `unit` and `meaning`; a file's have `table` and
`schema_version`.

| unit | says |
| --- | --- |
{units}

## What stays

Within a major version changes are additions only. Existing tables and columns stay, with their names, types,
units, meanings and nullability. An added column may be null, and is missing in files of earlier versions.
Each published run has a file of every table, even without rows.

Ignore tables and columns you do not know, and refuse another major version.

## Every table

| table | a row is | identified by |
| --- | --- | --- |
{tables}
"""


def draw_page() -> str:
    """Return the page, as Markdown."""
    introduction = _INTRODUCTION.format(
        version=SCHEMA_VERSION,
        json=_list_json(),
        units="\n".join(f"| {name or '(none)'} | {says} |" for name, says in UNITS.items()),
        tables="\n".join(
            f"| [`{table}`](#{table}) | {kind.meaning()} | {_key(kind)} |" for table, kind in TABLES.items()
        ),
    )
    return "\n".join([introduction, *map(draw_table, TABLES)])


def draw_table(name: str) -> str:
    """Return the page's section of one table."""
    kind = TABLES[name]
    lines = [
        f"## {name}",
        "",
        f"A row is {kind.meaning()}. Identified by {_key(kind)}.",
        "",
        "| column | type | unit | null | meaning |",
        "| --- | --- | --- | --- | --- |",
        *map(_column_row, kind.columns()),
    ]
    return "\n".join(lines) + "\n"


def holds_json(column: Column) -> bool:
    """Say whether a column's text is JSON, according to its meaning."""
    return "as JSON" in column.meaning


def _list_json() -> str:
    found = {
        table: ", ".join(f"`{column.name}`" for column in kind.columns() if holds_json(column))
        for table, kind in TABLES.items()
    }
    return "\n".join(f"- `{table}`: {names}" for table, names in found.items() if names)


def _column_row(column: Column) -> str:
    may_be_null = "yes" if column.nullable else ""
    return f"| `{column.name}` | {column.type} | {column.unit} | {may_be_null} | {column.meaning} |"


def _key(kind: type[Row]) -> str:
    return ", ".join(f"`{each}`" for each in kind.KEY)
