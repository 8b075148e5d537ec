"""Compare a run with published readings: each cell's mean, each band, each claim."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from study.spec import (
    Band,
    BandVerdict,
    Cell,
    ClaimVerdict,
    Interval,
    PublishedAverage,
    PublishedSource,
    Readings,
    Study,
    read_averages,
    read_readings,
)
from study.statistics import EquivalenceTest, Published, judge_agreement, paired, pooled_deviation, welch
from study.wording import phrase

Ours = Mapping[Cell, Readings]
"""Our accuracies (fractions) by cell and seed; those of the kept candidate under None."""


@dataclass(frozen=True)
class CellAgreement:
    """One published mean and our result; `agreement` is None if the study did not measure it."""

    subject: str
    published: PublishedAverage
    trials: int
    mean: float | None
    agreement: EquivalenceTest | None


@dataclass(frozen=True)
class HeldClaim:
    """One published claim, with the verdict of our readings and that of the published ones."""

    claim: str
    exercise: int
    ours: ClaimVerdict
    theirs: ClaimVerdict


@dataclass(frozen=True)
class Replication:
    """A run compared with everything its study names as published."""

    cells: tuple[CellAgreement, ...]
    bands: tuple[BandVerdict, ...]
    claims: tuple[HeldClaim, ...]


def compare_with_published(study: Study, ours: Ours) -> Replication:
    """Compare our readings with the study's published ones; empty for a study without.

    Raises:
        InputError: a published file cannot be read.
    """
    source = study.published
    if source is None:
        return Replication((), (), ())
    readings = read_readings(source)
    averages = [each for each in read_averages(source).values() if each.exercise in _exercises(study)]
    return Replication(
        tuple(_hold_cell(source, each, readings, ours) for each in averages),
        tuple(_judge_band(study, band, ours) for band in source.bands),
        tuple(_hold_claims(study, source, ours, readings)),
    )


def _exercises(study: Study) -> set[int]:
    return {exercise.number for exercise in study.exercises}


def _hold_cell(
    source: PublishedSource, published: PublishedAverage, readings: Ours, ours: Ours
) -> CellAgreement:
    subject = phrase(published.parameter, published.value)
    values = list(ours.get((published.exercise, published.value), {}).values())
    if not values:
        return CellAgreement(subject, published, 0, None, None)
    agreement = judge_agreement(values, _describe(source, published, readings, ours), source.margin)
    return CellAgreement(subject, published, len(values), sum(values) / len(values), agreement)


def _describe(source: PublishedSource, published: PublishedAverage, readings: Ours, ours: Ours) -> Published:
    """Return a published mean with the spread of its own readings; with fewer than two, of the others.

    If no single readings were published, we assume that theirs spread as ours do.

    A mean that does not state its number of readings counts as one reading: it cannot be fewer.
    """
    own = list(readings.get((published.exercise, published.value), {}).values())
    if len(own) > 1:
        return Published(published.accuracy, len(own), pooled_deviation([own]), is_own=True)
    known = source.deviation or _pooled(readings) or _pooled(ours) or math.nan
    return Published(published.accuracy, published.readings or 1, known, is_own=False)


def _pooled(readings: Ours) -> float | None:
    """Return the pooled deviation; None if no setting has two readings."""
    repeated = [list(each.values()) for each in readings.values() if len(each) > 1]
    return pooled_deviation(repeated) if repeated else None


def _judge_band(study: Study, band: Band, ours: Ours) -> BandVerdict:
    is_paired = _is_paired(study, band.exercise)

    def compare(first: Readings, second: Readings) -> Interval:
        if not is_paired:
            return welch(list(first.values()), list(second.values())).interval()
        seeds = sorted(first.keys() & second.keys())
        if not seeds:
            return float("nan"), float("nan")
        return paired([first[seed] for seed in seeds], [second[seed] for seed in seeds]).interval()

    return band.judge(ours, compare)


def _hold_claims(study: Study, source: PublishedSource, ours: Ours, theirs: Ours) -> list[HeldClaim]:
    return [
        HeldClaim(
            claim.claim,
            claim.exercise,
            claim.judge(_of_exercise(ours, claim.exercise), _is_paired(study, claim.exercise)),
            # The numbers of published readings are not seeds: two settings need not share one.
            claim.judge(_of_exercise(theirs, claim.exercise), is_paired=False),
        )
        for claim in source.claims
    ]


def _of_exercise(cells: Ours, exercise: int) -> dict[float, Readings]:
    return {
        value: readings
        for (number, value), readings in cells.items()
        if number == exercise and value is not None
    }


def _is_paired(study: Study, exercise: int) -> bool:
    return any(sweep.number == exercise and sweep.reads_prefixes(study.baseline) for sweep in study.sweeps)
