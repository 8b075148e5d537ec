"""Draw every figure of a run from its published tables."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.results import Results
from storage.tables import RunFrames, list_nights
from study.spec import Study
from study.wording import count, duration
from tasks.figures.style import BLUE, GREY, INK, VERMILLION, DrawnFigure, new_figure, save
from tasks.tables import read_averages_of, read_model

if TYPE_CHECKING:
    from tasks.figures.style import DrawnFigure


@task(name="draw figures", task_run_name="draw figures", cache_policy=NO_CACHE, persist_result=False)
def draw_figures(study: Study, results: Results, frames: RunFrames) -> "list[DrawnFigure]":
    """Draw sweeps, search, model, costs and, for a night, its history.

    Args:
        study: The study as it ran.
        results: The folder of the figures and the earlier nights.
        frames: The run's rows.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder = results.figures(str(frames.run["run_id"]))
    drawn = [*_draw_sweeps(study, frames, folder), *_draw_search(study, frames, folder)]
    drawn += _draw_model(study, frames, folder)
    drawn += _draw_cost(frames, folder)
    return [*drawn, *draw_nights(study, results, frames, folder)]


def _draw_sweeps(study: Study, frames: RunFrames, folder: Path) -> "list[DrawnFigure]":
    from tasks.figures.curves import draw_curve_figures
    from tasks.figures.sweeps import draw_sweep_figures

    averages, trials = read_averages_of(frames), frames.trials
    drawn = []
    for exercise in study.sweeps:
        drawn += draw_sweep_figures(study, exercise, trials, frames.summary, averages, folder)
        drawn += draw_curve_figures(study, exercise, trials, frames.epochs, folder)
    return drawn


def _draw_search(study: Study, frames: RunFrames, folder: Path) -> "list[DrawnFigure]":
    if frames.search.empty:
        return []
    from tasks.figures.search import draw_search_figures

    return draw_search_figures(study, frames.trials, frames.search, frames.finals, folder)


def _draw_model(study: Study, frames: RunFrames, folder: Path) -> "list[DrawnFigure]":
    from tasks.figures.model import draw_model_figures

    chosen = read_model(frames)
    if chosen is None or study.model is None:
        return []
    return draw_model_figures(chosen, frames.epochs, folder, study.model.number)


def _draw_cost(frames: RunFrames, folder: Path) -> "list[DrawnFigure]":

    return draw_cost_figure(frames.trainings, folder)


def draw_nights(study: Study, results: Results, frames: RunFrames, folder: Path) -> "list[DrawnFigure]":
    """Draw the nights up to a run; nothing if the run was no night, or there are fewer than two.

    Raises:
        OSError: the folder cannot be written to.
    """
    from tasks.figures.nights import draw_history_figures

    if frames.nights.empty:
        return []
    nights = list_nights(results, study.name)
    is_shown = (nights["protocol"] == study.protocol) & (nights["started_at"] <= frames.run["started_at"])
    return draw_history_figures(study, nights[is_shown], folder)


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
