"""Convert the saved model and pictures of images to rows and back: no other row holds them."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError

from storage.results import write_atomically
from storage.tables import ModelRow, PictureRow, RunTables
from study.conclusions import ChosenModel
from study.errors import InputError
from study.spec import NARROWED, Cell, PublishedAverage, Study
from study.status import Published
from study.wording import shortened, shown
from tasks.tables.columns import columns_of

FIRST_NINE, CONFUSED = "first-nine", "confused-pairs"


@dataclass(frozen=True)
class Picture:
    """A PNG with its caption, and its alt text for a screen reader."""

    name: str
    exercise: int
    caption: str
    alt: str
    png: Path


def describe_pictures(study: Study, sheet: Path | None, confused: Path | None = None) -> list[Picture]:
    """List the pictures that were drawn of images, with their words."""
    pictures = []
    if sheet is not None and study.images is not None:
        alt = "The first nine training images, three by three, each with the name of its class."
        words = "The first nine training images; under each its class, and the class's number in brackets."
        pictures.append(Picture(FIRST_NINE, study.images.number, words, alt, sheet))
    if confused is not None and study.model_exercise is not None:
        alt = (
            "The new image, then the pairs of classes confused most often, a row each, with up to six test "
            "images of each pair."
        )
        words = (
            "The new image; below it the pairs of classes confused most often, with the test images that the "
            "model is most surely wrong about. The number under each is its index among the test images."
        )
        pictures.append(Picture(CONFUSED, study.model_exercise.number, words, alt, confused))
    return pictures


def list_models(run_id: str, study: str, chosen: ChosenModel | None) -> list[ModelRow]:
    """Return the row of the table `models`; none if no model was saved."""
    if chosen is None:
        return []
    definition = chosen.model_dump_json()
    return [ModelRow(run_id=run_id, study=study, definition=definition, **columns_of(chosen, ModelRow))]


def read_model(tables: RunTables) -> ChosenModel | None:
    """Return the saved model of a published run; None if none was saved.

    Raises:
        InputError: the row does not describe a model.
    """
    if not tables.models:
        return None
    definition = tables.models[0].definition
    try:
        return ChosenModel.model_validate_json(definition)
    except ValidationError as error:
        raise InputError(
            f"run {tables.run.run_id}: column 'definition' of table `models` holds {shown(definition)}, "
            "which describes no model; run the study again, which is quick as trainings are kept"
        ) from error


def list_pictures(run_id: str, study: str, pictures: Sequence[Picture]) -> list[PictureRow]:
    """Return a row of the table `pictures` for each."""
    return [
        PictureRow(run_id=run_id, study=study, **asdict(each) | {"png": each.png.read_bytes()})
        for each in pictures
    ]


def restore_pictures(tables: RunTables, folder: Path) -> tuple[Picture, ...]:
    """Write the pictures of a published run to files in a folder.

    Raises:
        InputError: a picture's name is no file name.
        OSError: the folder cannot be written to.
    """
    return tuple(
        Picture(
            _checked(row.name),
            row.exercise,
            row.caption,
            row.alt,
            write_atomically(folder / f"{row.name}.png", row.png),
        )
        for row in tables.pictures
    )


def _checked(name: str) -> str:
    # The name comes from a table and must not lead out of the folder.
    if not re.fullmatch(r"[a-z0-9-]{1,64}", name):
        raise InputError(
            f"picture {shown(name)} in table `pictures`: not a name; small letters, digits and hyphens are"
        )
    return name


def read_study_of(tables: RunTables) -> Study:
    """Return the study as a published run ran it.

    Raises:
        InputError: the run's row does not hold a study that this program reads.
    """
    definition = tables.run.study_definition
    try:
        # As narrowed: a run may have only some of a study's exercises.
        return Study.model_validate_json(definition, context=NARROWED)
    except ValidationError as error:
        raise InputError(
            f"run {tables.run.run_id}: column 'study_definition' of table `runs` holds "
            f"{shown(definition)}, which is no study: {shortened(str(error), 200)}; run the study again"
        ) from error


def read_averages_of(tables: RunTables) -> dict[Cell, PublishedAverage]:
    """Return the published averages that a run was compared with, by cell."""
    cells = (row for row in tables.agreement if row.kind == Published.CELL)
    readings = {(row.exercise, row.value): row.published_trials for row in cells}
    return {
        (row.exercise, row.value): PublishedAverage(
            exercise=row.exercise,
            parameter=row.parameter,
            value=row.value,
            readings=readings.get((row.exercise, row.value)),
            accuracy=row.published_accuracy,
            note="",
        )
        for row in tables.summary
        if row.published_accuracy is not None and row.value is not None
    }
