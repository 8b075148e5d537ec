"""Options and arguments that several commands share, and all exit codes."""

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
RunArgument = Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run's id. Default: the latest.")]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Folder with the dataset's four files, or a cache's. Default: the cache; empty, it is filled.",
    ),
]
StudyArgument = Annotated[
    str,
    typer.Argument(
        metavar="[STUDY]",
        help=f"A name in `studies/` ({', '.join(list_studies())}) or a path to a YAML file.",
    ),
]
_LANES = "Worker processes. Default: one per GPU, else one per CPU core."
LanesOption = Annotated[int | None, typer.Option("--lanes", metavar="N", help=_LANES)]
DebuggableLanesOption = Annotated[
    int | None,
    typer.Option("--lanes", metavar="N", help=f"{_LANES} 0: train in this process, to debug it."),
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
        help="With --scheduler: longest wait while no lane is there, such as `10m`.",
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
        help="`native` (compiled C++, CPU cores), `tensorflow`, or `auto`: native if possible.",
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
    """Make the parameters of a run from the options of the command line.

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
    """Read numbers of exercises, separated by commas."""
    parts = [part.strip() for part in exercises.split(",") if part.strip()]
    # At most three digits: no exercise has more, and Python refuses to read thousands of digits.
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
    """Prints to the current standard error: the progress bar replaces it, and tests replace and close it."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(self.format(record), err=True)


# Two handlers: a logger takes the same handler only once.
_NEWS = _StandardError()
_NEWS.addFilter(lambda record: record.levelno < logging.WARNING)
_WARNINGS = _StandardError(logging.WARNING)  # on the handler: loggers let INFO pass for Prefect's run log
_WARNINGS.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))


def show_news(of: str) -> None:
    """Print the progress messages of one of our parts, by the name of its logger."""
    part = logging.getLogger(of)
    part.setLevel(logging.INFO)
    part.addHandler(_NEWS)


def show_warnings() -> None:
    """Print the warnings that our packages log."""
    for package in OUR_LOGGERS:
        logging.getLogger(package).addHandler(_WARNINGS)


def configure_prefect(verbose: bool) -> None:
    """Set [tool.prefect] of pyproject.toml for runs from other folders, too; quiet the terminal."""
    if not verbose:
        show_warnings()
        for step in (
            "tasks.data.download",
            "tasks.training.plan",
            "tasks.model.export",
            "tasks.figures.draw",
            "tasks.report.report",
        ):
            show_news(step)  # it measures and predicts; after the last training each step is named
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
    """Let this process train like a CPU lane; call it before anything imports TensorFlow."""
    from tasks.lanes import Device

    os.environ.update(Device("CPU").environment)


FAILED = 1
"""Trials failed, a run stopped early, a step or a part of serving failed, or damage was found."""

BAD_INPUT = 2
"""Wrong input, a run over its budget, or a results folder that cannot be written to or does not answer."""

INTERRUPTED = 130
"""Stopped by Ctrl-C."""

TERMINATED = 143
"""Stopped by SIGTERM."""
