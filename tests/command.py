"""The command `study`, called in this process: quicker by a program's start, and a debugger stops in it.

What tests the program itself (signals, its terminal, what is left when it is killed) starts it as one.
"""

import gc
import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from contextvars import copy_context
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import TaskRun
from prefect.context import refresh_global_settings_context

from flows.cli.main import main
from flows.cli.options import OUR_LOGGERS
from tasks.environment import LAST_SIGNALS
from tests.waiting import wait_until

environment_of_commands: dict[str, str] = {}
"""By which commands and flows of this process find its Prefect server; the fixture `server` fills it."""

STUDY = Path(sys.executable).with_name("study")


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


def study(*arguments: object, folder: Path | None = None) -> Ended:
    """Call `study` with these arguments in a folder (by default the current one); it changes nothing here."""
    out, err = StringIO(), StringIO()
    line = ["study", *map(str, arguments)]
    with (
        _unchanged(),
        using_server(),
        chdir(folder or Path.cwd()),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = copy_context().run(_call, line)
    return Ended(code, out.getvalue(), err.getvalue())


def run_study(*arguments: object, folder: Path | None = None) -> Ended:
    """Call `study run`, which trains in this process; for tests with the fixture `server`."""
    return study("run", *arguments, "--lanes", 0, folder=folder)


def _call(line: list[str]) -> int:
    with patch.object(sys, "argv", line):
        try:
            main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
    raise AssertionError("a command ends by SystemExit")


def ended_task_runs(**filters: Any) -> list[TaskRun]:
    """The task runs that pass these filters, once Prefect's server has written down that they ended."""

    def look() -> list[TaskRun]:
        with get_client(sync_client=True) as client:
            found = client.read_task_runs(**filters)
        return found if all(each.state and each.state.is_final() for each in found) else []

    return wait_until(look)


@contextmanager
def using_server() -> Iterator[None]:
    """Let Prefect in this process use the server of the fixture `server`, if there is one."""
    if not environment_of_commands:
        yield
        return
    try:
        with patch.dict(os.environ, environment_of_commands):
            refresh_global_settings_context()
            yield
    finally:
        refresh_global_settings_context()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()  # Prefect's clients leave their connections to the garbage collector


@contextmanager
def _unchanged() -> Iterator[None]:
    """Put back what a command changes of its process: environment, signals and loggers."""
    loggers = [logging.getLogger(name) for name in (*OUR_LOGGERS, "tasks.training.plan")]
    before = [(each, each.level, list(each.handlers)) for each in loggers]
    handlers_before = [(each, signal.getsignal(each)) for each in LAST_SIGNALS]
    with patch.dict(os.environ), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a program prints them at most, and the tests make them errors
        try:
            yield
        finally:
            for number, handler in handlers_before:
                signal.signal(number, handler)
            for logger, level, handlers in before:
                logger.setLevel(level)
                logger.handlers[:] = handlers
