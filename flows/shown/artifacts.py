"""Show progress, tables, figures and the report in the Prefect UI, next to the DAG."""

import base64
import logging
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.shown.progress import SweepState, print_table
from storage.tables import RunTables, SummaryRow
from study.status import Status
from study.wording import MISSING, duration, interval, percent, points
from tasks.report import Report
from tasks.tables import Picture

if TYPE_CHECKING:
    from tasks.figures import DrawnFigure


def list_cells(summary: Sequence[SummaryRow]) -> list[dict[str, str]]:
    """Return the text of each setting's cells, by column; accuracies in percent."""
    return [
        {
            "ex.": str(row.exercise),
            "setting": row.setting,
            "n": f"{row.trials}" + (f" ({row.failed_trials} failed)" if row.failed_trials else ""),
            "mean": percent(row.mean_accuracy, sign=False),
            "95% interval": interval(row.low_accuracy, row.high_accuracy),
            "published": percent(row.published_accuracy, sign=False),
            "difference": points(row.difference),
            "time": MISSING if row.mean_training_seconds is None else duration(row.mean_training_seconds),
        }
        for row in summary
    ]


def print_summary(tables: RunTables) -> None:
    """Print the summary to standard output; outside a terminal it is wide enough for its columns."""
    run = tables.run
    if not tables.summary:
        Console().print(f"{run.study}: {run.status}, no trials")
        return
    title = f"{run.study}: {run.status}, {run.trials} trials, {run.failed_trials} failed, "
    title += f"{run.trainings} trainings ({run.reused_trainings} reused), {duration(run.wall_seconds)}"
    table = Table(title=title, caption="test accuracy in percent, 95% t interval of its mean; training time")
    cells = list_cells(tables.summary)
    for name in cells[0]:
        table.add_column(name, justify="left" if name == "setting" else "right")
    following = [*(row.exercise for row in tables.summary[1:]), None]
    for row, texts, after in zip(tables.summary, cells, following, strict=True):
        # A candidate's name comes from the study: `[b]` in it is not markup.
        table.add_row(*map(escape, texts.values()), end_section=row.exercise != after)
    print_table(table, 120)


def describe_failures(tables: RunTables) -> str:
    """List every failed trial with its reason, a line each."""
    lines = [
        f"  exercise {row.exercise} {row.setting} seed={row.seed}: {row.reason}"
        for row in tables.trials
        if row.status == Status.FAILED
    ]
    return "\n".join([f"{len(lines)} of {len(tables.trials)} trials failed:", *lines])


logger = logging.getLogger(__name__)

MAX_BYTES = 200_000
"""Largest picture to inline: artifacts live in the server's database."""


class ProgressArtifact:
    """The sweep's progress in the UI, updated at most once a second.

    A thread of its own updates it: if the server does not answer, Prefect tries again for a minute, and lanes
    must not wait for that.
    """

    def __init__(self) -> None:
        created = create_progress_artifact(0.0, key="training-progress", description="Trainings finished")
        self._id = cast(UUID, created)  # a coroutine only if a coroutine calls it
        self._latest: queue.Queue[SweepState] = queue.Queue(1)
        threading.Thread(target=self._update, name="progress artifact", daemon=True).start()

    def show(self, standing: SweepState) -> None:
        """Queue a state for the artifact; it replaces one that is not shown yet."""
        with suppress(queue.Empty):
            self._latest.get_nowait()
        with suppress(queue.Full):
            self._latest.put_nowait(standing)

    def _update(self) -> None:
        is_told = False
        while True:
            standing = self._latest.get()
            try:
                update_progress_artifact(self._id, 100 * standing.fraction, description=str(standing))
            except Exception as error:
                if not is_told:
                    logger.warning(
                        "Prefect's server does not answer; the run continues without it: %s", error
                    )
                is_told = True
            time.sleep(1)


def show_picture(key: str, path: Path, caption: str, alt: str) -> None:
    """Show a small PNG as a markdown artifact with its caption; of a large one, caption and path."""
    content = path.read_bytes()
    if len(content) > MAX_BYTES:
        create_markdown_artifact(f"{caption}\n\n{path}", key=key, description=alt)
        return
    picture = f"![{alt}](data:image/png;base64,{base64.b64encode(content).decode()})"
    create_markdown_artifact(f"{picture}\n\n{caption}", key=key, description=alt)


def show_results(
    tables: RunTables, figures: "Sequence[DrawnFigure]", pictures: Sequence[Picture], report: Report
) -> None:
    """Show summary, pictures and report of a run; warn if the server does not answer."""
    cells = list_cells(tables.summary)
    try:
        create_table_artifact(cells, key="summary", description="Test accuracy of each setting")
        for picture in pictures:
            show_picture(f"{picture.name}-images", picture.png, picture.caption, picture.alt)
        for figure in figures:
            show_picture(figure.name, figure.png, figure.caption, figure.alt)
        create_markdown_artifact(report.text, key="report", description=f"Report: {report.html}")
    except Exception as error:
        logger.warning("the results are published, but cannot be shown in Prefect's UI: %s", error)
