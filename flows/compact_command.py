"""The command `study compact`: bring the history of all published runs up to date."""

import typer

from flows.options import ResultsOption, show_warnings
from study.errors import InputError
from study.wording import count


def compact_command(results: ResultsOption = "results") -> None:
    """Bring `history` up to date: the tables of all published runs, a file a month and table.

    Every run does so when it is published. This is for files that were damaged, restored or
    removed by hand; what is as it should be is left.
    """
    show_warnings()
    from storage.history import update_history
    from storage.place import open_results

    place = open_results(results)
    try:
        months = update_history(place, thorough=True)
    except TimeoutError as error:
        raise InputError(f"{place.history}: another process is at work on it; try again") from error
    written = f"{count(len(months), 'month')} written: {', '.join(months)}" if months else "up to date"
    typer.echo(f"{place.history}: {written}")
