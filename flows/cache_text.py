"""The kept trainings as a table for people."""

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from storage.place import Results
from storage.trainings import list_keys, measure_training, read_records
from study.wording import count, percent


def print_entries(results: Results) -> None:
    """Print every kept training that can be read, the latest last."""
    records = sorted(read_records(results), key=lambda record: record.segments[-1].finished_at)
    table = Table()
    for heading in ("key", "training", "epochs", "accuracy", "protocol", "trained by", "MB"):
        table.add_column(heading, justify="right" if heading in ("epochs", "accuracy", "MB") else "left")
    for record in records:
        table.add_row(
            record.key,
            escape(record.label),
            str(len(record.epochs)),
            "diverged" if record.diverged else percent(record.epochs[-1].validation_accuracy),
            record.source.protocol,
            record.segments[-1].run_id,
            f"{measure_training(results, record.key) / 1e6:.1f}",
        )
    console = Console()
    if records:
        (console if console.is_terminal else Console(width=140)).print(table)
    keys = list_keys(results)
    unreadable = len(keys) - len(records)
    note = f", {unreadable} not readable (`study verify` says why)" if unreadable else ""
    size = sum(measure_training(results, key) for key in keys) / 1e6
    typer.echo(f"{count(len(keys), 'training')}, {size:.1f} MB in {results.trainings}{note}")
