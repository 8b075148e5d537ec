"""The command line `study`: its commands, each imported when it is called, and its messages of errors."""

import ast
import importlib
import shlex
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from flows.cli.options import BAD_INPUT, FAILED, INTERRUPTED, TERMINATED, configure_prefect
from study.errors import InputError, StoreUnreachable
from study.wording import printable, shortened
from tasks.environment import check_folders, prepare_program

COMMANDS = {
    "run": "run",
    "plan": "plan",
    "resume": "run",
    **dict.fromkeys(("show", "report", "nights", "compare"), "results"),
    "replay": "replay",
    "predict": "predict",
    **dict.fromkeys(("serve", "lane", "data"), "machine"),
    **dict.fromkeys(("trainings", "verify", "prune", "compact"), "upkeep"),
    "schema": "schema",
}
"""Each command's module in this room, in the order of their use; its function there is `NAME_command`."""

WRITING = ("run", "resume", "replay", "serve")
"""Commands that need Prefect's home and the dataset's cache."""

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
        # Before any import of Prefect, which reads its settings and folders then.
        if cmd_name in WRITING:
            check_folders()
        configure_prefect(verbose=cmd_name == "serve" or not {"--verbose", "-v"}.isdisjoint(sys.argv))
        module = importlib.import_module(f"flows.cli.{COMMANDS[cmd_name]}")
        alone = typer.Typer(add_completion=False, rich_markup_mode="markdown", context_settings=_HELP)
        alone.command(cmd_name)(getattr(module, f"{cmd_name}_command"))
        return typer.main.get_command(alone)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help from the first paragraph of each command's docstring."""
        self.commands = {name: TyperCommand(name, help=summarise(name)) for name in COMMANDS}
        super().format_help(ctx, formatter)


def summarise(command: str) -> str:
    """Return the first paragraph of a command's docstring, without an import of its module."""
    module = ast.parse(Path(__file__).with_name(f"{COMMANDS[command]}.py").read_text(encoding="utf-8"))
    (function,) = (each for each in module.body if getattr(each, "name", "") == f"{command}_command")
    assert isinstance(function, ast.FunctionDef)
    return (ast.get_docstring(function) or "").partition("\n\n")[0].replace("\n", " ")


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
        "Prefect's database of runs is in ~/.local/share/fashion-mnist-study/prefect; `PREFECT_HOME` names "
        "another folder, `PREFECT_API_URL` another server: docs/serving.md.\n\n"
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
        bool, typer.Option("--debug", help="Show the traceback of an error: `study --debug run …`.")
    ] = False,
) -> None:
    """Read the options before the command."""
    context.obj.debug = debug


def main() -> None:
    """Run the command line; print each error as one message, with a traceback only after `--debug`.

    Wrong input, also on the command line, exits with 2; an unforeseen error exits with 1.
    """
    prepare_program()
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
