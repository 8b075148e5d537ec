"""The command `study prune`: remove old runs, what only they needed, and what killed runs have left."""

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.exit_codes import FAILED
from flows.options import ResultsOption, show_warnings
from study.errors import InputError
from study.wording import count

if TYPE_CHECKING:
    from storage.upkeep import Pruned

_NOUNS = {
    "run": ("run", "runs"),
    "interrupted run": ("interrupted run", "interrupted runs"),
    "remains": ("run that was removed in part", "runs that were removed in part"),
    "training": ("training", "trainings"),
    "temporary file": ("temporary file", "temporary files"),
}


def prune_command(
    results: ResultsOption = "results",
    older_than: Annotated[
        str,
        typer.Option("--older-than", metavar="TIME", help="Remove only what ended before, such as `30d`."),
    ] = "",
    keep: Annotated[
        int | None,
        typer.Option("--keep", metavar="N", help="Keep the newest N complete runs of each study."),
    ] = None,
    trainings: Annotated[
        bool,
        typer.Option(
            "--trainings/--no-trainings", help="Remove finished trainings that no kept run reads, too."
        ),
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, remove nothing.")
    ] = False,
) -> None:
    """Remove old runs: their rows, reports, figures and models, and the trainings that only they read.

    With both limits, a run goes that is older than TIME and not among the newest N. Never removed: the newest
    complete run of each study and what it reads, and what is being executed. What killed runs have left goes
    always.
    """
    from flows.request import read_duration
    from storage.place import exists, results_at
    from storage.upkeep import Limits, prune

    if not older_than and keep is None:
        raise InputError(
            "study prune: say what may go, by --older-than with a time such as 30d, by --keep with a number "
            "of runs such as 10, or by both; --dry-run shows what that would remove"
        )
    if keep is not None and keep < 1:
        raise InputError(f"--keep: {keep} is not allowed; give 1 or more, or leave it out")
    show_warnings()
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
    except OverflowError:  # longer ago than there are dates
        return datetime.min.replace(tzinfo=UTC)


def _print(pruned: "Pruned", folder: Path, dry_run: bool) -> None:
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
