"""The report's table of candidates: with the parameters in which any differs from the baseline."""

from study.conclusions.factors import find_factors
from study.records.readings import SettingReadings
from study.spec.setting import Setting
from study.spec.sweeps import GridSweep
from tasks.report.settings import tabulate_candidates, tabulate_factors
from tests.rows import make_study, make_summary, make_trials
from tests.small_run import changed

BEYOND = {"filters": 64, "schedule": "cosine", "augmentation": "flip", "averaging": 0.8, "epochs": 20}


def test_parameters_are_columns_where_a_candidate_has_another_value_than_the_baseline():
    study = make_study()
    assert study.optimum is not None
    candidates = {"baseline": {}, "beyond": BEYOND}
    optimum = study.optimum.model_copy(update={"candidates": candidates, "combine": ()})
    trials = make_trials(study.model_copy(update={"exercises": (optimum,)}))
    summary = make_summary(trials)
    table = tabulate_candidates(study.baseline, trials, summary, "beyond")
    assert table.header[:6] == ("Candidate", "Filters", "Schedule", "Augmentation", "Averaging", "Epochs")
    cells = {row[0]: row[1:6] for row in table.rows}
    assert cells["baseline"] == ("32", "constant", "none", "0", "5")
    assert cells["beyond (kept)"] == ("64", "cosine", "flip", "0.8", "20")
    alike = [changed(trial, **Setting().model_dump()) for trial in trials]
    assert tabulate_candidates(study.baseline, alike, summary, None).header[:2] == ("Candidate", "n")


def test_a_grid_has_a_row_for_each_average_and_each_interaction_and_marks_the_certain_ones():
    grid = GridSweep(
        number=2, kind="sweep", title="T", question="Q?", repeats=3,
        grid={"filters": (8, 32), "schedule": ("constant", "cosine")},
    )  # fmt: skip
    means = dict(zip(grid.levels, (0.80, 0.81, 0.84, 0.88), strict=True))
    readings = {
        level: SettingReadings({seed: mean + 0.01 * seed for seed in range(3)})
        for level, mean in means.items()
    }
    factors = find_factors(grid, readings)
    assert factors is not None
    table = tabulate_factors(grid, factors)
    assert table is not None
    assert [row[:2] for row in table.rows] == [
        ("8 filters → 32 filters, averaged over schedule", "+5.50"),
        ("schedule constant → schedule cosine, averaged over filters", "+2.50"),
        ("schedule constant → schedule cosine: with 32 filters less with 8 filters", "+3.00"),
    ]
    assert table.marked == {0, 1, 2}
    assert tabulate_factors(grid, find_factors(grid, {}) or factors) is None
