"""The command line `study`: run a study, look at its results, classify an image, get the data, serve."""

import shlex
import sys
import traceback
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from flows.compact_command import compact_command
from flows.compare_command import compare_command
from flows.exit_codes import BAD_INPUT, FAILED, INTERRUPTED, TERMINATED
from flows.lane_command import lane_command
from flows.nights_command import nights_command
from flows.options import (
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
    configure_prefect,
    read_options,
    show_warnings,
    use_cpu_here,
)
from flows.plan_command import plan_command
from flows.predict_command import predict_command
from flows.prune_command import prune_command
from flows.replay_command import replay_command
from flows.report_command import report_command
from flows.resume_command import resume_command
from flows.schema_command import schema_command
from flows.trainings_command import trainings_command
from flows.verify_command import verify_command
from study.errors import InputError, StoreUnreachable
from study.wording import count, printable, shortened

_UsageError: Any = typer.BadParameter.__base__
"""What Typer raises for an unknown option or a missing argument; it exports only this child of it."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Eight lab exercises on a small convolutional network for Fashion-MNIST, as one pipeline.\n\n"
        "Start with `study run smoke` (a minute) or `study run` (the whole lab study), "
        "then `study show` and open the report it names. `study plan` says what a run will cost.\n\n"
        f"Exit codes: 0 done, {FAILED} done with failed trials, a step failed, damage found or a fault of "
        f"the program, {BAD_INPUT} wrong input, over budget or a full disk, {INTERRUPTED} stopped by Ctrl-C, "
        f"{TERMINATED} by SIGTERM."
    ),
)


@dataclass
class Invocation:
    """What was asked of all commands alike."""

    debug: bool = False


@app.callback()
def configure(
    context: typer.Context,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show where an error came from, as a traceback: `study --debug run …`."),
    ] = False,
) -> None:
    """Take the options that stand before the command."""
    context.obj.debug = debug


app.command("plan")(plan_command)
app.command("resume")(resume_command)
app.command("prune")(prune_command)
app.command("nights")(nights_command)
app.command("predict")(predict_command)
app.command("report")(report_command)
app.command("compare")(compare_command)
app.command("schema")(schema_command)
app.command("verify")(verify_command)
app.command("compact")(compact_command)
app.command("replay")(replay_command)
app.command("lane")(lane_command)
app.command("trainings")(trainings_command)


@app.command("run")
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
        typer.Option("--budget", metavar="TIME", help="Refuse if predicted to take longer, such as `10m`."),
    ] = "",
    data: DataOption = None,
    scheduler: SchedulerOption = "",
    lane_timeout: LaneTimeoutOption = "10m",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show Prefect's log.")] = False,
) -> None:
    """Run a study: train what earlier runs have not trained, then tables, figures, model and report.

    Ctrl-C stops everything within seconds; finished trainings are kept, and running again goes on from there.
    """
    configure_prefect(verbose)
    in_process = lanes == 0
    if in_process:
        use_cpu_here()
    from flows.execute import execute
    from flows.request import check_request
    from storage.run_starts import list_interrupted

    asked = {"lanes_per_gpu": lanes_per_gpu, "data_folder": str(data or ""), "fresh": fresh, "budget": budget}
    asked |= {"engine": engine, "scheduler": scheduler, "lane_timeout": lane_timeout}
    # Checked before Prefect starts, so that a mistake is answered at once.
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
            f"run {start.run_id} was interrupted: `study resume` would go on with it; this is a new run, "
            f"which {'trains everything again' if fresh else 'reads what that one has finished'}",
            err=True,
        )
    execute(request)


@app.command("show")
def show_command(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id. Default: the latest.")
    ] = None,
    results: ResultsOption = "results",
) -> None:
    """Show the summary of a run as a table."""
    show_warnings()
    from flows.summary_table import print_summary
    from storage.place import results_at
    from storage.tables import read_run

    place = results_at(results)
    frames = read_run(place, run)
    print_summary(frames)
    typer.echo(f"report: {place.report(str(frames.run.run_id))}")


@app.command("data")
def data_command(data: DataOption = None) -> None:
    """Get the dataset, verify it and keep it in the cache."""
    show_warnings()
    from tasks.dataset import load_dataset

    dataset = load_dataset(data)
    typer.echo(
        f"Fashion-MNIST from {dataset.source}, verified: {dataset.train_count} training and "
        f"{dataset.test_count} test images\nin {dataset.folder}"
    )


@app.command("serve")
def serve_command(
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=1, max=65535, help="Port for server and UI.")
    ] = 4200,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Address to listen on; one that other machines reach needs a password, see the message.",
        ),
    ] = "127.0.0.1",
) -> None:
    """Start Prefect's server with its UI, the schedule and a worker, on this machine; Ctrl-C stops all."""
    configure_prefect(verbose=True)
    from flows.serve import PartFailed, serve

    try:
        serve(port, host)
    except PartFailed as failed:
        typer.echo(f"study: {failed}", err=True)
        raise typer.Exit(FAILED) from failed


def main() -> None:
    """Run the command line; whatever goes wrong is one message, with a traceback only after `--debug`.

    Wrong input, to the command line too, exits with 2; what nobody foresaw with 1.
    """
    invocation = Invocation()
    try:
        sys.exit(app(prog_name="study", obj=invocation, standalone_mode=False))
    except InputError as error:
        _fail(invocation, str(error), BAD_INPUT)
    except StoreUnreachable as error:
        asked = (
            f"{error.filename}: {error.strerror}; try again once it answers, nothing that was kept is lost"
        )
        _fail(invocation, asked, BAD_INPUT)
    except _UsageError as error:
        _fail(invocation, _describe_usage(error), BAD_INPUT)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        what = shortened(f"{type(error).__name__}: {error}", 500)
        fault = f"{what}; this is a fault of the program or the machine: `study --debug …` shows where"
        _fail(invocation, fault, FAILED)


def _fail(invocation: Invocation, message: str, code: int) -> None:
    if invocation.debug:
        traceback.print_exc()
    if message:
        typer.echo(f"study: {printable(message)}", err=True)
    sys.exit(code)


def _describe_usage(error: Any) -> str:
    """What is wrong with the command line and what it was; nothing where its help was shown instead."""
    message = shortened(error.format_message(), 500).rstrip(".")
    command = error.ctx.command_path if error.ctx else "study"
    given = shortened(shlex.join(["study", *sys.argv[1:]]), 200)
    return f"{message}; given: {given}; `{command} --help` shows what is allowed" if message else ""
