"""The command `study predict`: classify files and folders of pictures with a saved model."""

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.options import BAD_INPUT, FAILED
from study.errors import InputError
from study.fashion_mnist import FASHION_IMAGES
from study.wording import count, printable, shown_path
from tasks.data import list_pictures
from tasks.model import (
    Classifier,
    InputScale,
    Prediction,
    Unreadable,
    find_calibration,
    find_model,
    find_unreadable,
    load_model,
    write_overlay,
)


def list_columns(classes: int = FASHION_IMAGES.classes) -> tuple[str, ...]:
    """List the columns of JSON and CSV."""
    first = ("path", "class_index", "class_name", "probability", "sure", "inverted")
    return (*first, *(f"probability_{index}" for index in range(classes)), "error", "doubt")


COLUMNS = list_columns()
"""Those for Fashion-MNIST."""


def predict_command(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="A saved Keras model, or the folder of a run."),
    ],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Pictures, and folders with all below them.")
    ],
    top: Annotated[
        int, typer.Option("--top", metavar="K", min=1, max=10, help="Classes to list for each picture.")
    ] = 3,
    sure: Annotated[
        float,
        typer.Option("--sure", metavar="FRACTION", help="Below this probability the answer is *not sure*."),
    ] = 0.8,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
    input_scale: Annotated[
        InputScale,
        typer.Option("--input-scale", help="Pixels that the model takes; `auto` tries both."),
    ] = InputScale.AUTO,
    overlay: Annotated[
        Path | None,
        typer.Option("--overlay", metavar="FOLDER", help="Write copies with the answer drawn under them."),
    ] = None,
) -> None:
    """Classify pictures with a saved model.

    Pictures may have any size, in colour or grey, and any name; margins and axes around them are cut off. A
    picture with a light background is inverted, because the training images are bright on black; the answer
    says so. If several things or nothing stands out, the answer is not sure. Probabilities are softened by
    `model.json` next to the model: of the pictures called 80% about 80% are right, if they are like the
    dataset's. docs/predict.md shows how well it does on others.

    Examples: `study predict model.keras boot.jpg`; `study predict model.keras photos --csv > answers.csv`;
    `study predict model.keras photos/*.png --overlay answers`.

    A picture that cannot be read is reported by name, and the others are classified. The exit code is then 1,
    or 2 if no picture can be read.
    """
    _check(sure, as_json, as_csv)
    listing = list_pictures(images, overlay)
    if rest := listing.describe_rest():
        typer.echo(f"study: {rest}", err=True)
    file = find_model(model)
    calibration = find_calibration(file)
    softened_by = None if isinstance(calibration, str) else calibration
    if softened_by and input_scale is InputScale.AUTO:
        input_scale = InputScale.UNIT  # an exported model takes both
    found: Sequence[Prediction | Unreadable] = find_unreadable(listing.pictures)
    if not found:  # loading the model takes seconds
        loaded = load_model(file, input_scale)
        found = Classifier(loaded, softened_by, loaded.images).classify(listing.pictures)
    unreadable = [each for each in found if isinstance(each, Unreadable)]
    if overlay is not None:
        originals = {each.path.absolute() for each in found}
        for number, each in enumerate(found, start=1):
            if isinstance(each, Prediction):
                write_overlay(each, number, overlay, sure, originals)
    _print(found, sure, top, as_json, as_csv)
    if isinstance(calibration, str) and len(unreadable) < len(found):
        reason = printable("; ".join(filter(None, (calibration, loaded.outputs))))
        typer.echo(f"WARNING: probabilities are not calibrated, most are too sure: {reason}", err=True)
        if loaded.reason:
            fed = f"pixels {loaded.scale}: {loaded.reason}; --input-scale decides"
            typer.echo(f"WARNING: the model was given {printable(fed)}", err=True)
    if unreadable:
        raise typer.Exit(_report_unreadable(unreadable, len(found)))


def describe_prediction(prediction: Prediction, sure: float, top: int) -> str:
    """Return lines for a terminal: file and class, then the likeliest classes by falling probability."""
    doubt = prediction.find_doubt(sure)
    answer = f"{prediction.class_name} ({prediction.class_index}){doubt and f', but not sure: {doubt}'}"
    lines = [f"{shown_path(prediction.path)}: {answer}"]
    if prediction.inverted:
        lines.append(
            "  the background looked light, so the image was inverted (training images are light on black)"
        )
    ranked = sorted(
        zip(prediction.probabilities, prediction.class_names, strict=True), key=lambda pair: -pair[0]
    )
    lines += [f"  {probability:6.1%}  {name}" for probability, name in ranked[:top]]
    return "\n".join(lines)


def row_of(
    found: Prediction | Unreadable, sure: float, classes: int = FASHION_IMAGES.classes
) -> dict[str, Any]:
    """Return a row of the JSON and the CSV, by column; only path and error if the picture is unreadable."""
    columns = list_columns(classes)
    path = shown_path(found.path)
    if isinstance(found, Unreadable):
        return dict.fromkeys(columns) | {"path": path, "error": found.reason}
    doubt = found.find_doubt(sure)
    answer = (found.class_index, found.class_name, found.probability, not doubt, found.inverted)
    return dict(zip(columns, (path, *answer, *found.probabilities, None, doubt or None), strict=True))


def _check(sure: float, as_json: bool, as_csv: bool) -> None:
    if not 0 <= sure <= 1:  # this refuses NaN, too
        raise InputError(f"--sure: {sure:g} is not allowed; give a fraction from 0 to 1, such as 0.8")
    if as_json and as_csv:
        raise InputError("--json and --csv: both were given; give one of them")


def _print(
    found: Sequence[Prediction | Unreadable], sure: float, top: int, as_json: bool, as_csv: bool
) -> None:
    numbers = [len(each.probabilities) for each in found if isinstance(each, Prediction)]
    rows = [row_of(each, sure, *numbers[:1]) for each in found]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
    elif as_csv:
        typer.echo(_format_csv(rows), nl=False)
    else:
        for each in found:
            if isinstance(each, Prediction):
                typer.echo(describe_prediction(each, sure, top))


def _format_csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    written = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    written.writeheader()
    written.writerows(rows)
    if text.getvalue().isascii():
        return text.getvalue()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    return f"\ufeff{text.getvalue()}"  # without it Excel reads the names in the machine's old character set


def _report_unreadable(unreadable: Sequence[Unreadable], total: int) -> int:
    """Name each picture that cannot be read; return the exit code."""
    for each in unreadable:
        typer.echo(f"study: {printable(each.reason)}", err=True)
    if len(unreadable) == total:
        return BAD_INPUT
    typer.echo(f"study: {count(len(unreadable), 'picture')} of {total:,} could not be read", err=True)
    return FAILED
