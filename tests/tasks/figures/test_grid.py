"""The heat map of a grid: what it shows, in its order, and what its words say."""

import numpy as np

from study.spec.study import Study
from study.spec.sweeps import GridSweep
from tasks.figures.grid import draw_grid_figure, mean_grid
from tests.rows import make_study, make_summary, make_trials
from tests.small_run import changed
from tests.tasks.figures.pictures import assert_is_picture

GRID = GridSweep(
    number=9, kind="sweep", title="T", question="Q?", repeats=3,
    grid={"filters": (64, 8), "schedule": ("constant", "cosine"), },
)  # fmt: skip


def _study() -> Study:
    return make_study().model_copy(update={"exercises": (GRID,), "published": None})


def test_rows_and_columns_are_in_the_order_of_the_study():
    summary = make_summary(make_trials(_study()))
    rows = {row.value: row for row in summary}
    means = mean_grid(GRID, rows)
    assert [[row.setting for row in summary][:2], means.shape] == [
        ["filters=64, schedule=constant", "filters=64, schedule=cosine"], (2, 2)
    ]  # fmt: skip
    assert means[1, 0] == 100 * rows[3.0].mean_accuracy


def test_every_cell_is_drawn_with_the_best_named_and_those_without_a_trial_dashed(tmp_path):
    low = {1.0: 0.9, 2.0: 0.88, 3.0: 0.1, 4.0: None}
    summary = [changed(row, mean_accuracy=low[row.value]) for row in make_summary(make_trials(_study()))]
    (drawn,) = draw_grid_figure(GRID, summary, tmp_path)
    assert_is_picture(drawn)
    assert drawn.name == "exercise-9-grid"
    assert drawn.caption.startswith("Mean test accuracy in percent; n = 3 a setting. Darker: more accurate.")
    assert drawn.alt == (
        "Heat map of the mean test accuracy of 4 combinations: rows by number of filters, columns by "
        "schedule (constant, cosine). 64: 90.0, 88.0; 8: 10.0, –. Highest: 90.0 with "
        "64 filters and schedule constant."
    )


def test_a_mean_far_below_does_not_bleach_the_others(tmp_path):
    low = {1.0: 0.9, 2.0: 0.88, 3.0: 0.1, 4.0: 0.89}
    summary = [changed(row, mean_accuracy=low[row.value]) for row in make_summary(make_trials(_study()))]
    (drawn,) = draw_grid_figure(GRID, summary, tmp_path)
    assert drawn.caption.endswith("Framed: the highest mean. Means below 88.0% have the lightest shade.")


def test_a_grid_without_a_completed_trial_has_no_figure(tmp_path):
    assert draw_grid_figure(GRID, [], tmp_path) == []
    assert np.isnan(mean_grid(GRID, {})).all()
