"""A run compared with published readings: mutations of them flip what they should, and nothing else."""

import random
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from study.conclusions.replication import Replication, compare_with_published
from study.spec.published import read_averages
from study.spec.study import Study
from study.spec.study_file import read_study
from study.wording import points

LAB = read_study("lab")
SOURCE = LAB.published
assert SOURCE is not None and SOURCE.readings is not None


def _ours(repeats: int = 30, spread: float = 0.003) -> dict:
    """Readings of the lab's settings around the published averages, from a seed of their own."""
    rng = np.random.default_rng(8)
    return {
        cell: dict(enumerate(rng.normal(average.accuracy, spread, repeats)))
        for cell, average in read_averages(LAB.published).items()
    }


def _mutated(folder: Path, exercise: str, value: str, by: float) -> Study:
    """The lab study with every published reading and the average of one cell moved."""
    for path, column in ((SOURCE.averages, 4), (SOURCE.readings, 4)):
        lines = path.read_text("utf-8").splitlines()
        for place, line in enumerate(lines):
            cells = line.split(",")
            if cells[0] == exercise and cells[2] == value:
                cells[column] = str(float(cells[column]) + by)
                lines[place] = ",".join(cells)
        (folder / path.name).write_text("\n".join(lines) + "\n", "utf-8")
    files = {"averages": folder / SOURCE.averages.name, "readings": folder / SOURCE.readings.name}
    return LAB.model_copy(update={"published": SOURCE.model_copy(update=files)})


def _verdicts(held: Replication) -> dict:
    return {
        (each.published.exercise, each.published.value): each.agreement.verdict
        for each in held.cells
        if each.agreement is not None
    }


def test_the_differences_are_pooled_by_exercise_and_in_all_with_the_baselines_readings_counted_once():
    ours = {
        cell: {seed: each - 0.007 for seed, each in readings.items()} for cell, readings in _ours(5).items()
    }
    pooled = {each.subject: each for each in compare_with_published(LAB, ours).pooled}
    assert list(pooled) == ["All settings", *(f"Exercise {number}" for number in (2, 3, 4, 5, 6))]
    whole = pooled["All settings"]
    assert (whole.settings, whole.differs) == (26, True)
    assert whole.low < -0.007 < whole.high
    assert whole.found.startswith("ours are lower in 2")
    alike = compare_with_published(LAB, _ours(5)).pooled[0]
    assert not alike.differs


def test_what_the_best_epochs_would_explain_is_told():
    ours = _ours(5)
    best = {cell: {seed: each + 0.004 for seed, each in readings.items()} for cell, readings in ours.items()}
    whole = compare_with_published(LAB, ours, best).pooled[0]
    assert whole.found.endswith(
        f"; at each training's best epoch it would be {points(whole.difference + 0.004)} points"
    )


def test_a_setting_with_a_collapsed_trial_is_undecided_whatever_its_interval_holds():
    def judged(ours: dict) -> str:
        cells = compare_with_published(LAB, ours).cells
        return next(each.agreement.verdict for each in cells if each.published.cell == (5, 0.1))

    ours = _ours(5)
    assert judged(ours) != "undecided"
    assert judged(ours | {(5, 0.1): {**ours[5, 0.1], 1: 0.1}}) == "undecided"


def test_a_band_of_the_baseline_is_judged_with_the_seeds_of_every_exercise_that_has_it():
    ours = {(4, 5.0): {1: 0.895, 2: 0.894}, (2, 32.0): {1: 0.895, 2: 0.894, 3: 0.896, 4: 0.8955, 5: 0.8945}}
    band = compare_with_published(LAB, ours).bands[0]
    assert (band.claim, band.verdict) == ("Baseline (5 epochs)", "inside")
    assert band.found.startswith("89.50% (89.4")


@pytest.mark.parametrize("cell", [(2, 64.0), (4, 20.0), (5, 0.01)])
@pytest.mark.parametrize("by", [2.0, -2.0])
def test_a_published_cell_moved_by_two_points_flips_exactly_its_verdict(
    tmp_path: Path, cell: tuple[int, float], by: float
):
    before = _verdicts(compare_with_published(LAB, _ours()))
    after = _verdicts(compare_with_published(_mutated(tmp_path, str(cell[0]), f"{cell[1]:g}", by), _ours()))
    assert before[cell] != "differs"
    assert {each for each in before if before[each] != after[each]} == {cell}
    assert after[cell] == "differs"


