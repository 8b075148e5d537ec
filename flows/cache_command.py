"""The command `study cache`: list and verify the finished trainings that later runs read."""

import sys

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.options import ResultsOption
from study.wording import count, percent

cache_app = typer.Typer(
    no_args_is_help=True,
    help=(
        "List and verify finished trainings; `study prune` removes old ones.\n\n"
        "They lie in `results/trainings`, one folder for each key; a run trains what is not there, goes on "
        "with what is too short, and trains again what is damaged. Removing any costs time, never results."
    ),
)


@cache_app.command("list")
def list_command(results: ResultsOption = "results") -> None:
    """List the kept trainings: key, what was trained, epochs, accuracy, run and size."""
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


@cache_app.command("verify")
def verify_command(results: ResultsOption = "results") -> None:
    """Check every kept training against its hashes; exit 1 if one is damaged."""
    from storage.place import results_at
    from storage.trainings import DamagedTraining, list_keys, verify_training

    place = results_at(results)
    keys, damaged = list_keys(place), 0
    for key in keys:
        try:
            verify_training(place, key)
        except DamagedTraining as error:
            damaged += 1
            typer.echo(str(error))
    typer.echo(
        f"{count(len(keys), 'training')} in {place.trainings}: {len(keys) - damaged} sound, {damaged} damaged"
    )
    if damaged:
        typer.echo("the next run that needs them trains them again")
        sys.exit(1)
