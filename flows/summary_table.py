"""The summary of a run as a table: for the terminal and for Prefect's pages."""

from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from storage.tables import RunFrames
from study.wording import MISSING, duration, interval, percent, points


def list_cells(summary: pd.DataFrame) -> list[dict[str, str]]:
    """The text of each setting's cells, by column; accuracies in percent."""
    rows: list[dict[str, Any]] = [dict(row) for _, row in summary.iterrows()]
    return [
        {
            "ex.": str(row["exercise"]),
            "setting": row["setting"],
            "n": f"{row['trials']}" + (f" ({row['failed_trials']} failed)" if row["failed_trials"] else ""),
            "mean": percent(row["mean_accuracy"], sign=False),
            "95% interval": interval(row["low_accuracy"], row["high_accuracy"]),
            "published": percent(row["published_accuracy"], sign=False),
            "difference": points(row["difference"]),
            "time": MISSING
            if pd.isna(row["mean_training_seconds"])
            else duration(row["mean_training_seconds"]),
        }
        for row in rows
    ]


def print_summary(frames: RunFrames) -> None:
    """Print the summary to standard output; wide enough for its columns where that is not a terminal."""
    console = Console()
    if frames.summary.empty:
        console.print(f"{frames.run.study}: {frames.run.status}, no trials")
    else:
        (console if console.is_terminal else Console(width=120)).print(draw_summary(frames))


def draw_summary(frames: RunFrames) -> Table:
    """A table of each setting's mean test accuracy beside the published average."""
    run = frames.run
    title = f"{run.study}: {run.status}, {run.trials} trials, {run.failed_trials} failed, "
    title += f"{run.trainings} trainings ({run.reused_trainings} reused), {duration(run.wall_seconds)}"
    table = Table(title=title, caption="test accuracy in percent, 95% t interval of its mean; training time")
    cells = list_cells(frames.summary)
    for name in cells[0]:
        table.add_column(name, justify="left" if name == "setting" else "right")
    for number, row in enumerate(cells, start=1):
        is_last = number == len(cells) or cells[number]["ex."] != row["ex."]
        # A candidate's name is the study's own text: `[b]` in it is no markup.
        table.add_row(*map(escape, row.values()), end_section=is_last)
    return table


def describe_failures(frames: RunFrames) -> str:
    """Every failed trial with its reason, a line each."""
    failed = frames.trials[frames.trials["status"] == "failed"]
    lines = [
        f"  exercise {row['exercise']} {row['setting']} seed={row['seed']}: {row['reason']}"
        for _, row in failed.iterrows()
    ]
    return "\n".join([f"{len(failed)} of {len(frames.trials)} trials failed:", *lines])
