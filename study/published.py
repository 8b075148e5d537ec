"""The published readings, and the bands within which a replication agrees with them.

Accuracies here are in percent, as printed in the lab report.
"""

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from study.errors import InputError
from study.fact import Fact
from study.wording import plain, points, shown

Cell = tuple[int, float | None]
"""Exercise number and the value of its parameter (None: the chosen optimum)."""


@dataclass(frozen=True)
class PublishedAverage:
    """One printed average: accuracy in percent over `readings` readings (None: the report does not say)."""

    exercise: int
    parameter: str
    value: float
    readings: int | None
    accuracy_pct: float
    note: str


@dataclass(frozen=True)
class BandVerdict:
    """Whether our means lie within one band; `inside` is None where the study did not measure it."""

    claim: str
    allowed: str
    found: str
    inside: bool | None


class _Band(Fact):
    claim: str = Field(min_length=1)
    exercise: int


class _Range(_Band):
    low: float
    high: float

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low={self.low:g} is above high={self.high:g}; nothing could lie within")
        return self


class MeanBand(_Range):
    """The mean accuracy of one setting lies between `low` and `high` percent."""

    kind: Literal["mean"]
    value: float | None = None

    def judge(self, means: dict[Cell, float]) -> BandVerdict:
        """Compare our mean (percent) with the band."""
        allowed = f"{self.low:g} to {self.high:g}%"
        mean = means.get((self.exercise, self.value))
        if mean is None:
            return BandVerdict(self.claim, allowed, "not measured", None)
        return BandVerdict(self.claim, allowed, f"{mean:.2f}%", self.low <= mean <= self.high)


class GainBand(_Range):
    """Going from one value to another gains between `low` and `high` points."""

    kind: Literal["gain"]
    start: float
    end: float

    def judge(self, means: dict[Cell, float]) -> BandVerdict:
        """Compare our gain (points) with the band."""
        allowed = f"{points(self.low / 100)} to {points(self.high / 100)} points"
        start, end = means.get((self.exercise, self.start)), means.get((self.exercise, self.end))
        if start is None or end is None:
            return BandVerdict(self.claim, allowed, "not measured", None)
        gain = end - start
        return BandVerdict(self.claim, allowed, f"{points(gain / 100)} points", self.low <= gain <= self.high)


class OrderBand(_Band):
    """Every mean of an earlier group is above every mean of a later group."""

    kind: Literal["order"]
    groups: tuple[Annotated[tuple[float, ...], Field(min_length=1)], ...] = Field(min_length=2)

    def judge(self, means: dict[Cell, float]) -> BandVerdict:
        """Compare the order of our means with the groups."""
        allowed = " > ".join(" and ".join(plain(value) for value in group) for group in self.groups)
        ours = {value: means.get((self.exercise, value)) for group in self.groups for value in group}
        known = {value: mean for value, mean in ours.items() if mean is not None}
        if len(known) < len(ours):
            return BandVerdict(self.claim, allowed, "not measured", None)
        found = " > ".join(plain(value) for value in sorted(known, key=lambda each: -known[each]))
        pairs = zip(self.groups, self.groups[1:], strict=False)
        inside = all(min(known[v] for v in high) > max(known[v] for v in low) for high, low in pairs)
        return BandVerdict(self.claim, allowed, found, inside)


class NearBand(_Band):
    """Every other setting of the exercise is within `margin` points of the reference setting."""

    kind: Literal["near"]
    reference: float
    margin: float = Field(gt=0)

    def judge(self, means: dict[Cell, float]) -> BandVerdict:
        """Compare our largest distance from the reference (points) with the margin."""
        allowed = f"at most {self.margin:g} points apart"
        reference = means.get((self.exercise, self.reference))
        others = {
            value: mean
            for (exercise, value), mean in means.items()
            if exercise == self.exercise and value is not None and value != self.reference
        }
        if reference is None or not others:
            return BandVerdict(self.claim, allowed, "not measured", None)
        value = max(others, key=lambda each: abs(others[each] - reference))
        distance = others[value] - reference
        found = f"largest {points(distance / 100)} points (at {plain(value)})"
        return BandVerdict(self.claim, allowed, found, abs(distance) <= self.margin)


Band = Annotated[MeanBand | GainBand | OrderBand | NearBand, Field(discriminator="kind")]


class PublishedSource(Fact):
    """Where a study's published values are: files beside its YAML, and bands stated in it."""

    averages: Path
    readings: Path | None = None
    bands: tuple[Band, ...] = ()
    explanation: str = Field(
        "", description="what explains a difference; shown under the bands in the report"
    )

    def located(self, study_file: Path, studies: Path) -> "PublishedSource":
        """The same with paths made absolute, relative to the study's file.

        Raises:
            InputError: a file is not there, or lies neither below the study's folder nor below `studies`.
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
    """Why a file may not be read: it is none, or no longer in a folder once `..` and links are followed."""
    try:
        is_file, target = path.is_file(), path.resolve()
    except (ValueError, RuntimeError, OSError):  # a NUL byte, links in a circle, a name too long
        return "not found in"
    if not any(target.is_relative_to(folder) for folder in folders):
        return "is not in"
    return "" if is_file else "not found in"


def read_averages(source: PublishedSource | None) -> dict[Cell, PublishedAverage]:
    """Read the printed averages by exercise and value; none where the study brings none.

    Raises:
        InputError: the file cannot be read, lacks a column, or a value is not a number.
    """
    if source is None:
        return {}
    try:
        with source.averages.open(newline="", encoding="utf-8") as lines:
            averages = [_average(row) for row in csv.DictReader(lines)]
    except OSError as error:
        raise InputError(f"{source.averages}: cannot be read: {error.strerror}") from error
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise InputError(
            f"{source.averages}: {type(error).__name__}: {error}; expected columns exercise, parameter, "
            "value, n_readings, accuracy_pct, note with numbers in all but parameter and note"
        ) from error
    return {(each.exercise, each.value): each for each in averages}


def judge(source: PublishedSource | None, means: dict[Cell, float]) -> list[BandVerdict]:
    """Hold our mean accuracies (percent, by cell) against every band of the study."""
    return [] if source is None else [band.judge(means) for band in source.bands]


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
        accuracy_pct=_finite(row["accuracy_pct"]),
        note=row["note"] or "",
    )
