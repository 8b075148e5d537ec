"""What choosing on the test images would add in each sweep of a run, measured from its tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from study.exercises import SweepExercise
from study.spec import Study
from study.statistics.optimism import Curve, Optimism, measure_optimism, measure_setting_optimism

FEWEST_CHOICES = 2
"""With fewer epochs, or settings, there is nothing to choose."""


@dataclass(frozen=True)
class OptimismRow:
    """The optimism of one choice in one sweep: of the epoch in a training, or of the setting with a seed."""

    exercise: SweepExercise
    picks_epoch: bool
    optimism: Optimism


def optimism_rows(study: Study, trials: pd.DataFrame, epochs: pd.DataFrame) -> list[OptimismRow]:
    """A row for each sweep and choice that could be made, in the order of the study.

    None in protocol `lab`: its validation images are the test images, so that nothing could be seen.

    Args:
        study: The study.
        trials: Rows of the `trials` table; failed ones are left out, as nobody would choose them.
        epochs: Rows of the `epochs` table, of the same run.
    """
    if study.protocol == "lab":
        return []
    rows = []
    for exercise in study.sweeps:
        ours = trials[(trials["exercise"] == exercise.number) & (trials["status"] == "completed")]
        curves = _curves(ours, epochs)
        if curves:
            rows.append(OptimismRow(exercise, True, measure_optimism(curves)))
        seeds = _seeds(ours)
        if seeds:
            rows.append(OptimismRow(exercise, False, measure_setting_optimism(seeds)))
    return rows


def _curves(trials: pd.DataFrame, epochs: pd.DataFrame) -> list[Curve]:
    """Each training once, as far as its longest trial reads it, if it has two epochs or more."""
    longest = trials.groupby("key", sort=False)["epochs_run"].max().reset_index()
    joined = longest.merge(epochs[["key", "epoch", "validation_accuracy", "test_accuracy"]], on="key")
    read = joined[joined["epoch"] <= joined["epochs_run"]].sort_values("epoch")
    return [
        Curve(tuple(rows["validation_accuracy"].tolist()), tuple(rows["test_accuracy"].tolist()))
        for _, rows in read.groupby("key", sort=False)
        if len(rows) >= FEWEST_CHOICES
    ]


def _seeds(trials: pd.DataFrame) -> list[Sequence[tuple[float, float]]]:
    """Validation and test accuracy of each seed's settings, by rising value, if there are two or more."""
    by_value = trials.sort_values("value")
    return [
        list(zip(rows["validation_accuracy"].tolist(), rows["test_accuracy"].tolist(), strict=True))
        for _, rows in by_value.groupby("seed")
        if len(rows) >= FEWEST_CHOICES
    ]
