"""Draw every figure of a run from its published tables."""

from pathlib import Path
from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.results import Results
from storage.tables import RunFrames, list_nights
from study.spec import Study
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
    from tasks.figures.cost import draw_cost_figure

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
