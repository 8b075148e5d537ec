"""The command line `study`: its commands, each imported when it is called, and its messages of errors."""

import importlib
import shlex
import sys
import traceback
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from flows.cli.options import BAD_INPUT, FAILED, INTERRUPTED, TERMINATED, configure_prefect
from study.errors import InputError, StoreUnreachable
from study.wording import printable, shortened

COMMANDS = {
    "run": (
        "run",
        "Run a study: train what earlier runs have not trained, then tables, figures, model and report.",
    ),
    "plan": ("plan", "Say what a run would train and what it would cost; train nothing."),
    "resume": ("run", "Resume an interrupted run, as it was started."),
    "show": ("results", "Show the summary of a run as a table."),
    "report": ("results", "Write the report of a run again, from its Parquet tables alone."),
    "nights": ("results", "List the nights: the runs that trained everything fresh, newest last."),
    "compare": (
        "results",
        "Compare two runs, or a run with a published table, setting by setting; exit code 1 if any differs.",
    ),
    "replay": (
        "replay",
        "Train rows of a published run again, from their columns alone, and compare weights and readings.",
    ),
    "predict": ("predict", "Classify pictures with a saved model."),
    "serve": (
        "machine",
        "Start Prefect's server with its UI, the schedule and a worker, on this machine; Ctrl-C stops all.",
    ),
    "lane": (
        "machine",
        "Start this machine's lanes for `study run --scheduler ADDRESS` elsewhere; Ctrl-C stops them.",
    ),
    "data": ("machine", "Get the dataset, verify it and keep it in the cache."),
    "trainings": (
        "upkeep",
        "List the kept trainings: key, what was trained, epochs, accuracy, run and size.",
    ),
    "verify": (
        "upkeep",
        "Check every published table, the history and every kept training; exit 1 if one is damaged.",
    ),
    "prune": (
        "upkeep",
        "Remove old runs: their rows, reports, figures and models, and the trainings that only they read.",
    ),
    "compact": (
        "upkeep",
        "Bring `history` up to date: the tables of all published runs, a file a month and table.",
    ),
    "schema": (
        "schema",
        "Print the published tables as Markdown: what a row is, each column's type, unit and meaning.",
    ),
}
"""Module in this room and summary of each command; its function there is `NAME_command`."""

_UsageError: Any = typer.BadParameter.__base__
"""Typer raises it for an unknown option or a missing argument, but exports only this child of it."""

_HELP = {"help_option_names": ["-h", "--help"]}


class Commands(TyperGroup):
    """The commands, each imported when it is called: `study --help` imports none."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of a name; None if the name is unknown."""
        if cmd_name not in COMMANDS or cmd_name in self.commands:
            return self.commands.get(cmd_name)
        # Before any import of Prefect, which reads its settings then.
        configure_prefect(verbose=cmd_name == "serve" or not {"--verbose", "-v"}.isdisjoint(sys.argv))
        module = importlib.import_module(f"flows.cli.{COMMANDS[cmd_name][0]}")
        alone = typer.Typer(add_completion=False, rich_markup_mode="markdown", context_settings=_HELP)
        alone.command(cmd_name)(getattr(module, f"{cmd_name}_command"))
        return typer.main.get_command(alone)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help from the summaries."""
        self.commands = {name: TyperCommand(name, help=summary) for name, (_, summary) in COMMANDS.items()}
        super().format_help(ctx, formatter)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings=_HELP,
    help=(
        "Eight lab exercises on a small convolutional network for Fashion-MNIST, as one pipeline.\n\n"
        "Start with `study run smoke` (a minute) or `study run` (the whole lab study), "
        "then `study show` and open the report it names. `study plan` predicts the cost of a run.\n\n"
        f"Exit codes: 0 done, {FAILED} done with failed trials, a step failed, damage found or a fault of "
        f"the program, {BAD_INPUT} wrong input, over budget or a full disk, {INTERRUPTED} stopped by Ctrl-C, "
        f"{TERMINATED} by SIGTERM."
    ),
)


@dataclass
class Invocation:
    """The options of all commands."""

    debug: bool = False


@app.callback()
def configure(
    context: typer.Context,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show the traceback of an error: `study --debug run …`."),
    ] = False,
) -> None:
    """Read the options before the command."""
    context.obj.debug = debug


def main() -> None:
    """Run the command line; print each error as one message, with a traceback only after `--debug`.

    Wrong input, also on the command line, exits with 2; an unforeseen error exits with 1.
    """
    invocation = Invocation()
    try:
        sys.exit(app(prog_name="study", obj=invocation, standalone_mode=False))
    except InputError as error:
        _fail(invocation, str(error), BAD_INPUT)
    except StoreUnreachable as error:
        asked = f"{error.filename}: {error.strerror}; try again once it answers; all kept results are safe"
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
    """Say what is wrong with the command line and repeat it; empty if its help was shown instead."""
    message = shortened(error.format_message(), 500).rstrip(".")
    command = error.ctx.command_path if error.ctx else "study"
    given = shortened(shlex.join(["study", *sys.argv[1:]]), 200)
    return f"{message}; given: {given}; `{command} --help` shows what is allowed" if message else ""
