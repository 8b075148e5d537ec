"""Draw every figure of a run from its published tables."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from storage.results import Results
from storage.tables import RunTables, list_nights
from study.spec import Study
from tasks.step import step
from tasks.tables import read_averages_of, read_model

if TYPE_CHECKING:
    from tasks.figures.style import DrawnFigure

logger = logging.getLogger(__name__)


@step("draw figures")
def draw_figures(study: Study, results: Results, tables: RunTables) -> "list[DrawnFigure]":
    """Draw sweeps, search, model, costs and, for a night, its history.

    Args:
        study: The study as it ran.
        results: The folder of the figures and the earlier nights.
        tables: The run's rows.

    Raises:
        OSError: the folder cannot be written to.
    """
    logger.info("drawing the figures")
    folder = results.figures(tables.run.run_id)
    drawn = [*_draw_sweeps(study, tables, folder), *_draw_search(study, tables, folder)]
    drawn += _draw_model(study, tables, folder)
    drawn += _draw_cost(tables, folder)
    return [*drawn, *draw_nights(study, results, tables, folder)]


def _draw_sweeps(study: Study, tables: RunTables, folder: Path) -> "list[DrawnFigure]":
    from tasks.figures.curves import draw_curve_figures
    from tasks.figures.sweeps import draw_sweep_figures

    averages, trials = read_averages_of(tables), tables.trials
    drawn = []
    for exercise in study.sweeps:
        drawn += draw_sweep_figures(study, exercise, trials, tables.summary, averages, folder)
        drawn += draw_curve_figures(study, exercise, trials, tables.epochs, folder)
    return drawn


def _draw_search(study: Study, tables: RunTables, folder: Path) -> "list[DrawnFigure]":
    if not tables.search:
        return []
    from tasks.figures.search import draw_search_figures

    return draw_search_figures(study, tables.trials, tables.search, tables.finals, folder)


def _draw_model(study: Study, tables: RunTables, folder: Path) -> "list[DrawnFigure]":
    from tasks.figures.model import draw_confusion, draw_learning_curves

    chosen = read_model(tables)
    if chosen is None or study.optimum is None or study.model is None:
        return []
    curves = draw_learning_curves(chosen, tables.epochs, folder, study.optimum.number)
    return [*curves, draw_confusion(chosen, folder, study.model.number)]


def _draw_cost(tables: RunTables, folder: Path) -> "list[DrawnFigure]":
    from tasks.figures.cost import draw_cost_figure

    return draw_cost_figure(tables.trainings, folder)


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
