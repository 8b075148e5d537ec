"""The command `study prune`: remove old runs, what only they needed, and what killed runs have left."""

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.exit_codes import FAILED
from flows.options import ResultsOption, configure_prefect
from study.errors import InputError
from study.wording import count

if TYPE_CHECKING:
    from storage.removal import Pruned
    from storage.retention import Item

_NOUNS = {
    "run": ("run", "runs"),
    "interrupted run": ("interrupted run", "interrupted runs"),
    "remains": ("run that was removed in part", "runs that were removed in part"),
    "training": ("training", "trainings"),
    "leftover": ("temporary or lock file", "temporary and lock files"),
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
    prefect: Annotated[
        bool,
        typer.Option(
            "--prefect/--no-prefect", help="Remove flow runs from Prefect's database, too, by their age."
        ),
    ] = False,
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
    from storage.removal import prune
    from storage.retention import Limits

    if not older_than and keep is None:
        raise InputError(
            "study prune: say what may go, by --older-than with a time such as 30d, by --keep with a number "
            "of runs such as 10, or by both; --dry-run shows what that would remove"
        )
    if keep is not None and keep < 1:
        raise InputError(f"--keep: {keep} is not allowed; give 1 or more, or leave it out")
    if prefect and not older_than:
        raise InputError(
            "--prefect: flow runs go by their age only; give --older-than with a time such as 30d"
        )
    configure_prefect(verbose=False)
    now = datetime.now(UTC)
    before = _ago(now, read_duration(older_than, "--older-than")) if older_than else None
    place = results_at(results)
    if not exists(place.folder):
        raise InputError(f"results folder {place.folder}: no such folder; give one with --results")
    if prefect:
        from flows.prefect_history import check_server, prune_history

        check_server()
    pruned = prune(place, Limits(before, keep, trainings), now, dry_run)
    _tell(pruned, place.folder, dry_run)
    if prefect and before is not None:
        typer.echo(prune_history(before, dry_run))
    if pruned.failures:
        sys.exit(FAILED)


def _ago(now: datetime, seconds: float) -> datetime:
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:  # longer ago than there are dates
        return datetime.min.replace(tzinfo=UTC)


def _tell(pruned: "Pruned", folder: Path, dry_run: bool) -> None:
    for problem in pruned.problems:
        typer.echo(f"WARNING: {problem}", err=True)
    for failure in pruned.failures:
        typer.echo(f"could not be removed: {failure}", err=True)
    verb = "would remove" if dry_run else "removed"
    typer.echo(f"{folder}:")
    for kind in _NOUNS:
        gone = [(item, size) for item, size in pruned.gone if item.kind == kind]
        if gone or kind == "run":
            typer.echo(f"{verb} {_count(kind, [item for item, _ in gone])}, {_megabytes(gone)}")
        if dry_run and "run" in kind:
            for item, size in gone:
                typer.echo(f"  {item.name}, {_megabytes([(item, size)])}")
    for kind in _NOUNS:
        reasons = Counter(reason for item, reason in pruned.stayed if item.kind == kind)
        for reason, number in reasons.most_common():
            typer.echo(f"kept {_number(kind, number)}: {reason}")


def _count(kind: str, items: Sequence["Item"]) -> str:
    studies = Counter(item.study for item in items if item.study)
    named = ", ".join(f"{study} {number:,}" for study, number in sorted(studies.items()))
    return _number(kind, len(items)) + (f" ({named})" if named else "")


def _number(kind: str, number: int) -> str:
    return count(number, *_NOUNS[kind])


def _megabytes(gone: Sequence[tuple["Item", int]]) -> str:
    return f"{sum(size for _, size in gone) / 1e6:.1f} MB"
