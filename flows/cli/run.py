"""The commands `study run` and `resume`: start server and lanes, show progress, print the outcome."""

import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Timer
from typing import Annotated, NoReturn

import typer

from flows.cli.options import (
    FAILED,
    TERMINATED,
    DataOption,
    DebuggableLanesOption,
    EngineOption,
    ExercisesOption,
    FreshOption,
    LanesPerGpuOption,
    LaneTimeoutOption,
    ProtocolOption,
    RepeatsOption,
    ResultsOption,
    SchedulerOption,
    StudyArgument,
    read_options,
    use_cpu_here,
)
from flows.prepare import (
    Prepared,
    Request,
    RunParameters,
    check_request,
    handed_over,
    has_to_train,
    import_ahead,
    make_lanes,
)
from flows.serving.temporary import temporary_server, without_collecting
from flows.shown import describe_failures
from storage.results import results_at
from storage.run_starts import choose_interrupted, has_ended, list_interrupted, save_start
from storage.tables import read_run
from study.errors import InputError, LanesLost
from study.wording import count
from tasks.environment import end_by_signals


def resume_command(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id. Default: the latest interrupted one.")
    ] = None,
    results: ResultsOption = "results",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show Prefect's log.")] = False,
) -> None:
    """Resume an interrupted run, as it was started.

    Its finished trainings are not repeated, even if it was started with `--fresh`. It needs only the results
    folder. To start a new run that reads the finished trainings, use `study run`.
    """
    start = choose_interrupted(results_at(results), run)
    request = check_request(RunParameters(results=str(results), resume=start.run_id))
    typer.echo(
        f"resuming run {start.run_id} of study {start.source}, started {start.started_at:%Y-%m-%d %H:%M} UTC",
        err=True,
    )
    execute(request)


class Terminated(KeyboardInterrupt):
    """SIGTERM or its like: as Ctrl-C, but from another program."""


def _raise_terminated(_number: int, _frame: object) -> NoReturn:
    raise Terminated


AGAIN_SECONDS = 0.1
"""Until a signal is sent again that Python has lost."""


@contextmanager
def stopping_in_order(kept: Sequence[str]) -> Iterator[None]:
    """Print what is kept when Ctrl-C, SIGTERM or its like stops the body; exit with the code of each.

    The body adds to `kept` as it proceeds.
    """
    hook = sys.unraisablehook

    def raise_later(lost: "sys.UnraisableHookArgs") -> None:
        # Python cannot raise what arrives in a callback of its own, as in those of an import: a stop is lost.
        if isinstance(lost.exc_value, KeyboardInterrupt):
            number = signal.SIGTERM if isinstance(lost.exc_value, Terminated) else signal.SIGINT
            Timer(AGAIN_SECONDS, os.kill, (os.getpid(), number)).start()
        else:
            hook(lost)

    sys.unraisablehook = raise_later
    try:
        end_by_signals(_raise_terminated)
        yield
    except KeyboardInterrupt as error:
        typer.echo(f"\nstopped; {', and '.join(kept)}", err=True)
        if isinstance(error, Terminated):
            sys.exit(TERMINATED)
        raise
    finally:
        sys.unraisablehook = hook


logger = logging.getLogger(__name__)


def execute(request: Request) -> None:
    """Execute a run, then print its summary and the path of its report.

    Raises:
        InputError: the input is wrong, or the results folder cannot be written to.
        KeyboardInterrupt: Ctrl-C, after a line about the kept trainings.
        SystemExit: trials failed, or SIGTERM.
    """
    kept = [f"finished trainings are kept in {request.results.trainings}"]
    with stopping_in_order(kept), ExitStack() as stack:
        with temporary_server():
            with without_collecting():
                from flows.run_study import StoppedEarly, run_study  # late: while the server starts
                from flows.shown import TerminalProgress  # late: likewise
            lanes = stack.enter_context(make_lanes(request))
            if has_to_train(request):
                lanes.start_ahead()
            else:
                import_ahead()
        save_start(request.results, request.start)
        kept.append(
            f"`study resume {request.run_id} --results {request.results.folder}` continues from there"
        )
        views = (stack.enter_context(TerminalProgress()),)
        stack.callback(handed_over.reset, handed_over.set(Prepared(request, lanes, views)))
        try:
            run_study(request.parameters)
        except StoppedEarly:
            pass  # it is published, and its summary says so
        except InputError:
            raise
        except LanesLost as error:
            typer.echo(f"{error}; {', and '.join(kept)}", err=True)
            sys.exit(FAILED)
        except Exception as error:
            if not has_ended(request.results, request.run_id):
                typer.echo(f"the run failed; {', and '.join(kept)}", err=True)
                raise
            # The results are published: the death of a server does not make the run fail.
            logger.warning("Prefect does not know that the run ended: %s", error)
    _conclude(request)


def _conclude(request: Request) -> None:
    """Print the closing lines and the failures of a run; exit 1 if trials failed."""
    tables = read_run(request.results, request.run_id)
    from flows.cli.closing import print_run  # late: it draws on the report

    print_run(request.results, tables)
    if tables.run.failed_trials:
        typer.echo(describe_failures(tables), err=True)
        sys.exit(FAILED)


def run_command(
    study: StudyArgument = "lab",
    results: ResultsOption = "results",
    lanes: DebuggableLanesOption = None,
    lanes_per_gpu: LanesPerGpuOption = 1,
    exercises: ExercisesOption = "",
    repeats: RepeatsOption = None,
    protocol: ProtocolOption = None,
    fresh: FreshOption = False,
    engine: EngineOption = "auto",
    budget: Annotated[
        str,
        typer.Option(
            "--budget", metavar="TIME", help="Refuse a run that is predicted to take longer, such as `10m`."
        ),
    ] = "",
    data: DataOption = None,
    scheduler: SchedulerOption = "",
    lane_timeout: LaneTimeoutOption = "10m",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show Prefect's log.")] = False,
) -> None:
    """Run a study: train what earlier runs have not trained, then tables, figures, model and report.

    Ctrl-C stops everything within seconds. Finished trainings are kept; the next run continues from there.
    """
    in_process = lanes == 0
    if in_process:
        use_cpu_here()
    asked = {"lanes_per_gpu": lanes_per_gpu, "data_folder": str(data or ""), "fresh": fresh, "budget": budget}
    asked |= {"engine": engine, "scheduler": scheduler, "lane_timeout": lane_timeout}
    # Checked before Prefect starts, so that mistakes are reported at once.
    options = read_options(study, results, exercises, 1 if in_process else lanes, repeats, protocol, **asked)
    request = check_request(options, in_process=in_process)
    exercise_count = count(len(request.study.exercises), "exercise")
    where = f"the lanes of {request.scheduler}"
    if request.devices:
        lane_count = count(len(request.devices), f"{request.devices[0].kind} lane")
        where = f"{'this process' if in_process else lane_count}, {request.engine} engine"
    typer.echo(
        f"study {request.study.name}: {exercise_count} on {where}, results in {request.results.folder}",
        err=True,
    )
    for start in list_interrupted(request.results)[-1:]:
        typer.echo(
            f"run {start.run_id} was interrupted, and `study resume` would continue it; this is a new run, "
            f"which {'trains everything again' if fresh else 'reads its finished trainings'}",
            err=True,
        )
    execute(request)
