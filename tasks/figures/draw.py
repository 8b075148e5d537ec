"""Draw every figure of a run from its published tables."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from storage.results import Results
from storage.tables import RunTables, list_nights
from study.spec import GridSweep, Study
from tasks.step import step
from tasks.tables import read_averages_of, read_model

if TYPE_CHECKING:
    from tasks.figures.style import DrawnFigure

logger = logging.getLogger(__name__)


@step("draw figures")
def draw_figures(study: Study, results: Results, tables: RunTables) -> "list[DrawnFigure]":
    """Draw sweeps, search, model, costs and, for a night, its history, each as PNG and SVG.

    Raises:
        OSError: the folder cannot be written to.
    """
    from tasks.figures import (  # late, with matplotlib: at a run's end
        cost,
        curves,
        grid,
        model,
        search,
        sweeps,
    )

    logger.info("drawing the figures")
    folder, trials, drawn = results.figures(tables.run.run_id), tables.trials, []
    averages, chosen = read_averages_of(tables), read_model(tables)
    for exercise in study.sweeps:
        drawn += sweeps.draw_sweep_figures(study, exercise, trials, tables.summary, averages, folder)
        drawn += curves.draw_curve_figures(study, exercise, trials, tables.epochs, folder)
        if isinstance(exercise, GridSweep):
            drawn += grid.draw_grid_figure(exercise, tables.summary, folder)
    drawn += search.draw_search_figures(study, trials, tables.search, tables.finals, folder)
    if chosen is not None and study.optimum is not None and study.model_exercise is not None:
        drawn.append(model.draw_learning_curves(chosen, tables.epochs, folder, study.optimum.number))
        drawn.append(model.draw_confusion(chosen, folder, study.model_exercise.number))
    drawn += cost.draw_cost_figure(tables.trainings, folder)
    return [*drawn, *draw_nights(study, results, tables, folder)]


def draw_nights(study: Study, results: Results, tables: RunTables, folder: Path) -> "list[DrawnFigure]":
    """Draw the nights up to a run; nothing if the run was no night, or there are fewer than two.

    Raises:
        OSError: the folder cannot be written to.
    """
    from tasks.figures.nights import draw_history_figures

    if not tables.nights:
        return []
    nights = [
        (run, night)
        for run, night in list_nights(results, study.name)
        if run.protocol == study.protocol and run.started_at <= tables.run.started_at
    ]
    return draw_history_figures(study, nights, folder)
