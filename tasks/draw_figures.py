"""Draw every figure of a run from its published tables; the model's own wait for the model."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.tables import RunFrames
from study.chosen_model import ChosenModel
from study.published import read_averages
from study.spec import Study
from tasks.cost_figure import draw_cost_figure
from tasks.figures import DrawnFigure, draw_model_figures, draw_sweep_figures


@task(name="draw figures", task_run_name="draw figures", cache_policy=NO_CACHE, persist_result=False)
def draw_figures(study: Study, frames: RunFrames, folder: Path) -> list[DrawnFigure]:
    """Draw accuracy and time of each sweep, and what the run cost against what was predicted."""
    averages = read_averages(study.published)
    drawn = [
        figure
        for exercise in study.sweeps
        for figure in draw_sweep_figures(study, exercise, frames.trials, frames.summary, averages, folder)
    ]
    return drawn + draw_cost_figure(frames.trainings, folder)


@task(name="draw the model", task_run_name="draw the model", cache_policy=NO_CACHE, persist_result=False)
def draw_model(study: Study, frames: RunFrames, chosen: ChosenModel, folder: Path) -> list[DrawnFigure]:
    """Draw learning curves and confusion matrix of the chosen model."""
    assert study.model is not None  # only that exercise chooses one
    return draw_model_figures(chosen, frames.epochs, folder, study.model.number)
