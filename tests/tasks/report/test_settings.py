"""The report's table of candidates: with the parameters in which any differs from the baseline."""

from study.spec.setting import Setting
from tasks.report.settings import tabulate_candidates
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
