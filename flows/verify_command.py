"""The command `study verify`: look for damage of everything that is kept, and say what to redo."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flows.exit_codes import FAILED
from flows.options import ResultsOption, show_warnings
from study.errors import InputError
from study.wording import count, printable, shown

if TYPE_CHECKING:
    from storage.verification import Checked

_NOUNS = {
    "run": ("published run", "published runs"),
    "history": ("month of the history", "months of the history"),
    "training": ("kept training", "kept trainings"),
}


def verify_command(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id: only this one. Default: everything.")
    ] = None,
    results: ResultsOption = "results",
) -> None:
    """Check every published file against its checksum, and every kept training; exit 1 if one is damaged.

    Each run's manifest, `manifests/RUN.json`, holds the SHA-256 of every file it published. Runs from before
    schema 1.7.0 have none: their files are read and held against the schema.
    """
    show_warnings()
    from storage.parts import list_published
    from storage.place import results_at
    from storage.verification import check_history, check_runs, check_trainings

    place = results_at(results)
    if run is not None and run not in (published := list_published(place)):
        known = ", ".join(published[-3:]) or "none yet"
        raise InputError(f"run {shown(run)} is not published in {place.tables}; latest: {known}")
    found = list(check_runs(place, None if run is None else [run]))
    if run is None:
        found += [*check_history(place), *check_trainings(place)]
    if not found:
        raise InputError(f"nothing is kept in {place.folder}; give the folder of a run with --results")
    for each in found:
        _tell(each)
    for kind, nouns in _NOUNS.items():
        damaged = [bool(each.damage) for each in found if each.kind == kind]
        if run is None or kind == "run":
            typer.echo(
                f"{count(len(damaged), *nouns)}: {damaged.count(False):,} sound, {sum(damaged):,} damaged"
            )
    if any(each.damage for each in found):
        sys.exit(FAILED)


def _tell(checked: "Checked") -> None:
    for reason in checked.damage:
        typer.echo(f"{checked.kind} {checked.name}: {printable(reason)}")
    if checked.damage:
        typer.echo(f"  {checked.remedy}")
