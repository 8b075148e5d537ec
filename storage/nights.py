"""The nights: the published runs that trained everything fresh, and their verdicts."""

import pandas as pd

from storage.place import Results
from storage.tables import list_runs, read_rows

OF_RUN = ["run_id", "study", "protocol", "status", "started_at", "wall_seconds", "failed_trials"]
"""What each row tells of its run."""


def list_nights(results: Results, study: str | None = None) -> pd.DataFrame:
    """The rows of `nights` with columns `OF_RUN` of their runs, by start of the run and exercise.

    The run's failed trials are `run_failed_trials`.

    Args:
        results: Where the tables lie.
        study: Only this study's.

    Raises:
        InputError: there are runs, and none of their rows can be read.
    """
    runs = list_runs(results)
    if study is not None:
        runs = runs[runs["study"] == study]
    rows = read_rows(results, "nights", runs["run_id"].tolist()).drop(columns="study")
    of_run = runs[OF_RUN].rename(columns={"failed_trials": "run_failed_trials"})
    joined = of_run.merge(rows, on="run_id")
    return joined.sort_values(["started_at", "run_id", "exercise"], ignore_index=True)
