"""Read the published averages and readings of a study, from files next to its YAML.

The files have accuracies in percent, as printed in the lab report.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, PositiveFloat

from study.errors import InputError
from study.fact import Fact
from study.spec.bands import Band, Cell, Points
from study.spec.claims import Claim
from study.table_file import TableLine, read_table
from study.wording import shown

_ACCURACY = "accuracy_pct"


@dataclass(frozen=True)
class PublishedAverage:
    """One printed average: accuracy (fraction) over `readings` readings (None: the report does not say)."""

    exercise: int
    parameter: str
    value: float
    readings: int | None
    accuracy: float
    note: str

    @property
    def cell(self) -> Cell:
        """Return the cell that it is of."""
        return self.exercise, self.value


class PublishedSource(Fact):
    """The place of a study's published values: files next to its YAML, and bands stated in it."""

    averages: Path
    readings: Path | None = None
    bands: tuple[Band, ...] = ()
    claims: tuple[Claim, ...] = ()
    margin: Points[PositiveFloat] = Field(
        0.5,
        validate_default=True,
        description="points within which our mean and a published one are taken to agree",
    )
    deviation: Points[PositiveFloat] | None = Field(
        None,
        description="standard deviation of one reading, points, where a cell's own readings are not given; "
        "default: pooled over those that are",
    )
    explanation: str = Field(
        "", description="what explains a difference; shown under the bands in the report"
    )

    def located(self, study_file: Path, *studies: Path) -> "PublishedSource":
        """Return the same with paths made absolute, relative to the study's file.

        Raises:
            InputError: a file is missing, or lies below none of the study's folder and `studies`.
        """
        folder = study_file.resolve().parent
        folders = (folder, *(each.resolve() for each in studies))
        for field in ("averages", "readings"):
            path = getattr(self, field)
            if path is not None and (problem := _find_problem(folder / path, folders)):
                raise InputError(
                    f"{study_file}: published.{field}: {shown(str(path))} {problem} {folder}; "
                    "give a CSV file, relative to the study's file"
                )
        readings = None if self.readings is None else folder / self.readings
        return self.model_copy(update={"averages": folder / self.averages, "readings": readings})


def _find_problem(path: Path, folders: tuple[Path, ...]) -> str:
    """Say why a file may not be read: it is not a file, or `..` or links lead out of the folders."""
    try:
        is_file, target = path.is_file(), path.resolve()
    except (ValueError, RuntimeError, OSError):  # a NUL byte, links in a circle, a name too long
        return "not found in"
    if not any(target.is_relative_to(folder) for folder in folders):
        return "is not in"
    return "" if is_file else "not found in"


def read_averages(source: PublishedSource | None) -> dict[Cell, PublishedAverage]:
    """Read published averages by exercise and value; none for a study without published values.

    Raises:
        InputError: the file cannot be read, lacks a column, has a setting twice, or a value is not a number.
    """
    if source is None:
        return {}
    lines = read_table(source.averages, ("exercise", "value", _ACCURACY), ("n_readings", "parameter", "note"))
    averages: dict[Cell, PublishedAverage] = {}
    for line in lines:
        average = _average(line)
        if average.cell in averages:
            raise InputError(
                f"{line.place}: exercise {average.exercise} has an average of value {average.value:g} above; "
                "remove one"
            )
        averages[average.cell] = average
    return averages


def read_readings(source: PublishedSource | None) -> dict[Cell, dict[int, float]]:
    """Read single published readings, fractions by number, by exercise and value; none if none are given.

    Raises:
        InputError: as `read_averages`.
    """
    if source is None or source.readings is None:
        return {}
    readings: dict[Cell, dict[int, float]] = defaultdict(dict)
    for line in read_table(source.readings, ("exercise", "value", "reading", _ACCURACY)):
        cell = line.whole("exercise"), line.number("value")
        readings[cell][line.whole("reading")] = line.percentage(_ACCURACY)
    return dict(readings)


def _average(line: TableLine) -> PublishedAverage:
    return PublishedAverage(
        exercise=line.whole("exercise"),
        parameter=line.text("parameter"),
        value=line.number("value"),
        readings=line.whole("n_readings") if line.text("n_readings") else None,
        accuracy=line.percentage(_ACCURACY),
        note=line.text("note"),
    )