def test_shuffled_repeats_change_nothing():
    rng = random.Random(2)
    ours = _ours()
    shuffled = {cell: dict(rng.sample(list(each.items()), len(each))) for cell, each in ours.items()}
    first, second = compare_with_published(LAB, ours), compare_with_published(LAB, shuffled)
    assert _verdicts(first) == _verdicts(second)
    words = [
        [*((each.found, each.verdict) for each in found.bands), *(each.ours.reason for each in found.claims)]
        for found in (first, second)
    ]
    assert words[0] == words[1]


def test_many_repeats_around_the_published_means_agree_where_those_are_known_well_enough():
    verdicts = _verdicts(compare_with_published(LAB, _ours(repeats=100)))
    assert verdicts[2, 64.0] == "agrees"
    assert verdicts[3, 64.0] == "consistent"  # of how many readings is not stated: one at worst
    assert "differs" not in verdicts.values()


def test_a_cell_that_was_not_measured_has_no_verdict():
    held = compare_with_published(LAB, {(2, 8.0): {1: 0.89, 2: 0.892}})
    measured = [each for each in held.cells if each.agreement is not None]
    assert [each.subject for each in measured] == ["8 filters"]
    assert {band.verdict for band in held.bands} == {"not measured"}
    assert {claim.ours.verdict for claim in held.claims} == {"not measured"}


def test_the_eight_bands_of_the_lab_study_speak_of_what_it_measures():
    held = compare_with_published(LAB, {**_ours(), (7, None): {1: 0.92}})
    assert len(held.bands) == 8
    assert "not measured" not in {band.verdict for band in held.bands}
    assert len(held.claims) == 10
    assert "not measured" not in {claim.ours.verdict for claim in held.claims}


def test_a_study_without_published_values_is_held_against_nothing():
    alone = LAB.model_copy(update={"published": None})
    assert compare_with_published(alone, _ours()) == Replication((), (), ())


def test_cells_of_exercises_that_did_not_run_are_left_out():
    held = compare_with_published(LAB.only(frozenset({5})), _ours())
    assert {each.published.exercise for each in held.cells} == {5}


@pytest.mark.parametrize(("repeats", "verdict"), [(30, "agrees"), (1, "undecided")])
def test_averages_alone_are_taken_to_spread_as_ours_do(repeats: int, verdict: str):
    averages = SOURCE.model_copy(update={"readings": None, "deviation": None})
    alone = LAB.model_copy(update={"published": averages})
    held = compare_with_published(alone, _ours(repeats))
    assert _verdicts(held)[2, 64.0] == verdict
    assert {claim.theirs.verdict for claim in held.claims} == {"not measured"}


def test_a_mean_that_does_not_say_of_how_many_readings_it_is_counts_as_one():
    alone = SOURCE.model_copy(update={"readings": None, "deviation": 0.004, "bands": (), "claims": ()})
    study = LAB.model_copy(update={"published": alone})
    ours = {(3, 64.0): {1: 0.89, 2: 0.894, 3: 0.892}}
    (cell,) = [each for each in compare_with_published(study, ours).cells if each.agreement is not None]
    assert cell.published.readings is None
    assert (cell.subject, cell.trials, cell.mean) == ("64 units", 3, pytest.approx(0.892))
    error = 0.002**2 / 3, 0.004**2 / 1
    freedom = sum(error) ** 2 / (error[0] ** 2 / 2)
    half = stats.t.ppf(0.975, freedom) * sum(error) ** 0.5
    assert cell.agreement is not None
    assert (cell.agreement.low, cell.agreement.high) == pytest.approx(
        (0.892 - cell.published.accuracy - half, 0.892 - cell.published.accuracy + half)
    )


@pytest.mark.parametrize(
    ("exercise", "values", "are_undecided"),
    [(4, (1.0, 2.0, 5.0, 10.0, 20.0), False), (2, (8.0, 16.0, 32.0, 64.0, 128.0), True)],
)
def test_claims_of_epochs_are_judged_seed_by_seed_and_those_of_other_sweeps_are_not(
    exercise: int, values: tuple[float, ...], are_undecided: bool
):
    # Seeds differ far more than values do: only pairs can tell.
    seeds = (0.82, 0.86, 0.90, 0.94)
    ours = {
        (exercise, value): {
            seed: mean + (place + 0.01 * seed * place) / 100 for seed, mean in enumerate(seeds)
        }
        for place, value in enumerate(values)
    }
    claims = [each for each in compare_with_published(LAB, ours).claims if each.exercise == exercise]
    assert claims
    assert {each.ours.verdict == "undecided" for each in claims} == {are_undecided}
