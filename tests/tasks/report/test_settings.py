"""The report's table of candidates: with the parameters in which any differs from the baseline."""

import pandas as pd

from study.spec.setting import Setting
from study.spec.study import Study
from tasks.report.settings import tabulate_candidates
from tests.frames import make_study, make_summary, make_trials

BEYOND = {"filters": 64, "schedule": "cosine", "augmentation": "flip", "averaging": 0.8, "epochs": 20}


def make_candidates() -> tuple[Study, pd.DataFrame, pd.DataFrame]:
    study = make_study()
    assert study.optimum is not None
    changed = study.optimum.model_copy(
        update={"candidates": {"baseline": {}, "beyond": BEYOND}, "combine": ()}
    )
    study = study.model_copy(update={"exercises": (changed,)})
    trials = make_trials(study)
    return study, trials, make_summary(trials)


def test_augmentation_schedule_and_averaging_are_columns_where_a_candidate_has_them():
    study, trials, summary = make_candidates()
    table = tabulate_candidates(study.baseline, trials, summary, "beyond")
    assert table.header[:6] == ("Candidate", "Filters", "Schedule", "Augmentation", "Averaging", "Epochs")
    cells = {row[0]: row[1:6] for row in table.rows}
    assert cells["baseline"] == ("32", "constant", "none", "0", "5")
    assert cells["beyond (kept)"] == ("64", "cosine", "flip", "0.8", "20")


def test_what_an_old_run_did_not_record_is_no_column():
    study, trials, summary = make_candidates()
    old = trials.assign(schedule=None, augmentation=None, averaging=float("nan"))
    table = tabulate_candidates(study.baseline, old, summary, None)
    assert table.header[:3] == ("Candidate", "Filters", "Epochs")


def test_candidates_like_the_baseline_have_no_parameters_to_tell():
    study, trials, summary = make_candidates()
    alike = trials.assign(
        **{name: value for name, value in Setting().model_dump().items() if value is not None}
    )
    assert tabulate_candidates(study.baseline, alike, summary, None).header[:2] == ("Candidate", "n")
