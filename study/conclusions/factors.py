"""Answer a grid in words: whether its two parameters interact, and what each changes on average."""

from collections.abc import Sequence
from dataclasses import dataclass

from study.records import Sweep
from study.spec import GridSweep, SweepExercise
from study.statistics import POWER, SeedwiseChange, average_effects, find_interactions, reference_cell
from study.wording import listing, phrase, points, points_interval, probability


@dataclass(frozen=True)
class Interaction:
    """The change by one step of the second parameter, at the first value of the first and at another."""

    step: tuple[str, str]
    """The two values of the second parameter, in words."""
    at: tuple[str, str]
    """The two values of the first."""
    change: SeedwiseChange


@dataclass(frozen=True)
class AverageEffect:
    """The change from a parameter's first value to another, averaged over the other parameter."""

    values: tuple[str, str]
    over: str
    change: SeedwiseChange


@dataclass(frozen=True)
class Factors:
    """What was found of the parameters of a grid, the clearest interaction first; see `find_interactions`."""

    interactions: tuple[Interaction, ...] = ()
    effects: tuple[AverageEffect, ...] = ()
    left_out: int = 0
    """Combinations without two readings, or with a collapsed trial."""

    @property
    def interact(self) -> bool:
        """Say whether they certainly interact."""
        return any(each.change.differs for each in self.interactions)


def find_factors(exercise: SweepExercise, measured: Sweep) -> Factors | None:
    """Compare the parameters of a grid over its settings that have readings; None for another sweep.

    Settings with collapsed trials take no part: their means say little.
    """
    if not isinstance(exercise, GridSweep):
        return None
    cells = {
        exercise.cells[level]: each.test
        for level, each in measured.items()
        if len(each.test) > 1 and not each.collapsed
    }
    here, start = reference_cell(cells)
    (rows, row_names), (columns, column_names) = (
        (name, [phrase(name, value) for value in values]) for name, values in exercise.grid.items()
    )
    interactions = [
        Interaction(
            (column_names[start], column_names[int(column)]), (row_names[here], row_names[int(row)]), change
        )
        for (row, column), change in find_interactions(cells).items()
    ]
    effects = [
        AverageEffect((names[int(first)], names[int(place)]), _noun(other), change)
        for axis, (other, names) in enumerate(((columns, row_names), (rows, column_names)))
        for (first, place), change in average_effects(cells, axis).items()
    ]
    clearest = sorted(interactions, key=lambda each: each.change.corrected.difference.p_value)
    left_out = len(exercise.levels) - len(cells)
    return Factors(tuple(clearest), tuple(effects), left_out)


@dataclass(frozen=True)
class FactorWords:
    """What an answer says of the parameters of a grid; nothing of another sweep."""

    headline: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


def describe_factors(exercise: SweepExercise, measured: Sweep) -> FactorWords:
    """Say whether the parameters of a grid interact, how much each changes accuracy, and what is missed."""
    found = find_factors(exercise, measured)
    if found is None:
        return FactorWords()
    both = listing([_noun(name) for name in exercise.varied])
    if not found.interactions:
        untested = "too few combinations have two repeats and no collapse"
        return FactorWords((f"Whether {both} interact was not tested: {untested}.",))
    first = found.interactions[0]
    change = first.change
    told = (
        f"from {first.step[0]} to {first.step[1]}, accuracy changes by {points(change.before)} points "
        f"with {first.at[0]} and by {points(change.after)} with {first.at[1]}, "
        f"a difference of {points(change.difference)} points{_within(change)}"
    )
    among = ", without the combinations that collapsed or lack repeats" if found.left_out else ""
    clearest = "; the clearest" if len(found.interactions) > 1 else ""
    verdict = (
        f"{both[0].upper()}{both[1:]} interact{among}: {told}."
        if found.interact
        else f"No certain interaction of {both}{among}{clearest}: {told}."
    )
    return FactorWords((verdict,), (*_averages(found),), _missed(found, change))


def _averages(found: Factors) -> Sequence[str]:
    told = [
        f"{each.values[1]} instead of {each.values[0]} changes accuracy by {points(each.change.difference)} "
        f"points on average over {each.over}{_within(each.change)}"
        for each in found.effects
    ]
    but = " They interact, so an average need not hold for each value." if found.interact else ""
    return [f"{each[0].upper()}{each[1:]}.{but * (place == len(told))}" for place, each in enumerate(told, 1)]


def _within(change: SeedwiseChange) -> str:
    low, high = change.corrected.interval
    return f" (95% interval {points_interval(low, high)}, p {probability(change.corrected.p_value)})"


def _missed(found: Factors, change: SeedwiseChange) -> tuple[str, ...]:
    """Say which interaction these repeats would usually miss, if none was found."""
    if found.interact or not change.detectable:
        return ()
    return (
        f"With {change.seeds} repeats, an interaction below about {100 * change.detectable:.1f} points is "
        f"missed in more than one study of {round(1 / (1 - POWER))}.",
    )


def _noun(parameter: str) -> str:
    return parameter.replace("_", " ")
