"""The command `study schema`: the contract with readers of the tables, and its page docs/tables.md."""

from typing import Annotated

import typer

from storage.tables import SCHEMA_VERSION, TABLES, UNITS, Column, Table
from study.errors import InputError
from study.wording import shown


def schema_command(
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="A table, such as `trials`. Default: all.")
    ] = None,
) -> None:
    """Print the published tables as Markdown: what a row is, each column's type, unit and meaning.

    Without TABLE it is the page `docs/tables.md`.
    """
    if table is not None and table not in TABLES:
        raise InputError(f"table {shown(table)} is none; give one of {', '.join(TABLES)}")
    typer.echo(draw_page() if table is None else draw_table(table), nl=False)


_INTRODUCTION = """\
# The tables

<!-- Made from storage/tables/schema.py: `.venv/bin/study schema > docs/tables.md` writes it again. -->

What a run found lies in Parquet files that any reader of Parquet opens; nothing of this program is needed.
This page is schema version {version}. `study schema trials` prints the section of one table, and
`study verify` compares files with it.

## Where they lie

    results/tables/<table>/run=<run_id>/part-0.parquet

One file for each table and run, with all its rows; `results` is what `--results` named. The folder's name
repeats the column `run_id`: readers that make columns of folders' names add a column `run` with the same.
Pass over files whose names begin with `.` or `_`: they are being written, or are not ours.

A run is published once its row in `runs` is there, and that row is written last. Join with `runs`, as here in
DuckDB, and half a run is never seen:

    SELECT trials.*
    FROM read_parquet('results/tables/trials/*/*.parquet', union_by_name = true) AS trials
    SEMI JOIN read_parquet('results/tables/runs/*/*.parquet', union_by_name = true) AS runs USING (run_id)

A later version of the program may write more columns. `union_by_name` gives all of them, null where a file
has none; `pandas.read_parquet` on a table's folder gives those of the first file only.

To read all runs at once, take the history, which says the same in a file a month and table:

    results/history/<table>/month=<year>-<month>/part-0.parquet

Every run brings it up to date, and so does `study compact`. The pages of all files have checksums, which
`study verify` compares, and readers of Parquet can: in pyarrow it is `page_checksum_verification=True`.

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

A training is named by its `key` in every run: where a later run has the same key, it has read that training,
not done it again.

## Units and types

Accuracies are fractions of 1, not percent. Times are seconds; moments are timestamps in UTC. Categories, such
as `status`, are plain strings, and new ones may come. JSON is in strings, and a column that holds it says so
in its meaning:

{json}

In the files, each column's metadata have its `unit` and `meaning`; a file's have `table` and
`schema_version`.

| unit | says |
| --- | --- |
{units}

## What stays

Within a major version changes are additions only. A table or column that is there stays, with its name, type,
unit, meaning and whether it may be null. A column that is added may be null, and is missing in files of
earlier versions. Each published run has a file of every table, be it without rows.

Pass over tables and columns you do not know, and refuse another major version.

## Every table

| table | a row is | identified by |
| --- | --- | --- |
{tables}
"""


def draw_page() -> str:
    """The page, as Markdown."""
    introduction = _INTRODUCTION.format(
        version=SCHEMA_VERSION,
        json=_list_json(),
        units="\n".join(f"| {name or '(none)'} | {says} |" for name, says in UNITS.items()),
        tables="\n".join(_table_row(name, each) for name, each in TABLES.items()),
    )
    return "\n".join([introduction, *map(draw_table, TABLES)])


def draw_table(name: str) -> str:
    """The page's section of one table."""
    table = TABLES[name]
    lines = [
        f"## {name}",
        "",
        f"A row is {table.row}. Identified by {_key(table)}.",
        "",
        "| column | type | unit | null | meaning |",
        "| --- | --- | --- | --- | --- |",
        *map(_column_row, table.columns),
    ]
    return "\n".join(lines) + "\n"


def holds_json(column: Column) -> bool:
    """Whether a column's text is JSON, which its meaning says."""
    return "as JSON" in column.meaning


def _list_json() -> str:
    found = {
        table: ", ".join(f"`{column.name}`" for column in each.columns if holds_json(column))
        for table, each in TABLES.items()
    }
    return "\n".join(f"- `{table}`: {names}" for table, names in found.items() if names)


def _table_row(name: str, table: Table) -> str:
    return f"| [`{name}`](#{name}) | {table.row} | {_key(table)} |"


def _column_row(column: Column) -> str:
    may_be_null = "yes" if column.nullable else ""
    return f"| `{column.name}` | {column.type} | {column.unit} | {may_be_null} | {column.meaning} |"


def _key(table: Table) -> str:
    return ", ".join(f"`{each}`" for each in table.key)
