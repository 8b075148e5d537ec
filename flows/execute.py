"""Execute a run from the command line: server, progress bar, and an end that says what happened."""

import logging
import sys
from contextlib import ExitStack

import typer

from flows.ahead import has_to_train, ready_lanes, without_collecting
from flows.exit_codes import FAILED, TERMINATED
from flows.request import Request, make_lanes
from flows.stop_signals import Terminated, terminate_in_order
from flows.temporary_server import temporary_server
from storage.run_starts import has_ended, save_start
from study.errors import InputError, LanesLost

logger = logging.getLogger(__name__)


def execute(request: Request) -> None:
    """Execute a run, then print its summary and where its report is.

    Raises:
        InputError: the input is wrong, or the results folder takes nothing.
        KeyboardInterrupt: Ctrl-C, after a line that says what is kept.
        SystemExit: trials failed, or SIGTERM.
    """
    save_start(request.results, request.start)
    try:
        terminate_in_order()
        _run_flow(request)
    except KeyboardInterrupt as error:
        typer.echo(f"\nstopped; {_kept(request)}", err=True)
        if isinstance(error, Terminated):
            sys.exit(TERMINATED)
        raise
    _conclude(request)


def _run_flow(request: Request) -> None:
    with ExitStack() as stack:
        with temporary_server():
            with without_collecting():
                from flows.parameters import repeat_start
                from flows.progress import TerminalProgress, further_views
                from flows.run_study import StoppedEarly, run_study
            lanes = stack.enter_context(make_lanes(request))
            if has_to_train(request):
                lanes.start_ahead()
        further_views.set((stack.enter_context(TerminalProgress()),))
        ready_lanes.set(lanes)
        try:
            run_study(repeat_start(request.start, request.results.folder))
        except StoppedEarly:
            return  # it is published, and says so itself
        except InputError:
            raise
        except LanesLost as error:
            typer.echo(f"{error}; {_kept(request)}", err=True)
            sys.exit(FAILED)
        except Exception as error:
            if not has_ended(request.results, request.run_id):
                typer.echo(f"the run failed; {_kept(request)}", err=True)
                raise
            # The results are there; that a server died is no reason to call them failed.
            logger.warning("Prefect was not told that the run ended: %s", error)


def _kept(request: Request) -> str:
    return (
        f"finished trainings are kept in {request.results.trainings}, and "
        f"`study resume {request.run_id} --results {request.results.folder}` goes on from there"
    )


def _conclude(request: Request) -> None:
    """Print what a person wants to know after a run; exit 1 if trials failed."""
    from flows.summary_table import describe_failures, print_summary
    from storage.tables import read_run

    frames = read_run(request.results, request.run_id)
    print_summary(frames)
    typer.echo(f"report: {request.results.report(request.run_id)}")
    if frames.run.failed_trials:
        typer.echo(describe_failures(frames), err=True)
        sys.exit(FAILED)
