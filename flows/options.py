"""Options and arguments that several commands share, and how they are checked."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from study.errors import InputError
from study.study_file import list_studies
from study.wording import shown

OUR_LOGGERS = ("flows", "tasks", "storage", "study")
NO_TELEMETRY = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
"""Prefect's server and its pages report no use by the first, its client none by the second."""

ResultsOption = Annotated[
    Path,
    typer.Option("--results", metavar="DIR", help="Folder for tables, figures, model, report and cache."),
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
LanesPerGpuOption = Annotated[int, typer.Option("--lanes-per-gpu", metavar="N", help="Lanes on each GPU.")]
ExercisesOption = Annotated[
    str, typer.Option("--exercises", metavar="N,N", help="Only these exercises, such as `2,5`.")
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Train again what earlier runs have trained.")]


def check_lanes(lanes: int | None) -> None:
    """Refuse a number of lanes below 1.

    Raises:
        InputError: it is.
    """
    if lanes is not None and lanes < 1:
        raise InputError(f"--lanes: {lanes} is not allowed; give 1 or more, or leave it out")


def read_numbers(exercises: str) -> tuple[int, ...]:
    """Numbers of exercises, separated by commas.

    Raises:
        InputError: one is not a number, or there is none between the commas.
    """
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


def show_forecast() -> None:
    """Print what planning says on the way: that it measures, and what it predicts."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(lambda record: record.levelno < logging.WARNING)
    planning = logging.getLogger("tasks.plan_study")
    planning.setLevel(logging.INFO)
    planning.addHandler(handler)


def show_warnings() -> None:
    """Print the warnings that our packages log."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)  # on the handler: the loggers let INFO pass for Prefect's run log
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    for package in OUR_LOGGERS:
        logging.getLogger(package).addHandler(handler)


def configure_prefect(verbose: bool) -> None:
    """Set what [tool.prefect] in pyproject.toml sets, for runs from other folders; quiet the terminal."""
    if not verbose:
        show_warnings()
        show_forecast()
    defaults = {
        **NO_TELEMETRY,
        "PREFECT_LOGGING_EXTRA_LOGGERS": ",".join(OUR_LOGGERS),
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PREFECT_LOGGING_INTERNAL_LEVEL": "ERROR" if verbose else "CRITICAL",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO" if verbose else "CRITICAL",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
