"""The commands `study trainings`, `verify`, `prune` and `compact`: list, check and remove kept results."""

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from flows.cli.options import FAILED, ResultsOption
from flows.prepare import read_duration
from flows.shown import print_table
from storage.results import exists, open_results, results_at
from storage.tables import update_history
from storage.trainings import list_keys, measure_training, read_records
from storage.upkeep import Limits, Pruned, check_results, prune
from study.errors import InputError
from study.wording import count, percent, printable

_NOUNS = {
    "run": ("run", "runs"),
    "interrupted run": ("interrupted run", "interrupted runs"),
    "remains": ("run that was removed in part", "runs that were removed in part"),
    "training": ("training", "trainings"),
    "unfinished training": ("unfinished training", "unfinished trainings"),
    "temporary file": ("temporary file", "temporary files"),
}


def prune_command(
    results: ResultsOption = "results",
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than", metavar="TIME", help="Remove only runs that ended longer ago, such as `30d`."
        ),
    ] = "",
    keep: Annotated[
        int | None, typer.Option("--keep", metavar="N", help="Keep the newest N complete runs of each study.")
    ] = None,
    trainings: Annotated[
        bool,
        typer.Option(
            "--trainings/--no-trainings", help="Also remove finished trainings that no kept run reads."
        ),
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, remove nothing.")
    ] = False,
) -> None:
    """Remove old runs: their rows, reports, figures and models, and the trainings that only they read.

    With both limits, it removes runs that are older than TIME and not among the newest N. It never removes
    the newest complete run of each study with its trainings, nor a run or training that is being executed. It
    always removes the remains of killed runs, and the states of unfinished trainings that are a week old.
    """
    if not older_than and keep is None:
        raise InputError(
            "study prune: say what to remove, by --older-than with a time such as 30d, by --keep with a "
            "number of runs such as 10, or by both; --dry-run shows what that would remove"
        )
    if keep is not None and keep < 1:
        raise InputError(f"--keep: {keep} is not allowed; give 1 or more, or leave it out")
    now = datetime.now(UTC)
    before = _ago(now, read_duration(older_than, "--older-than")) if older_than else None
    place = results_at(results)
    if not exists(place.folder):
        raise InputError(f"results folder {place.folder}: no such folder; give one with --results")
    pruned = prune(place, Limits(before, keep, trainings), now, dry_run)
    _print(pruned, place.folder, dry_run)
    if pruned.failures:
        sys.exit(FAILED)


def _ago(now: datetime, seconds: float) -> datetime:
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:  # before the first date of Python
        return datetime.min.replace(tzinfo=UTC)


def _print(pruned: Pruned, folder: Path, dry_run: bool) -> None:
    for failure in pruned.failures:
        typer.echo(failure, err=True)
    typer.echo(f"{folder}:")
    for kind, nouns in _NOUNS.items():
        gone = {item.name: size for item, size in pruned.gone if item.kind == kind}
        if gone or kind == "run":
            verb = "would remove" if dry_run else "removed"
            typer.echo(f"{verb} {count(len(gone), *nouns)}, {_megabytes(sum(gone.values()))}")
        for name, size in gone.items() if "run" in kind else ():
            typer.echo(f"  {name}, {_megabytes(size)}")
    for kind, nouns in _NOUNS.items():
        reasons = Counter(reason for item, reason in pruned.stayed if item.kind == kind)
        for reason, number in reasons.most_common():
            typer.echo(f"kept {count(number, *nouns)}: {reason}")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


_CHECKED_NOUNS = {
    "run": ("published run", "published runs"),
    "history": ("month of the history", "months of the history"),
    "training": ("kept training", "kept trainings"),
}


def verify_command(results: ResultsOption = "results") -> None:
    """Check every published table, the history and every kept training; exit 1 if one is damaged.

    It reads all files. The tables must agree with `study schema` and their pages with their checksums;
    weights must agree with their hashes. A line for each damage names the file, the finding and the remedy.
    """
    place = results_at(results)
    found = list(check_results(place))
    if not found:
        raise InputError(f"nothing is kept in {place.folder}; give the folder of a run with --results")
    for each in found:
        for reason in each.damage:
            typer.echo(f"{each.kind} {each.name}: {printable(reason)}")
    for kind, nouns in _CHECKED_NOUNS.items():
        damaged = [bool(each.damage) for each in found if each.kind == kind]
        typer.echo(f"{count(len(damaged), *nouns)}: {damaged.count(False):,} sound, {sum(damaged):,} damaged")
    if any(each.damage for each in found):
        sys.exit(FAILED)


def trainings_command(results: ResultsOption = "results") -> None:
    """List the kept trainings: key, what was trained, epochs, accuracy, run and size.

    They are in `results/trainings`, one folder for each key. A run trains missing ones, continues ones that
    are too short, and repeats damaged ones. Removing any costs time, never results.
    """
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
    if records:
        print_table(table, 140)
    keys = list_keys(place)
    unreadable = len(keys) - len(records)
    note = f", {unreadable} not readable (`study verify` says why)" if unreadable else ""
    size = sum(measure_training(place, key) for key in keys) / 1e6
    typer.echo(f"{count(len(keys), 'training')}, {size:.1f} MB in {place.trainings}{note}")


def compact_command(results: ResultsOption = "results") -> None:
    """Bring `history` up to date: the tables of all published runs, a file a month and table.

    Every run does so when it is published. Use this command after files were damaged, restored or removed by
    hand; sound files stay as they are.
    """
    place = open_results(results)
    try:
        months = update_history(place, thorough=True)
    except TimeoutError as error:
        raise InputError(f"{place.history}: another process is writing it; try again") from error
    written = f"{count(len(months), 'month')} written: {', '.join(months)}" if months else "up to date"
    typer.echo(f"{place.history}: {written}")
