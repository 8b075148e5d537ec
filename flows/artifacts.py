"""What a person sees in the Prefect UI beside the DAG: progress, tables, figures and the report."""

import base64
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast
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
from tasks.figures import DrawnFigure
from tasks.report import Report

MOST_BYTES = 200_000
"""Largest picture to inline: artifacts live in the server's database."""


class ProgressArtifact:
    """The sweep's progress in the UI, updated at most once a second."""

    def __init__(self) -> None:
        created = create_progress_artifact(0.0, key="training-progress", description="Trainings finished")
        self._id = cast(UUID, created)  # a coroutine only where it is called from one
        self._last = 0.0

    def show(self, standing: Standing) -> None:
        """Update the artifact."""
        if standing.done < standing.total and time.monotonic() - self._last < 1:
            return
        self._last = time.monotonic()
        update_progress_artifact(self._id, 100 * standing.fraction, description=str(standing))


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
    frames: RunFrames, figures: Sequence[DrawnFigure], contact_sheet: Path | None, report: Report
) -> None:
    """Show summary, pictures and report of a run."""
    show_summary(frames.summary)
    if contact_sheet is not None:
        show_picture("first-nine-images", contact_sheet, "The first nine images", "nine images of clothing")
    for figure in figures:
        show_picture(figure.name, figure.png, figure.caption, figure.alt)
    create_markdown_artifact(report.text, key="report", description=f"Report: {report.html}")
