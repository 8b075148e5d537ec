"""Draw what each training was predicted to take against what it took."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from study.wording import count, duration
from tasks.figures.style import BLUE, GREY, INK, VERMILLION, DrawnFigure, new_figure, save

WHOLE_RUN = 0
"""Stands for an exercise's number: the figure belongs to the whole run."""


BAND = 0.2
"""Half width of the band drawn around equality, as a fraction of the prediction."""


def draw_cost_figure(trainings: pd.DataFrame, folder: Path) -> list[DrawnFigure]:
    """Draw predicted and actual seconds of the trainings of a run, as PNG and SVG; none if it trained none.

    Args:
        trainings: Rows of the `trainings` table.
        folder: The folder for the files; made when missing.

    Raises:
        OSError: the folder cannot be written to.
    """
    done = trainings[(trainings["lane_seconds"] > 0) & (trainings["predicted_seconds"] > 0)]
    if done.empty:
        return []
    predicted, taken = done["predicted_seconds"], done["lane_seconds"]
    within = int((abs(taken / predicted - 1) <= BAND).sum())
    total = duration(float(predicted.sum())), duration(float(taken.sum()))
    title = "How long did trainings take compared with the prediction?"
    caption = (
        f"Time of a lane for each of {count(len(done), 'training')}; both axes logarithmic. Line: "
        f"as predicted before the run; band: within {BAND:.0%} of it, {within} of {len(done)}. Where early "
        f"stopping ends a training, a mean is predicted. Together: predicted {total[0]}, took {total[1]}."
    )
    alt = (
        f"Predicted against actual time of {count(len(done), 'training')}, from "
        f"{duration(float(taken.min()))} to {duration(float(taken.max()))}; {within} within {BAND:.0%} of it."
    )
    with new_figure(6.4, 4.8) as figure:
        axes = figure.add_subplot(title=title, xlabel="Predicted (s)", ylabel="Took (s)")
        axes.set(xscale="log", yscale="log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.grid(True, axis="both")
        _plot_equality(axes, predicted, taken)
        stops = done["epochs"] < done["most_epochs"]
        for rows, colour, marker, label in (
            (done[~stops], BLUE, "o", "all its epochs"),
            (done[stops], VERMILLION, "^", "stopped early"),
        ):
            if not rows.empty:
                axes.plot(
                    rows["predicted_seconds"], rows["lane_seconds"], marker,
                    color=colour, alpha=0.7, mew=0, markersize=6, label=label,
                )  # fmt: skip
        axes.legend(loc="upper left")
        return [
            save(figure, folder, "predicted-time", exercise=WHOLE_RUN, title=title, caption=caption, alt=alt)
        ]


def _plot_equality(axes: Axes, predicted: "pd.Series[float]", taken: "pd.Series[float]") -> None:
    ends = np.array([min(predicted.min(), taken.min()) / 1.3, max(predicted.max(), taken.max()) * 1.3])
    axes.plot(ends, ends, color=INK, linewidth=1)
    axes.fill_between(ends, ends * (1 - BAND), ends * (1 + BAND), color=GREY, alpha=0.15, linewidth=0)
