"""Options and arguments that several commands share, and the exit codes of all."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.serving.temporary import NO_TELEMETRY
from study.errors import InputError
from study.spec import is_path, list_studies
from study.wording import shown

if TYPE_CHECKING:
    from flows.prepare import RunParameters

OUR_LOGGERS = ("flows", "tasks", "storage", "study")

ResultsOption = Annotated[
    str,
    typer.Option(
        "--results",
        metavar="DIR",
        help="Folder for tables, figures, model, report and cache, or an address such as s3://bucket/prefix.",
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Folder with the dataset's four files. Default: the cache, else it is fetched.",
    ),
]
StudyArgument = Annotated[
    str,
    typer.Argument(
        metavar="[STUDY]",
        help=f"A name in `studies/` ({', '.join(list_studies())}) or a path to a YAML file.",
    ),
]
LanesOption = Annotated[
    int | None,
    typer.Option("--lanes", metavar="N", help="Worker processes. Default: one a GPU, else one a CPU core."),
]
DebuggableLanesOption = Annotated[
    int | None,
    typer.Option(
        "--lanes",
        metavar="N",
        help="Worker processes. Default: one a GPU, else one a CPU core. 0: none, train in this process, to "
        "debug it.",
    ),
]
SchedulerOption = Annotated[
    str,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Train on the lanes of a Dask scheduler elsewhere, such as `tls://host:8786`: docs/cluster.md.",
    ),
]
LaneTimeoutOption = Annotated[
    str,
    typer.Option(
        "--lane-timeout",
        metavar="TIME",
        help="With --scheduler: how long to wait while no lane is there, such as `10m`.",
    ),
]
LanesPerGpuOption = Annotated[int, typer.Option("--lanes-per-gpu", metavar="N", help="Lanes on each GPU.")]
ExercisesOption = Annotated[
    str, typer.Option("--exercises", metavar="N,N", help="Only these exercises, such as `2,5`.")
]
RepeatsOption = Annotated[
    int | None,
    typer.Option("--repeats", metavar="N", help="Repeats of each setting. Default: as the study says."),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option("--protocol", metavar="NAME", help="`lab` or `held-out`. Default: as the study says."),
]
EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="`native` (compiled C++, CPU cores), `tensorflow`, or `auto`: native where it can be used.",
    ),
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Train again what earlier runs have trained.")]


def read_options(
    study: str,
    results: str,
    exercises: str = "",
    lanes: int | None = None,
    repeats: int | None = None,
    protocol: str | None = None,
    **others: object,
) -> "RunParameters":
    """The parameters of a run as they were given on the command line.

    Args:
        study: A study's name, or a path to its file.
        results: The results folder, or its address.
        exercises: Numbers separated by commas.
        lanes: How many; None for one on each device.
        repeats: Of each setting; None for as the study says.
        protocol: Its name; None for the study's.
        others: Further parameters, as they are.

    Raises:
        InputError: one is not allowed.
    """
    from flows.prepare import read_parameters

    if lanes is not None and lanes < 1:
        raise InputError(f"--lanes: {lanes} is not allowed; give 1 or more, or leave it out")
    if repeats is not None and repeats < 1:
        raise InputError(f"--repeats: {repeats} is not allowed; give 1 or more, or leave it out")
    given = {"study_file" if is_path(study) else "study": study, "results": results, **others}
    given |= {"exercises": _read_numbers(exercises), "lanes": lanes or 0, "repeats": repeats or 0}
    return read_parameters(given if protocol is None else {**given, "protocol": protocol})


def _read_numbers(exercises: str) -> tuple[int, ...]:
    """Numbers of exercises, separated by commas."""
    parts = [part.strip() for part in exercises.split(",") if part.strip()]
    # Of three digits at most: none has more, and Python refuses to read thousands of them.
    wrong = [part for part in parts if not (part.isdecimal() and len(part) <= 3)]
    if exercises and not parts:
        wrong = [exercises]
    if wrong:
        raise InputError(
            f"--exercises: {shown(wrong[0])} is not a number of an exercise; "
            "give numbers with commas, such as 2,5"
        )
    return tuple(int(part) for part in parts)


class _StandardError(logging.Handler):
    """Prints to what is standard error by then: the progress bar replaces it; so do tests, which close it."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(self.format(record), err=True)


# One each, as a logger takes the same handler only once.
_NEWS = _StandardError()
_NEWS.addFilter(lambda record: record.levelno < logging.WARNING)
_WARNINGS = _StandardError(logging.WARNING)  # on the handler: the loggers let INFO pass for Prefect's run log
_WARNINGS.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))


def show_news(of: str) -> None:
    """Print what a part of ours says on the way, by the name of its logger."""
    part = logging.getLogger(of)
    part.setLevel(logging.INFO)
    part.addHandler(_NEWS)


def show_warnings() -> None:
    """Print the warnings that our packages log."""
    for package in OUR_LOGGERS:
        logging.getLogger(package).addHandler(_WARNINGS)


def configure_prefect(verbose: bool) -> None:
    """Set what [tool.prefect] in pyproject.toml sets, for runs from other folders; quiet the terminal."""
    if not verbose:
        show_warnings()
        show_news("tasks.training.plan")  # that it measures, and what it predicts
    defaults = {
        **NO_TELEMETRY,
        "PREFECT_LOGGING_EXTRA_LOGGERS": ",".join(OUR_LOGGERS),
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PREFECT_LOGGING_INTERNAL_LEVEL": "ERROR" if verbose else "CRITICAL",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO" if verbose else "CRITICAL",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def use_cpu_here() -> None:
    """Let this process train as a CPU lane does; before anything imports TensorFlow."""
    from tasks.lanes import Device

    os.environ.update(Device("CPU").environment)


FAILED = 1
"""A run with failed trials or that stopped early, a step or a part of serving that failed, damage found."""

BAD_INPUT = 2
"""Input to mend, a run over its budget, or a results folder that takes nothing or does not answer."""

INTERRUPTED = 130
"""Stopped by Ctrl-C."""

TERMINATED = 143
"""Stopped by SIGTERM."""
