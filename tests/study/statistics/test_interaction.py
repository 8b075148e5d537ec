import numpy as np
import pytest
from scipy import stats

from study.statistics.interaction import Cells, average_effects, find_interactions, reference_cell


def _cells(means: list[list[float]], seeds: int = 5, spread: float = 0.002, key: int = 1) -> Cells:
    """Readings around means, the seeds shifting all cells alike."""
    random = np.random.default_rng(key)
    shared = random.normal(0, 0.02, seeds)
    return {
        (row, column): dict(enumerate(mean + shared + random.normal(0, spread, seeds)))
        for row, line in enumerate(means)
        for column, mean in enumerate(line)
    }


def test_of_two_by_two_it_is_the_paired_test_of_the_difference_of_differences():
    cells = _cells([[0.80, 0.82], [0.84, 0.89]])
    ((place, found),) = find_interactions(cells).items()
    values = {cell: np.array(list(each.values())) for cell, each in cells.items()}
    by_seed = values[1, 1] - values[1, 0] - values[0, 1] + values[0, 0]
    expected = stats.ttest_1samp(by_seed, 0)
    assert place == (1, 1)
    assert found.difference == pytest.approx(by_seed.mean())
    assert found.corrected.p_value == pytest.approx(expected.pvalue)
    assert found.corrected.interval == pytest.approx(tuple(expected.confidence_interval()))
    assert (found.before, found.after) == pytest.approx((0.02, 0.05), abs=0.005)
    assert found.differs


def test_what_only_adds_up_is_no_interaction_however_much_the_seeds_differ():
    cells = _cells([[0.80, 0.82, 0.85], [0.84, 0.86, 0.89]])
    assert not any(each.differs for each in find_interactions(cells).values())
    effects = average_effects(cells, 0)
    assert effects[0, 1].differs
    assert effects[0, 1].difference == pytest.approx(0.04, abs=0.003)
    assert list(average_effects(cells, 1)) == [(0, 1), (0, 2)]


def test_p_values_are_corrected_by_holm_for_their_number():
    found = find_interactions(_cells([[0.8, 0.8, 0.8], [0.8, 0.8, 0.85]], spread=0.01))
    first, second = sorted(found.values(), key=lambda each: each.corrected.difference.p_value)
    assert first.corrected.p_value == pytest.approx(2 * first.corrected.difference.p_value)
    assert second.corrected.p_value == max(first.corrected.p_value, second.corrected.difference.p_value)


def test_missing_cells_and_seeds_are_left_out():
    cells = dict(_cells([[0.8, 0.8, 0.8], [0.8, 0.8, 0.8], [0.8, 0.8, 0.8]]))
    del cells[0, 0]
    cells[2, 2] = {0: 0.8, 1: 0.81}
    assert reference_cell(cells) == (1, 1)
    found = find_interactions(cells)
    assert {place: each.seeds for place, each in found.items()} == {(0, 2): 5, (2, 0): 5, (2, 2): 2}
    assert find_interactions({}) == {}
    assert average_effects({}, 0) == {}
    assert find_interactions({(0, 0): {1: 0.8}, (0, 1): {1: 0.8}, (1, 0): {1: 0.8}, (1, 1): {1: 0.9}}) == {}


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("spreads", [(1, 1, 1, 1, 1, 1), (1, 1, 1, 1, 1, 5), (1, 5, 1, 5, 1, 5)])
def test_at_most_five_percent_of_studies_without_interaction_name_one(seeds: int, spreads: tuple[int, ...]):
    random, studies = np.random.default_rng(7), 2000
    readings = random.normal(size=(studies, 6, seeds)) * np.reshape(spreads, (1, 6, 1))
    named = 0
    for each in readings:
        cells = {(place // 3, place % 3): dict(enumerate(values)) for place, values in enumerate(each)}
        named += any(found.differs for found in find_interactions(cells).values())
    assert named / studies < 0.05 + 3 * (0.05 * 0.95 / studies) ** 0.5
