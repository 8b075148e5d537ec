"""The summary of a run for the terminal."""

import pandas as pd
from rich.console import Console
from rich.table import Table

from flows.artifacts import interval, percent
from flows.progress import describe_seconds
from storage.tables import RunFrames


def print_summary(frames: RunFrames) -> None:
    """Print the summary to standard output; wide enough for its columns where that is not a terminal."""
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(draw_summary(frames))


def draw_summary(frames: RunFrames) -> Table:
    """A table of each setting's mean test accuracy beside the published average."""
    run = frames.run
    title = f"{run.study}: {run.status}, {run.trials} trials, {run.failed_trials} failed, "
    title += (
        f"{run.trainings} trainings ({run.reused_trainings} reused), {describe_seconds(run.wall_seconds)}"
    )
    table = Table(title=title, caption="test accuracy in percent; 95% t interval of the mean")
    for name in ("ex.", "setting", "n", "mean", "95% interval", "published", "difference", "time"):
        table.add_column(name, justify="left" if name == "setting" else "right")
    previous = None
    for row in frames.summary.itertuples():
        if previous not in (None, row.exercise):
            table.add_section()
        previous = row.exercise
        table.add_row(
            str(row.exercise),
            str(row.setting),
            f"{row.trials}" + (f" ({row.failed_trials} failed)" if row.failed_trials else ""),
            percent(row.mean_accuracy),
            interval(row.low_accuracy, row.high_accuracy),
            percent(row.published_accuracy),
            "–" if pd.isna(row.difference) else f"{100 * row.difference:+.2f}",
            "–" if pd.isna(row.mean_training_seconds) else f"{row.mean_training_seconds:.1f} s",
        )
    return table


def describe_failures(frames: RunFrames) -> str:
    """Every failed trial with its reason, a line each."""
    failed = frames.trials[frames.trials["status"] == "failed"]
    lines = [
        f"  exercise {row.exercise} {row.setting} seed={row.seed}: {row.reason}"
        for row in failed.itertuples()
    ]
    return "\n".join([f"{len(failed)} of {len(frames.trials)} trials failed:", *lines])
