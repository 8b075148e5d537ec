"""The command `study schema`: print the contract with readers of the tables, the page docs/tables.md."""

from typing import Annotated, Any, get_args

import typer
from pydantic import BaseModel

from flows.cli.study_schema import draw_schema
from storage.tables import SCHEMA_VERSION, TABLES, UNITS, Column, Row
from study.conclusions import Change, ChosenModel
from study.errors import InputError
from study.spec import RunOptions, Study
from study.wording import listing, shown


def schema_command(
    table: Annotated[
        str | None,
        typer.Argument(metavar="[TABLE]", help="A table, such as `trials`, or `study`. Default: all."),
    ] = None,
) -> None:
    """Print the published tables as Markdown: what a row is, each column's type, unit and meaning.

    Without TABLE it prints the page `docs/tables.md`; `study` prints the JSON schema of study files, by which
    an editor completes and checks them.
    """
    if table == "study":
        typer.echo(draw_schema(), nl=False)
        return
    if table is not None and table not in TABLES:
        raise InputError(f"table {shown(table)} does not exist; give one of {', '.join(TABLES)}, or study")
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

A training is named by its `key` in every run. If a later run has the same key, it has read that training
(`reused`; `trained_by` names the run), or trained the same again (`--fresh`): it is no new evidence.

**To pool runs or exercises, keep one row of each `reading`.** In pandas, for means by setting:

    trials.sort_values("run_id").drop_duplicates(["exercise", "reading"])

## Before you compute

- **Differences** are ours less the published one (`summary`, `agreement`), the second setting less the
  first (`comparisons`), tonight less earlier (`nights`), the kept candidate less the other (`finals.gain`).
  In `agreement`, bands and claims have differences between our own settings.
- **`agreement` and `comparisons`** answer different questions. In `comparisons` p values and intervals are
  corrected for all settings of the exercise, and say whether two settings differ. In `agreement` those of
  means and bands are of one statement alone, so a band's interval is narrower. A mean with a wide spread is
  `consistent` with almost anything, and an order is `inside` by its means alone. Settings differ only if
  `comparisons.differs`.
- **Time:** a training of several `threads` counts once in `lane_seconds`: multiply by `threads` for how
  busy the lanes' cores were. Wall time is from `started_at` to `finished_at`, except in a run with
  `resumed` above 0: there `wall_seconds`, `makespan_seconds` and all `predicted_` columns of `runs` are of
  the last part, `lane_seconds` is of all parts.
- **Predictions:** `runs.predicted_lane_seconds` is from before the run. `trainings.predicted_seconds` of
  what the sweeps decide (search, combination) is from later, when it was known; their sum differs.
- **Words for people** (`found`, `allowed`, `message`, `reason`) are not for parsing. The numbers have
  columns of their own.
- **The confusion matrix** in `models.definition`: row `i`, column `j` counts test images that are of class
  `i` and were classified as `j`.

## Units and types

Accuracies are fractions of 1, not percent. Times are seconds; moments are timestamps in UTC. Categories, such
as `status`, are plain strings, and new ones may be added. Files are compressed by Snappy, which every reader
has. JSON is stored as strings; keys may be added. The columns, and the keys in them:

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
    places: dict[str, list[str]] = {}
    for table, kind in TABLES.items():
        for column in filter(holds_json, kind.columns()):
            places.setdefault(column.name, []).append(f"`{table}`")
    return "\n".join(f"- `{name}` of {listing(of)}: {_describe_json(name)}" for name, of in places.items())


def _describe_json(column: str) -> str:
    match column:
        case "versions":
            engines = "`tensorflow` or, of the native engine, `compiler` and `vectors`"
            return f"`python`, `numpy`, {engines}; in `runs` also `prefect`"
        case "devices":
            return "a list: `kind`, `gpu`; of lanes elsewhere also `lane`, `host`, `processor`"
        case "study_definition":
            return f"{_keys(Study)}: the fields of a study's YAML, with defaults filled in"
        case "parameters":
            return _keys(RunOptions)
        case "network_parameters":
            return "the keyword arguments of the network's function, but those that have columns"
        case "changes":
            return f"a list: {_keys(Change)}"
        case "definition":
            return _keys(ChosenModel, deep=True)
    raise LookupError(f"the keys of {column} are not listed")


def _keys(kind: type[BaseModel], deep: bool = False) -> str:
    """List the keys of an object in JSON; if deep, of the objects in it, too."""
    return ", ".join(
        f"`{name}`{''.join(f' ({_keys(each)})' for each in _models_in(field.annotation) if deep)}"
        for name, field in kind.model_fields.items()
    )


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in get_args(annotation) for model in _models_in(each)]


def _column_row(column: Column) -> str:
    may_be_null = "yes" if column.nullable else ""
    return f"| `{column.name}` | {column.type} | {column.unit} | {may_be_null} | {column.meaning} |"


def _key(kind: type[Row]) -> str:
    return ", ".join(f"`{each}`" for each in kind.KEY)
