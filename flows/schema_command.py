"""The command `study schema`: print the contract with readers of the tables."""

from typing import Annotated

import typer

from study.errors import InputError
from study.wording import shown


def schema_command(
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="A table, such as `trials`. Default: all.")
    ] = None,
) -> None:
    """Print the tables that runs publish as Markdown: what a row is, each column's type, unit and meaning.

    Without TABLE it is the page `docs/tables.md`.
    """
    from flows.schema_page import draw_page, draw_table
    from storage.schema import TABLES

    if table is not None and table not in TABLES:
        raise InputError(f"table {shown(table)} is none; give one of {', '.join(TABLES)}")
    typer.echo(draw_page() if table is None else draw_table(table), nl=False)
