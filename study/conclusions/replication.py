"""Compare a run with published readings: each cell's mean, each band, each claim."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import stdev

from study.records import count_collapsed
from study.spec import (
    Band,
    BandVerdict,
    Cell,
    ClaimVerdict,
    Interval,
    PublishedAverage,
    PublishedSource,
    Readings,
    Setting,
    Study,
    read_averages,
    read_readings,
)
from study.statistics import (
    Comparison,
    Published,
    judge_agreement,
    paired,
    pool_differences,
    pooled_deviation,
    welch,
)
from study.status import Agreement
from study.wording import count, phrase, points

Ours = Mapping[Cell, Readings]
"""Our accuracies (fractions) by cell and seed; those of the kept candidate under None."""


@dataclass(frozen=True)
class CellAgreement:
    """One published mean and our result; `agreement` is None if the study did not measure it."""

    subject: str
    published: PublishedAverage
    trials: int
    mean: float | None
    agreement: Comparison | None


@dataclass(frozen=True)
class HeldClaim:
    """One published claim, with the verdict of our readings and that of the published ones."""

    claim: str
    exercise: int
    ours: ClaimVerdict
    theirs: ClaimVerdict


@dataclass(frozen=True)
class PooledDifference:
    """Our accuracies less the published ones, averaged over settings (fractions); see `pool_differences`.

    `exercise` is 0 for all exercises.
    """

    subject: str
    exercise: int
    settings: int
    difference: float
    low: float
    high: float
    found: str

    @property
    def differs(self) -> bool:
        """Say whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Replication:
    """A run compared with everything its study names as published."""

    cells: tuple[CellAgreement, ...]
    bands: tuple[BandVerdict, ...]
    claims: tuple[HeldClaim, ...]
    pooled: tuple[PooledDifference, ...] = ()


def compare_with_published(study: Study, ours: Ours, best: Ours | None = None) -> Replication:
    """Compare our readings with the study's published ones; empty for a study without.

    Args:
        study: The study, which names the published files.
        ours: Our readings, of the last epoch that each trial reads.
        best: The same of each training's best epoch, to tell how much of a difference that explains.

    Raises:
        InputError: a published file cannot be read.
    """
    source = study.published
    if source is None:
        return Replication((), (), ())
    readings = read_readings(source)
    numbers = {exercise.number for exercise in study.exercises}
    averages = [each for each in read_averages(source).values() if each.exercise in numbers]
    settings = _settings(study)
    published = {each.cell: _describe(source, each, readings, ours) for each in averages}
    measured = [each for each in averages if len(ours.get(each.cell, {})) > 1]

    def pool(subject: str, exercise: int, chosen: list[PublishedAverage], read: Ours) -> PooledDifference:
        cells = [
            ({(settings[each.cell], seed): x for seed, x in read[each.cell].items()}, published[each.cell])
            for each in chosen
        ]
        return _pool(subject, exercise, cells)

    pooled = [
        pool(f"Exercise {number}", number, of_exercise, ours)
        for number in sorted({each.exercise for each in measured})
        if (of_exercise := [each for each in measured if each.exercise == number])
    ]
    if measured:
        whole = pool("All settings", 0, measured, ours)
        at_best = None if best is None else pool("", 0, measured, best).difference
        words = "; ".join(filter(None, (whole.found, _of_best(at_best))))
        pooled.insert(0, replace(whole, found=words))
    return Replication(
        tuple(
            _hold_cell(each, list(ours.get(each.cell, {}).values()), published[each.cell], source.margin)
            for each in averages
        ),
        tuple(_judge_band(study, band, _with_all_seeds(settings, ours)) for band in source.bands),
        tuple(_hold_claims(study, source, ours, readings)),
        tuple(pooled),
    )


def _of_best(difference: float | None) -> str:
    """Say what the difference would be, had each training ended at its best epoch."""
    if difference is None:
        return ""
    return f"at each training's best epoch it would be {points(difference)} points"


def _settings(study: Study) -> dict[Cell, Setting]:
    """Return the setting of every cell of a sweep."""
    return {
        (sweep.number, value): setting
        for sweep in study.sweeps
        for value, setting in sweep.settings(study.baseline).items()
    }


def _with_all_seeds(settings: Mapping[Cell, Setting], ours: Ours) -> Ours:
    """Return our readings with those of further seeds that other exercises have of just the same setting."""
    of_setting: dict[Setting | None, dict[int, float]] = {None: {}}
    for cell, each in ours.items():
        of_setting.setdefault(settings.get(cell), {}).update(each if cell in settings else {})
    return {cell: {**of_setting[settings.get(cell)], **each} for cell, each in ours.items()}


def _pool(
    subject: str, exercise: int, cells: list[tuple[dict[tuple[Setting, int], float], Published]]
) -> PooledDifference:
    found = pool_differences(cells)
    low, high = found.interval()
    below = sum(sum(ours.values()) / len(ours) < theirs.mean for ours, theirs in cells)
    words = f"ours are lower in {below} of {count(len(cells), 'setting')}"
    return PooledDifference(subject, exercise, len(cells), found.difference, low, high, words)


def _hold_cell(
    average: PublishedAverage, ours: Sequence[float], theirs: Published, margin: float
) -> CellAgreement:
    subject = phrase(average.parameter, average.value)
    if not ours:
        return CellAgreement(subject, average, 0, None, None)
    agreement = judge_agreement(ours, theirs, margin)
    if count_collapsed(ours):  # their spread makes anything consistent
        agreement = replace(agreement, verdict=Agreement.UNDECIDED)
    return CellAgreement(subject, average, len(ours), sum(ours) / len(ours), agreement)


def _describe(source: PublishedSource, published: PublishedAverage, readings: Ours, ours: Ours) -> Published:
    """Return a published mean with the spread of its own readings; with fewer than two, of the others.

    If no single readings were published, we assume that theirs spread as ours do.

    A mean that does not state its number of readings counts as one reading: it cannot be fewer.
    """
    own = list(readings.get(published.cell, {}).values())
    if len(own) > 1:
        return Published(published.accuracy, len(own), stdev(own), is_own=True)
    known = (
        source.deviation
        or pooled_deviation(each.values() for each in readings.values())
        or pooled_deviation(each.values() for each in ours.values())
        or math.nan
    )
    return Published(published.accuracy, published.readings or 1, known, is_own=False)


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
