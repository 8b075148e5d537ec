"""What the search's figures show, as plain tuples: the front, the importances, the parallel coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from study.search import Range, Search
from study.spec import Study
from study.statistics.spread import summarise

GOOD = 0.25
"""The part of the candidates that counts as good: best on validation."""


@dataclass(frozen=True)
class Dot:
    """A candidate of the search, or of the finals: its cost and its validation accuracy (percent)."""

    parameters: int
    seconds: float
    accuracy: float
    is_complete: bool = True
    name: str = ""
    half: float = 0.0
    """Half the width of the 95% interval of its mean; 0 for a single reading."""


@dataclass(frozen=True)
class Coordinate:
    """One vertical axis: what it is, its scale, and where each candidate lies, in the order of the rows."""

    name: str
    is_log: bool
    values: tuple[float, ...]
    words: tuple[str, ...] = ()
    """What stands at 0, 1, ...: for values that are no numbers."""


def list_dots(search: pd.DataFrame) -> list[Dot]:
    """A dot for each candidate of the search that has a reading."""
    return [
        Dot(
            int(row["parameters"]),
            float(row["training_seconds"]),
            100 * float(row["validation_accuracy"]),
            row["state"] == "completed",
        )
        for row in search.to_dict("records")
        if not pd.isna(row["validation_accuracy"])
    ]


def list_finals(trials: pd.DataFrame, finals: pd.DataFrame) -> list[Dot]:
    """A dot for each candidate of the finals: the mean of its fresh seeds, with interval."""
    sizes = dict(zip(finals["setting"], finals["parameters"], strict=True))
    dots = []
    for name, rows in trials[trials["status"] == "completed"].groupby("setting", sort=False):
        if str(name) in sizes:
            spread = summarise([float(each) for each in rows["validation_accuracy"]])
            half = 100 * (spread.high - spread.mean) if spread.count > 1 else 0.0
            seconds = float(rows["training_seconds"].mean())
            dots.append(Dot(int(sizes[str(name)]), seconds, 100 * spread.mean, True, str(name), half))
    return dots


def find_front(dots: Sequence[Dot], cost: str) -> list[Dot]:
    """The dots that no other beats in accuracy at the same cost or less, by rising cost."""
    front: list[Dot] = []
    for dot in sorted(dots, key=lambda each: (getattr(each, cost), -each.accuracy)):
        if not front or dot.accuracy > front[-1].accuracy:
            front.append(dot)
    return front


def is_good(search: pd.DataFrame) -> list[bool]:
    """Whether each candidate is among the best quarter on validation."""
    accuracies = search["validation_accuracy"]
    return list(accuracies >= accuracies.quantile(1 - GOOD))


def list_coordinates(study: Study, search: pd.DataFrame) -> list[Coordinate]:
    """An axis for each parameter that was searched, in the order of the study."""
    space = study.optimum.search if study.optimum else None
    return [] if space is None else [_coordinate(name, space, search) for name in space.space]


def _coordinate(name: str, space: Search, search: pd.DataFrame) -> Coordinate:
    declared, column = space.space[name], search[name]
    if isinstance(declared, Range):
        return Coordinate(name, declared.log, tuple(map(float, column)))
    if all(isinstance(each, int | float) for each in declared):
        return Coordinate(name, False, tuple(map(float, column)))
    words = tuple(map(str, declared))
    return Coordinate(name, False, tuple(float(words.index(str(each))) for each in column), words)


def rank_importances(study: Study, search: pd.DataFrame) -> dict[str, float]:
    """How much each parameter decides whether a candidate is among the best quarter, most first; sums to 1.

    PED-ANOVA (Watanabe, Bansal and Hutter 2023, arXiv:2304.10255) by Optuna; it needs no trees and is the
    same every time. A candidate counts with the best reading it had before it was stopped. Nothing of fewer
    than ten candidates, or where all read the same.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)  # `study report` has not made a search
    space = study.optimum.search if study.optimum else None
    rows = search[search["validation_accuracy"].notna()].to_dict("records")
    if space is None or len(rows) < 10 or len({row["validation_accuracy"] for row in rows}) < 2:
        return {}
    names = [name for name in space.space if name != "epochs"]
    distributions = {name: _distribution(space, name, rows) for name in names}
    played = optuna.create_study(direction="maximize")
    for row in rows:
        params = {name: _native(row[name]) for name in names}
        value = row["validation_accuracy"]
        played.add_trial(optuna.create_trial(params=params, distributions=distributions, value=value))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=GOOD)
    return optuna.importance.get_param_importances(played, evaluator=evaluator)


def _distribution(space: Search, name: str, rows: Sequence[Any]) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    declared = space.space[name]
    if not isinstance(declared, Range):
        return CategoricalDistribution(declared)
    if all(float(row[name]).is_integer() for row in rows) and float(declared.low).is_integer():
        step = int(declared.step or 1)
        return IntDistribution(int(declared.low), int(declared.high), declared.log, step)
    return FloatDistribution(declared.low, declared.high, declared.log, declared.step)


def _native(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
