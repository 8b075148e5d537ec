"""Draw every figure of a run from its published tables."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.tables import RunFrames
from study.chosen_model import ChosenModel
from study.published import read_averages
from study.spec import Study
from tasks.figures import DrawnFigure, draw_model_figures, draw_sweep_figures


@task(name="draw figures", task_run_name="draw figures", cache_policy=NO_CACHE, persist_result=False)
def draw_figures(
    study: Study, frames: RunFrames, chosen: ChosenModel | None, folder: Path
) -> list[DrawnFigure]:
    """Draw accuracy and time of each sweep, and learning curves and confusion matrix of the chosen model."""
    averages = read_averages(study.published)
    drawn = [
        figure
        for exercise in study.sweeps
        for figure in draw_sweep_figures(study, exercise, frames.trials, frames.summary, averages, folder)
    ]
    if chosen is not None and study.model is not None:
        drawn += draw_model_figures(chosen, frames.epochs, folder, study.model.number)
    return drawn
