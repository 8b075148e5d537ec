"""What a run publishes of its readings is what pandas and SciPy alone make of them."""

from pathlib import Path

import pandas as pd

from storage.tables.parts import part_path
from tests.recomputed import find_differences
from tests.toy import FinishedRun


def test_summary_and_comparisons_are_recomputed_from_the_trials(toy_run: FinishedRun, tmp_path: Path):
    assert list(find_differences(toy_run.results.folder, toy_run.run_id)) == []
    copied = toy_run.copied(tmp_path)
    path = part_path(copied.results, "summary", copied.run_id)
    frame = pd.read_parquet(path, partitioning=None)
    frame.loc[0, "mean_accuracy"] += 0.001
    frame.to_parquet(path)
    (difference,) = find_differences(copied.results.folder, copied.run_id)
    assert "mean_accuracy" in difference
