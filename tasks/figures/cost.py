"""Draw what each training was predicted to take against what it took."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from storage.tables import TrainingRow
from study.wording import count, duration
from tasks.figures.style import BLUE, GREY, INK, VERMILLION, DrawnFigure, Values, new_figure, save, show_log

WHOLE_RUN = 0
"""Stands for an exercise's number: the figure belongs to the whole run."""

BAND = 0.2
"""Half width of the band drawn around equality, as a fraction of the prediction."""


def draw_cost_figure(trainings: Sequence[TrainingRow], folder: Path) -> list[DrawnFigure]:
    """Draw predicted and actual seconds of the trainings of a run; none if it trained none.

    Raises:
        OSError: the folder cannot be written to.
    """
    done = [each for each in trainings if each.lane_seconds and each.predicted_seconds]
    if not done:
        return []
    predicted = np.array([each.predicted_seconds for each in done], float)
    taken = np.array([each.lane_seconds for each in done])
    stops = np.array([each.epochs is not None and each.epochs < each.most_epochs for each in done])
    within = int((abs(taken / predicted - 1) <= BAND).sum())
    title = "How long did trainings take compared with the prediction?"
    caption = (
        f"Time of a lane for each training; both axes logarithmic. Line: as predicted; band: within "
        f"{BAND:.0%} of it, {within} of {count(len(done), 'training')}. Where early stopping ends one, "
        "a mean is predicted."
    )
    alt = (
        f"Predicted against actual time of {count(len(done), 'training')}, from "
        f"{duration(float(taken.min()))} to {duration(float(taken.max()))}; {within} within {BAND:.0%} of it."
    )
    with new_figure(title, 4.2) as figure:
        axes = figure.add_subplot(xlabel="Predicted (s)", ylabel="Took (s)")
        axes.grid(True, axis="both")
        _plot_equality(axes, predicted, taken)
        for some, colour, marker, label in (
            (~stops, BLUE, "o", "all its epochs"),
            (stops, VERMILLION, "^", "stopped early"),
        ):
            if some.any():
                axes.plot(
                    predicted[some], taken[some], marker,
                    color=colour, alpha=0.7, mew=0, markersize=6, label=label,
                )  # fmt: skip
        show_log(axes, "x", np.concatenate([predicted, taken]))
        show_log(axes, "y", np.concatenate([predicted, taken]))
        axes.legend(loc="upper left")
        name = "predicted-time"
        return [save(figure, folder, name, exercise=WHOLE_RUN, title=title, caption=caption, alt=alt)]


def _plot_equality(axes: Axes, predicted: Values, taken: Values) -> None:
    ends = np.array([min(predicted.min(), taken.min()) / 1.3, max(predicted.max(), taken.max()) * 1.3])
    axes.plot(ends, ends, color=INK, linewidth=1)
    axes.fill_between(ends, ends * (1 - BAND), ends * (1 + BAND), color=GREY, alpha=0.15, linewidth=0)
