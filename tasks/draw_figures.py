"""Draw every figure of a run from its published tables; the model's own wait for the model.

What draws is imported by the steps themselves: the first training is not to wait for matplotlib.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.nights import list_nights
from storage.place import Results
from storage.tables import RunFrames
from study.chosen_model import ChosenModel
from study.published import read_averages
from study.spec import Study

if TYPE_CHECKING:
    from tasks.figure_style import DrawnFigure


@task(name="draw figures", task_run_name="draw figures", cache_policy=NO_CACHE, persist_result=False)
def draw_figures(study: Study, frames: RunFrames, folder: Path) -> "list[DrawnFigure]":
    """Draw accuracy and time of each sweep, and what the run cost against what was predicted."""
    from tasks.cost_figure import draw_cost_figure
    from tasks.figures import draw_sweep_figures

    averages = read_averages(study.published)
    drawn = [
        figure
        for exercise in study.sweeps
        for figure in draw_sweep_figures(study, exercise, frames.trials, frames.summary, averages, folder)
    ]
    return drawn + draw_cost_figure(frames.trainings, folder)


@task(name="draw the model", task_run_name="draw the model", cache_policy=NO_CACHE, persist_result=False)
def draw_model(study: Study, frames: RunFrames, chosen: ChosenModel, folder: Path) -> "list[DrawnFigure]":
    """Draw learning curves and confusion matrix of the chosen model."""
    from tasks.model_figures import draw_model_figures

    assert study.model is not None  # only that exercise chooses one
    return draw_model_figures(chosen, frames.epochs, folder, study.model.number)


@task(name="draw the nights", task_run_name="draw the nights", cache_policy=NO_CACHE, persist_result=False)
def draw_history(study: Study, results: Results, frames: RunFrames, folder: Path) -> "list[DrawnFigure]":
    """Draw the nights up to a published run; nothing if there are fewer than two.

    Args:
        study: The study.
        results: Where the earlier runs lie.
        frames: The run.
        folder: Where the figures go; made when missing.

    Raises:
        OSError: the folder cannot be written to.
    """
    from tasks.history_figures import draw_history_figures

    nights = list_nights(results, study.name)
    is_shown = (nights["protocol"] == study.protocol) & (nights["started_at"] <= frames.run["started_at"])
    return draw_history_figures(study, nights[is_shown], folder)
