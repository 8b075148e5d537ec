"""Test whether two parameters of a grid interact, and how each changes accuracy on average over the other.

The settings of a grid share seeds, so that each seed has a whole grid of its own. They interact where a step
of the second parameter changes accuracy by more at one value of the first than at another: a difference of
differences (Boik 1979, "Interactions, partial interactions, and interaction contrasts in the analysis of
variance", Psychol. Bull. 86:1084). We take it within each seed, from one value of each parameter, the
reference, to every other, and ask by the paired t test whether its mean is zero. All of them are zero just
where nothing interacts. Their number is corrected for by Holm (1979, Scand. J. Stat. 6:65). One number a
seed needs neither equal spreads in the settings nor independence between them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from study.statistics.correction import STUDENT_T, Corrected, Pair, step_down
from study.statistics.difference import SAME, SIGNIFICANCE, paired
from study.statistics.pairwise import Readings
from study.statistics.power import TTest

Cells = Mapping[tuple[int, int], Readings]
"""Accuracies (fractions) by seed, by row and column of a grid, from 0."""


@dataclass(frozen=True)
class SeedwiseChange:
    """Two means over the same seeds compared seed by seed; as fractions.

    The means are accuracies, or of an interaction how much one step of the second parameter changes these.
    """

    before: float
    after: float
    seeds: int
    deviation: float
    """Standard deviation of the differences between them, over seeds."""
    corrected: Corrected

    @property
    def difference(self) -> float:
        """Return the second mean less the first."""
        return self.corrected.difference.difference

    @property
    def differs(self) -> bool:
        """Say whether it is certain, all changes of its kind considered."""
        return self.corrected.p_value <= SIGNIFICANCE

    @property
    def detectable(self) -> float:
        """Return the least difference found with a chance of 80%, corrected; 0 if the seeds all agree."""
        test = TTest(self.deviation, self.corrected.level, is_paired=True)
        return test.detectable(self.seeds) if self.deviation > SAME else 0.0


def find_interactions(cells: Cells) -> dict[Pair, SeedwiseChange]:
    """Compare the change from the reference column to another in the reference row and in another.

    Those that need a missing cell, or have fewer than two seeds in common, are left out.

    Returns:
        The changes by the other row and column.
    """
    here, start = reference_cell(cells)
    return _compare(
        {
            (row, column): (_steps(cells, here, start, column), _steps(cells, row, start, column))
            for row, column in _others(cells, (here, start))
        }
    )


def reference_cell(cells: Cells) -> tuple[int, int]:
    """Return the row and column that the others are compared with: the first ones.

    Where cells are missing, the first with which most others can be compared.
    """
    return max(sorted(cells), key=lambda cell: len(_others(cells, cell)), default=(0, 0))


def _others(cells: Cells, reference: tuple[int, int]) -> list[tuple[int, int]]:
    """List the cells that share neither row nor column with a reference, and have their corners."""
    here, start = reference
    return [
        (row, column)
        for row, column in sorted(cells)
        if row != here and column != start and {(here, column), (row, start)} <= cells.keys()
    ]


def average_effects(cells: Cells, axis: int) -> dict[Pair, SeedwiseChange]:
    """Compare each row (axis 0) or column (1) with the reference's, averaged over the cells that both have.

    Returns:
        The changes by the places compared: the reference's and another.
    """
    lines: dict[int, dict[int, Readings]] = {}
    for cell, readings in cells.items():
        lines.setdefault(cell[axis], {})[cell[1 - axis]] = readings
    reference = reference_cell(cells)[axis]
    first = lines.pop(reference, {})
    return _compare(
        {
            (reference, place): (_averages(first, other), _averages(other, first))
            for place, other in sorted(lines.items())
        }
    )


def _steps(cells: Cells, row: int, start: int, end: int) -> Readings:
    """Return the change from one column of a row to another, by seed."""
    before, after = cells[row, start], cells[row, end]
    return {seed: after[seed] - before[seed] for seed in before.keys() & after.keys()}


def _averages(line: Mapping[int, Readings], other: Mapping[int, Readings]) -> Readings:
    """Return the mean of a line over the cells that another line has, too, of the seeds that all have."""
    both = [line[place] for place in line if place in other]
    seeds = set.intersection(*(set(each) for each in both)) if both else set[int]()
    return {seed: fmean(each[seed] for each in both) for seed in seeds}


def _compare(pairs: Mapping[Pair, tuple[Readings, Readings]]) -> dict[Pair, SeedwiseChange]:
    samples = {name: _share(*each) for name, each in pairs.items()}
    samples = {name: each for name, each in samples.items() if len(each[0]) > 1}
    found = {name: paired(*each) for name, each in samples.items()}
    corrected = step_down(found, STUDENT_T, len(found))
    return {
        name: SeedwiseChange(
            fmean(before),
            fmean(after),
            len(before),
            float(np.std(np.subtract(after, before), ddof=1)),
            corrected[name],
        )
        for name, (before, after) in samples.items()
    }


def _share(first: Readings, second: Readings) -> tuple[Sequence[float], Sequence[float]]:
    seeds = sorted(first.keys() & second.keys())
    return [first[seed] for seed in seeds], [second[seed] for seed in seeds]
