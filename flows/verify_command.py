"""The command `study verify`: look for damage of everything that is kept, and say what to do about it."""

import sys

import typer

from flows.exit_codes import FAILED
from flows.options import ResultsOption, show_warnings
from study.errors import InputError
from study.wording import count, printable

_NOUNS = {
    "run": ("published run", "published runs"),
    "history": ("month of the history", "months of the history"),
    "training": ("kept training", "kept trainings"),
}


def verify_command(results: ResultsOption = "results") -> None:
    """Check every published table, the history and every kept training; exit 1 if one is damaged.

    All files are read. The tables must be as `study schema` says and their pages fit their checksums; weights
    must fit their hashes. A line for each damage names the file, what was found and what to do.
    """
    show_warnings()
    from storage.place import results_at
    from storage.verification import check_results

    place = results_at(results)
    found = list(check_results(place))
    if not found:
        raise InputError(f"nothing is kept in {place.folder}; give the folder of a run with --results")
    for each in found:
        for reason in each.damage:
            typer.echo(f"{each.kind} {each.name}: {printable(reason)}")
    for kind, nouns in _NOUNS.items():
        damaged = [bool(each.damage) for each in found if each.kind == kind]
        typer.echo(f"{count(len(damaged), *nouns)}: {damaged.count(False):,} sound, {sum(damaged):,} damaged")
    if any(each.damage for each in found):
        sys.exit(FAILED)
