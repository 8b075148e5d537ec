"""Show progress and report in the Prefect UI, next to the DAG; print a run's summary."""

import logging
import queue
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import cast
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import get_client
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.shown.progress import SweepState, print_table
from storage.tables import RunTables, SummaryRow
from study.status import Status
from study.wording import MISSING, duration, interval, percent, points
from tasks.report import Report


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

REMOVING_SECONDS = 10.0


class ProgressArtifact:
    """The sweep's progress in the UI, updated at most once a second.

    A thread of its own updates it: if the server does not answer, Prefect tries again for a minute, and lanes
    must not wait for that.
    """

    def __init__(self) -> None:
        created = create_progress_artifact(0.0, key="training-progress", description="Trainings finished")
        self._id = cast(UUID, created)  # a coroutine only if a coroutine calls it
        self._latest: queue.Queue[SweepState | None] = queue.Queue(1)
        self._thread = threading.Thread(target=self._update, name="progress artifact", daemon=True)
        self._thread.start()

    def show(self, standing: SweepState | None) -> None:
        """Queue a state for the artifact; it replaces one that is not shown yet; None removes it."""
        with suppress(queue.Empty):
            self._latest.get_nowait()
        with suppress(queue.Full):
            self._latest.put_nowait(standing)

    def remove(self) -> None:
        """Remove it, once the report is there to be read instead; not later than `REMOVING_SECONDS`."""
        self.show(None)
        self._thread.join(REMOVING_SECONDS)

    def _update(self) -> None:
        is_told = False
        while True:
            standing = self._latest.get()
            try:
                if standing is None:
                    with get_client(sync_client=True) as client:
                        client.delete_artifact(self._id)
                    return
                update_progress_artifact(self._id, 100 * standing.fraction, description=str(standing))
            except Exception as error:
                if not is_told:
                    logger.warning(
                        "Prefect's server does not answer; the run continues without it: %s", error
                    )
                is_told = True
            if standing is None:
                return
            time.sleep(1)


def show_report(report: Report) -> None:
    """Show the report of a published run, its answers first; warn if the server does not answer."""
    where = f"`{report.html}` on {socket.gethostname()}"
    try:
        create_markdown_artifact(
            f"This report as a file: {where}\n\n{report.text}",
            key="report",
            description="Answers, figures and tables",
        )
    except Exception as error:
        logger.warning("the results are published, but cannot be shown in Prefect's UI: %s", error)
