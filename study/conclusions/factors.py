"""Answer a grid in words: whether its two parameters interact, and what each changes on average."""

from collections.abc import Sequence
from dataclasses import dataclass

from study.records import Sweep
from study.spec import GridSweep, SweepExercise
from study.statistics import POWER, SeedwiseChange, average_effects, find_interactions
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

    parameter: str
    values: tuple[str, str]
    over: str
    change: SeedwiseChange


@dataclass(frozen=True)
class Factors:
    """What was found of the parameters of a grid, the clearest interaction first; see `find_interactions`."""

    interactions: tuple[Interaction, ...] = ()
    effects: tuple[AverageEffect, ...] = ()

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
    (rows, row_names), (columns, column_names) = (
        (name, [phrase(name, value) for value in values]) for name, values in exercise.grid.items()
    )
    interactions = [
        Interaction((column_names[0], column_names[int(column)]), (row_names[0], row_names[int(row)]), change)
        for (row, column), change in find_interactions(cells).items()
    ]
    effects = [
        AverageEffect(_noun(own), (names[0], names[int(place)]), _noun(other), change)
        for axis, (own, other, names) in enumerate(
            ((rows, columns, row_names), (columns, rows, column_names))
        )
        for (_, place), change in average_effects(cells, axis).items()
    ]
    clearest = sorted(interactions, key=lambda each: each.change.corrected.difference.p_value)
    return Factors(tuple(clearest), tuple(effects))


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
        untested = "too few combinations have two repeats in common without a collapse"
        return FactorWords((f"Whether {both} interact was not tested: {untested}.",))
    clearest = found.interactions[0]
    change = clearest.change
    told = (
        f"from {clearest.step[0]} to {clearest.step[1]}, accuracy changes by {points(change.before)} points "
        f"with {clearest.at[0]} and by {points(change.after)} with {clearest.at[1]}, "
        f"{points(change.difference)} apart{_within(change)}"
    )
    verdict = (
        f"{both[0].upper()}{both[1:]} interact: {told}."
        if found.interact
        else f"No certain interaction of {both}{'; the clearest' * (len(found.interactions) > 1)}: {told}."
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
