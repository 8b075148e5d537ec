"""The style of all figures: the ticks of a log axis, and the names that its font can write."""

import numpy as np
import pytest

from tasks.figures.style import drawable, new_figure, show_log


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([5000.0, 5000.0], ["4,000", "4,800", "5,600", "6,400"]),
        ([0.31], ["0.25", "0.3", "0.35", "0.4"]),
        ([421_000, 1_263_000], ["600,000", "900,000", "1,200,000"]),
        ([9, 120], ["10", "100"]),
        ([0.5, 2.9], ["1", "3"]),
        ([900, 5_263_000], ["1,000", "10,000", "100,000", "1,000,000"]),
    ],
)
def test_a_log_axis_has_two_labels_at_least_however_near_or_far_its_values_are(
    values: list[float], labels: list[str]
):
    with new_figure("A title", 3.0) as figure:
        axes = figure.add_subplot()
        show_log(axes, "x", np.array(values))
        figure.canvas.draw()
        assert [each.get_text() for each in axes.get_xticklabels()] == labels
        low, high = axes.get_xlim()
        assert low < min(values) <= max(values) < high


@pytest.mark.parametrize("values", [np.geomspace(1, 10**power, 5) for power in np.linspace(0, 9, 40)])
def test_a_log_axis_never_has_fewer(values: np.ndarray):
    for start in (1e-3, 0.7, 47.0):
        with new_figure("A title", 3.0) as figure:
            axes = figure.add_subplot()
            show_log(axes, "y", start * values)
            assert 2 <= len(axes.get_yticks()) <= 6


def test_a_name_that_the_font_lacks_letters_of_is_replaced():
    assert drawable("größer, ≥ 2 × 3", "name 1") == "größer, ≥ 2 × 3"
    assert drawable("已发表的最优", "name 1") == drawable("best 🏆", "name 1") == "name 1"
