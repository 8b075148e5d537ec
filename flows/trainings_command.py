"""The command `study trainings`: list the finished trainings that later runs read."""

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.options import ResultsOption
from study.wording import count, percent


def trainings_command(results: ResultsOption = "results") -> None:
    """List the kept trainings: key, what was trained, epochs, accuracy, run and size.

    They lie in `results/trainings`, one folder for each key. A run trains what is not there, continues what
    is too short, and trains again what is damaged. Removing any costs time, never results.
    """
    from storage.place import results_at
    from storage.trainings import list_keys, measure_training, read_records

    place = results_at(results)
    records = sorted(read_records(place), key=lambda record: record.segments[-1].finished_at)
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
            f"{measure_training(place, record.key) / 1e6:.1f}",
        )
    console = Console()
    if records:
        (console if console.is_terminal else Console(width=140)).print(table)
    keys = list_keys(place)
    unreadable = len(keys) - len(records)
    note = f", {unreadable} not readable (`study verify` says why)" if unreadable else ""
    size = sum(measure_training(place, key) for key in keys) / 1e6
    typer.echo(f"{count(len(keys), 'training')}, {size:.1f} MB in {place.trainings}{note}")
