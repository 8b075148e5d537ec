"""The command `study schema`: the contract with readers of the tables, and whether files keep it."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from flows.exit_codes import FAILED
from study.errors import InputError
from study.wording import count, printable, shown

if TYPE_CHECKING:
    from rich.table import Table as Grid


def schema_command(
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="A table, such as `trials`. Default: all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page `docs/tables.md`.")] = False,
    check: Annotated[
        str | None,
        typer.Option(
            "--check",
            metavar="PATH",
            help="Hold a Parquet file, or all below a folder, against it; exit 1 if one differs.",
        ),
    ] = None,
) -> None:
    """Show the tables that runs publish: what a row is, and every column's type, unit and meaning.

    `--check` holds Parquet files against that, and prints a line for each difference.
    """
    if markdown and (table or as_json or check):
        raise InputError(
            "study schema: --markdown prints one page; give it without TABLE, --json and --check"
        )
    if table and check:
        raise InputError(f"study schema: give either the table {shown(table)} or --check, not both")
    if check:
        _check(check, as_json)
    elif markdown:
        from flows.schema_page import draw_page

        typer.echo(draw_page(), nl=False)
    else:
        _show(table, as_json)


def _show(name: str | None, as_json: bool) -> None:
    from storage.schema import SCHEMA_VERSION, TABLES

    if name is not None and name not in TABLES:
        raise InputError(f"table {shown(name)} is none; give one of {', '.join(TABLES)}")
    if as_json:
        chosen = TABLES if name is None else [name]
        described = {"schema_version": SCHEMA_VERSION, "tables": [_describe(each) for each in chosen]}
        typer.echo(json.dumps(described, indent=1))
    elif name is None:
        _print_tables()
    else:
        _print_columns(name)


def _check(address: str, as_json: bool) -> None:
    from storage.address import read_address
    from storage.contract import check_file, list_parquet

    path = read_address(address, "path")
    files = list_parquet(path)
    problems = [each for file in files for each in check_file(file)]
    if as_json:
        listed = [{"file": str(each.file), "column": each.column, "found": each.found} for each in problems]
        typer.echo(json.dumps({"files": len(files), "problems": listed}, indent=1))
    else:
        for each in problems:
            typer.echo(printable(str(each)))
        damaged = len({each.file for each in problems})
        typer.echo(f"{count(len(files), 'file')} in {path}: {len(files) - damaged} sound, {damaged} not")
    if problems:
        sys.exit(FAILED)


def _describe(name: str) -> dict[str, object]:
    """A table as plain data."""
    from storage.schema import TABLES

    table = TABLES[name]
    columns = [
        {
            "name": each.name,
            "type": str(each.type),
            "unit": each.unit,
            "nullable": each.nullable,
            "since": table.since_of(each),
            "meaning": each.meaning,
        }
        for each in table.columns
    ]
    return {"name": name, "row": table.row, "key": table.key, "since": table.since, "columns": columns}


def _print_tables() -> None:
    from storage.schema import SCHEMA_VERSION, TABLES

    rows = [
        (name, each.row, " + ".join(each.key), str(len(each.columns)), each.since)
        for name, each in TABLES.items()
    ]
    caption = f"Schema {SCHEMA_VERSION}. `study schema TABLE` shows the columns of one."
    _print(_grid(("table", "a row is", "identified by", "columns", "since"), rows, caption))


def _print_columns(name: str) -> None:
    from storage.schema import TABLES

    table = TABLES[name]
    rows = [
        (
            each.name,
            str(each.type),
            each.unit,
            "yes" if each.nullable else "",
            table.since_of(each),
            each.meaning,
        )
        for each in table.columns
    ]
    typer.echo(f"{name}: a row is {table.row}; identified by {' + '.join(table.key)}")
    caption = "Null too in files of a schema before the one named under `since`."
    _print(_grid(("column", "type", "unit", "may be null", "since", "meaning"), rows, caption))


def _grid(names: tuple[str, ...], rows: Sequence[tuple[str, ...]], caption: str) -> "Grid":
    from rich.markup import escape
    from rich.table import Table

    grid = Table(caption=caption)
    for name in names:
        grid.add_column(name, overflow="fold")
    for row in rows:
        grid.add_row(*map(escape, row))
    return grid


def _print(grid: "Grid") -> None:
    from rich.console import Console

    console = Console()
    (console if console.is_terminal else Console(width=160)).print(grid)
