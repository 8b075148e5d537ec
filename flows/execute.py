"""Execute the flow from the command line: server, progress bar, and an end that says what happened."""

import sys
from pathlib import Path
from typing import Any

import typer

FAILED = 1
"""Exit code of a run with failed trials, of one that stopped early, and of one in which a step failed."""


def execute(parameters: dict[str, Any], go_on: str) -> None:
    """Run the flow, then print its summary and where its report is.

    Args:
        parameters: Of the flow.
        go_on: The command that goes on if it is interrupted.

    Raises:
        InputError: the input is wrong, or the results folder takes nothing.
        KeyboardInterrupt: Ctrl-C, after a line that says what is kept.
        SystemExit: trials failed.
    """
    from flows.temporary_server import temporary_server

    try:
        with temporary_server():
            from flows.progress import TerminalProgress, further_views
            from flows.run_study import StoppedEarly, run_study
        with TerminalProgress() as bar:
            further_views.set((bar,))
            try:
                run_id = str(run_study(**parameters))
            except StoppedEarly as error:
                run_id = error.run_id
    except KeyboardInterrupt:
        trainings = Path(parameters["results"]) / "trainings"
        typer.echo(
            f"\nstopped; finished trainings are kept in {trainings}, and `{go_on}` goes on from there",
            err=True,
        )
        raise
    conclude(parameters["results"], run_id)


def conclude(results: str, run_id: str) -> None:
    """Print what a person wants to know after a run; exit 1 if trials failed."""
    from flows.summary_table import describe_failures, print_summary
    from storage.place import Results
    from storage.tables import read_run

    place = Results(Path(results).resolve())
    frames = read_run(place, run_id)
    print_summary(frames)
    typer.echo(f"report: {place.report(run_id)}")
    if frames.run.failed_trials:
        typer.echo(describe_failures(frames), err=True)
        sys.exit(FAILED)
