"""A study of words, of a grid and of values taken together: one run, its tables, report, replay and reuse."""

from pathlib import Path

import pytest

from storage.results import results_at
from storage.tables.published import read_run
from storage.tables.rows_of_findings import SummaryRow
from tests.command import run_study, study
from tests.recomputed import find_differences

QUESTIONS = """
name: questions
title: Three questions
data: {train_images: 640, test_images: 200}
baseline: {filters: 2, dense_units: 8, epochs: 1}
exercises:
  - {number: 2, kind: sweep, title: Grid, question: Do they interact?, repeats: 2,
     grid: {filters: [2, 4], schedule: [cosine, constant]}}
  - {number: 3, kind: sweep, title: Words, question: Which?, repeats: 2, parameter: augmentation,
     values: [shift, none]}
  - {number: 4, kind: sweep, title: Pairs, question: Which?, repeats: 2,
     zip: {learning_rate: [0.05, 0.01], batch_size: [64, 32]}}
  - {number: 7, kind: optimum, title: Optimum, question: What is best?, combine: [2, 3, 4]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, server: None) -> Path:
    """A folder with the study and its finished run."""
    folder = tmp_path_factory.mktemp("questions")
    (folder / "questions.yaml").write_text(QUESTIONS)
    ended = run_study("questions.yaml", folder=folder)
    assert ended.code == 0, ended.err
    return folder


def test_trials_and_comparisons_name_their_settings_and_equal_settings_share_trainings(folder: Path):
    tables = read_run(results_at(folder / "results"), None)
    named = {(row.exercise, row.parameter, row.value): row.setting for row in tables.summary}
    assert named[2, "filters, schedule", 3.0] == "filters=4, schedule=cosine"
    assert named[3, "augmentation", 1.0] == "augmentation=shift"
    assert named[4, "learning_rate, batch_size", 2.0] == "learning_rate=0.01, batch_size=32"
    keys = {(row.setting, row.seed): row.key for row in tables.trials}
    same = ("filters=2, schedule=constant", "augmentation=none", "learning_rate=0.01, batch_size=32")
    assert len({keys[setting, 1] for setting in same}) == 1
    for row in tables.comparisons:
        assert (row.first_setting, row.second_setting) == (
            named[row.exercise, row.parameter, row.first_value],
            named[row.exercise, row.parameter, row.second_value],
        )
    assert list(find_differences(folder / "results", tables.run.run_id)) == []
    best: dict[int, SummaryRow] = {}
    for row in tables.summary:
        before = best.setdefault(row.exercise, row)
        if (row.mean_validation_accuracy or 0) > (before.mean_validation_accuracy or 0):
            best[row.exercise] = row
    combined = next(row for row in tables.trials if row.setting == "combination")
    assert f"augmentation={combined.augmentation}" == best[3].setting
    assert f"filters={combined.filters}, schedule={combined.schedule}" == best[2].setting


def test_the_report_has_heat_map_answer_and_tables(folder: Path):
    (page,) = folder.glob("results/runs/*/report.md")
    text = page.read_text(encoding="utf-8")
    assert "figures/exercise-2-grid.png" in text
    assert "filters and schedule" in text
    assert "| shift | 2 | " in text
    assert "| 0.05, 64 | 2 | " in text


def test_a_row_of_a_grid_and_one_of_words_are_replayed_and_a_second_run_trains_nothing(folder: Path):
    for row in ("2/filters=4, schedule=cosine/2", "3/augmentation=shift/1"):
        assert "1 equal" in study("replay", "--trial", row, "--lanes", 0, folder=folder).out
    assert "0 to train" in study("plan", "questions.yaml", folder=folder).out
