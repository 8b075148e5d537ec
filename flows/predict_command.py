"""The command `study predict`: classify files, folders and patterns of pictures with a saved model."""

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.exit_codes import FAILED
from flows.options import show_warnings
from study.errors import InputError
from study.wording import count, duration, printable

if TYPE_CHECKING:
    from tasks.classify import Prediction, Unreadable
    from tasks.given_pictures import GivenPicture

MANY = 100
"""Pictures from which it is said how fast they were classified."""

_LINE_SECONDS = 5.0
"""Between two lines that say how far it is."""


@dataclass(frozen=True)
class Wanted:
    """How predictions are to be given."""

    sure: float
    top: int
    as_json: bool
    as_csv: bool
    parquet: Path | None
    overlay: Path | None
    rows: list[dict[str, Any]] = field(default_factory=list)
    """What goes into the Parquet file."""


def predict_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A saved model: `.keras` or `.h5`.")],
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Pictures, folders with all below them, or quoted patterns."),
    ],
    top: Annotated[
        int, typer.Option("--top", metavar="K", min=1, max=10, help="Classes to list for each picture.")
    ] = 3,
    sure: Annotated[
        float, typer.Option("--sure", metavar="FRACTION", help="Below this probability it says *not sure*.")
    ] = 0.6,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
    parquet: Annotated[
        Path | None, typer.Option("--parquet", metavar="FILE", help="Write a Parquet file, too.")
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option("--overlay", metavar="FOLDER", help="Write copies with the answer drawn under them."),
    ] = None,
) -> None:
    """Classify pictures with a saved model.

    Any size, colour or grey. A light background is detected and the picture inverted, as the training images
    are bright on black; the answer says so. Probabilities are softened as `model.json` beside the model says,
    so that of the pictures called 80% about 80% are right, if they are like the dataset's; docs/predict.md
    says how well it does on others.

    Examples: `study predict model.keras boot.jpg`; `study predict model.keras photos --csv > answers.csv`;
    `study predict model.keras 'photos/**/*.png' --overlay answers`.

    A file of a folder or pattern that cannot be read is told, the others are classified, and the exit code is
    1; one that was named itself is wrong input, exit code 2.
    """
    show_warnings()
    wanted = _check(Wanted(sure, top, as_json, as_csv, parquet, overlay))
    from tasks.classify import Classifier
    from tasks.given_pictures import list_pictures
    from tasks.model_calibration import find_calibration
    from tasks.saved_model import load_model

    pictures = list_pictures(images, None if overlay is None else overlay.absolute())
    calibration = find_calibration(model)
    softened_by = None if isinstance(calibration, str) else calibration
    classifier = Classifier(load_model(model), softened_by, model)
    started = time.perf_counter()
    unreadable = _answer(_tell_progress(classifier.classify(pictures), len(pictures)), pictures, wanted)
    _tell_speed(len(pictures), time.perf_counter() - started)
    if isinstance(calibration, str):
        reason = printable(calibration)
        typer.echo(f"WARNING: probabilities are not calibrated, most are too sure: {reason}", err=True)
    if unreadable:
        typer.echo(f"study: {count(unreadable, 'picture')} of {len(pictures):,} could not be read", err=True)
        raise typer.Exit(FAILED)


def _check(wanted: Wanted) -> Wanted:
    if not 0 <= wanted.sure <= 1:  # not a number either
        raise InputError(f"--sure: {wanted.sure:g} is not allowed; give a fraction from 0 to 1, such as 0.6")
    if wanted.as_json and wanted.as_csv:
        raise InputError("--json and --csv: both were given; give one of them")
    if wanted.parquet is not None and wanted.parquet.is_dir():
        raise InputError(f"--parquet: {wanted.parquet} is a folder; give a file, such as answers.parquet")
    return wanted


def _answer(
    found: Iterable["Prediction | Unreadable"], pictures: list["GivenPicture"], wanted: Wanted
) -> int:
    """Print and write what was found, as it comes; return how many pictures could not be read."""
    from tasks.classify import Unreadable
    from tasks.prediction_output import as_csv, as_json, describe_prediction, row_of

    originals = {picture.path.absolute() for picture in pictures} if wanted.overlay else set()
    unreadable = 0

    def seen() -> Iterator["Prediction | Unreadable"]:
        nonlocal unreadable
        for number, each in enumerate(found, start=1):
            if isinstance(each, Unreadable):
                unreadable += 1
                typer.echo(f"study: {printable(each.reason)}", err=True)
            elif wanted.overlay is not None:
                from tasks.overlay import write_overlay

                write_overlay(each, number, wanted.overlay, wanted.sure, originals)
            if wanted.parquet is not None:
                wanted.rows.append(row_of(each, wanted.sure))
            yield each

    form: Callable[..., Iterator[str]] | None = (
        as_json if wanted.as_json else as_csv if wanted.as_csv else None
    )
    if form is not None:
        lines = form(row_of(each, wanted.sure) for each in seen())
    else:
        read = (each for each in seen() if not isinstance(each, Unreadable))
        lines = (describe_prediction(each, wanted.sure, wanted.top) for each in read)
    for line in lines:
        typer.echo(line)
    _write_parquet(wanted)
    return unreadable


def _write_parquet(wanted: Wanted) -> None:
    if wanted.parquet is None:
        return
    from storage.predictions import write_predictions

    try:
        write_predictions(wanted.parquet, wanted.rows)
    except OSError as error:
        raise InputError(
            f"--parquet: {wanted.parquet} cannot be written ({error.strerror}); give another file"
        ) from error


def _tell_progress(
    found: Iterable["Prediction | Unreadable"], total: int
) -> Iterator["Prediction | Unreadable"]:
    """Pass on what is found; say on standard error, every few seconds, how far it is and what remains."""
    started = last = time.monotonic()
    for done, each in enumerate(found, start=1):
        yield each
        now = time.monotonic()
        if now - last >= _LINE_SECONDS and done < total:
            last, left = now, (now - started) / done * (total - done)
            typer.echo(f"{done:,} of {total:,} pictures, about {duration(left)} remaining", err=True)


def _tell_speed(pictures: int, seconds: float) -> None:
    if pictures >= MANY:
        rate = pictures / max(seconds, 1e-9)
        sys.stdout.flush()
        typer.echo(f"{pictures:,} pictures in {duration(seconds)}: {math.floor(rate):,} a second", err=True)
