"""What a person sees in the Prefect UI beside the DAG: progress, tables, figures and the report."""

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

import pandas as pd
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from flows.progress import Standing
from flows.summary_table import list_cells
from storage.tables import RunFrames
from tasks.recorded import Picture
from tasks.report import Report

if TYPE_CHECKING:
    from tasks.figure_style import DrawnFigure

logger = logging.getLogger(__name__)

MOST_BYTES = 200_000
"""Largest picture to inline: artifacts live in the server's database."""


class ProgressArtifact:
    """The sweep's progress in the UI, updated at most once a second.

    From a thread of its own: where the server does not answer, Prefect tries again for a minute, and lanes
    are not to wait for that.
    """

    def __init__(self) -> None:
        created = create_progress_artifact(0.0, key="training-progress", description="Trainings finished")
        self._id = cast(UUID, created)  # a coroutine only where it is called from one
        self._latest: queue.Queue[Standing] = queue.Queue(1)
        threading.Thread(target=self._update, name="progress artifact", daemon=True).start()

    def show(self, standing: Standing) -> None:
        """Have the artifact updated; what has not been shown yet is overtaken."""
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
                    logger.warning("Prefect's server does not answer; the run goes on without it: %s", error)
                is_told = True
            time.sleep(1)


def show_picture(key: str, path: Path, caption: str, alt: str) -> None:
    """Show a small PNG as a markdown artifact with its caption; a large one by its path only."""
    content = path.read_bytes()
    if len(content) > MOST_BYTES:
        create_markdown_artifact(f"{caption}\n\n{path}", key=key, description=alt)
        return
    picture = f"![{alt}](data:image/png;base64,{base64.b64encode(content).decode()})"
    create_markdown_artifact(f"{picture}\n\n{caption}", key=key, description=alt)


def show_summary(summary: pd.DataFrame) -> None:
    """Show the summary as a table artifact, accuracies in percent."""
    create_table_artifact(list_cells(summary), key="summary", description="Test accuracy of each setting")


def show_results(
    frames: RunFrames, figures: "Sequence[DrawnFigure]", pictures: Sequence[Picture], report: Report
) -> None:
    """Show summary, pictures and report of a run; a server that does not answer is no failure."""
    try:
        _show_results(frames, figures, pictures, report)
    except Exception as error:
        logger.warning("the results are published, but cannot be shown in Prefect's UI: %s", error)


def _show_results(
    frames: RunFrames, figures: "Sequence[DrawnFigure]", pictures: Sequence[Picture], report: Report
) -> None:
    show_summary(frames.summary)
    for picture in pictures:
        show_picture(f"{picture.name}-images", picture.png, picture.caption, picture.alt)
    for figure in figures:
        show_picture(figure.name, figure.png, figure.caption, figure.alt)
    create_markdown_artifact(report.text, key="report", description=f"Report: {report.html}")
