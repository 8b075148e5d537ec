"""Read the published averages and readings of a study, from files next to its YAML.

The files have accuracies in percent, as printed in the lab report.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import Field, PositiveFloat

from study.errors import InputError
from study.fact import Fact
from study.spec.bands import Band, Cell, Points
from study.spec.claims import Claim
from study.wording import shown

Entry = TypeVar("Entry")


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

    def located(self, study_file: Path, studies: Path) -> "PublishedSource":
        """Return the same with paths made absolute, relative to the study's file.

        Raises:
            InputError: a file is missing, or lies neither below the study's folder nor below `studies`.
        """
        folder = study_file.resolve().parent
        for field in ("averages", "readings"):
            path = getattr(self, field)
            if path is not None and (problem := _find_problem(folder / path, (folder, studies.resolve()))):
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
        InputError: the file cannot be read, lacks a column, or a value is not a number.
    """
    if source is None:
        return {}
    columns = "exercise, parameter, value, n_readings, accuracy_pct, note"
    averages = _read(source.averages, _average, f"{columns} with numbers in all but parameter and note")
    return {each.cell: each for each in averages}


def read_readings(source: PublishedSource | None) -> dict[Cell, dict[int, float]]:
    """Read single published readings, fractions by number, by exercise and value; none if none are given.

    Raises:
        InputError: as `read_averages`.
    """
    if source is None or source.readings is None:
        return {}
    columns = "exercise, value, reading, accuracy_pct with numbers"
    readings: dict[Cell, dict[int, float]] = defaultdict(dict)
    for cell, number, accuracy in _read(source.readings, _reading, columns):
        readings[cell][number] = accuracy
    return dict(readings)


def _read(path: Path, parse: Callable[[dict[str, str]], Entry], columns: str) -> list[Entry]:
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            return [parse(row) for row in csv.DictReader(lines)]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path}: {type(error).__name__}: {error}; expected columns {columns}") from error


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a number")
    return number


def _average(row: dict[str, str]) -> PublishedAverage:
    return PublishedAverage(
        exercise=int(row["exercise"]),
        parameter=row["parameter"],
        value=_finite(row["value"]),
        readings=int(row["n_readings"]) if row["n_readings"] else None,
        accuracy=_finite(row["accuracy_pct"]) / 100,
        note=row["note"] or "",
    )


def _reading(row: dict[str, str]) -> tuple[Cell, int, float]:
    cell = (int(row["exercise"]), _finite(row["value"]))
    return cell, int(row["reading"]), _finite(row["accuracy_pct"]) / 100
