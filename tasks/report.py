"""Write a run's report: one self-contained HTML page, and the same content as Markdown beside it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.place import Results, write_atomically
from storage.tables import RunFrames
from study.spec import Study
from tasks.recorded import read_model, restore_pictures
from tasks.templating import html_environment, markdown_environment, tidy_markdown

if TYPE_CHECKING:
    from tasks.figure_style import DrawnFigure
    from tasks.report_content import Content

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """The two files of a report, and its text without pictures for Prefect's pages."""

    html: Path
    markdown: Path
    text: str


@task(name="write report", task_run_name="write report", cache_policy=NO_CACHE, persist_result=False)
def write_report(
    results: Results,
    study: Study,
    frames: RunFrames,
    figures: "Sequence[DrawnFigure]",
) -> Report:
    """Write the report of a published run as `report.html` and `report.md`.

    Args:
        results: Where the report goes, and where the tables lie.
        study: The study as it ran.
        frames: The run's rows.
        figures: Figures drawn from them.

    Raises:
        InputError: the row of a model or a picture is damaged.
        OSError: a picture cannot be read, or a file cannot be written.
    """
    html = results.report(str(frames.run["run_id"]))
    content = _compose(results, study, frames, figures)
    page = html_environment().get_template("report.html.j2").render(content=content)
    write_atomically(html, page.encode())
    markdown = html.with_suffix(".md")
    write_atomically(markdown, _render_markdown(content, html.parent).encode())
    logger.info("report: %s (%.1f MB)", html, len(page) / 1e6)
    text = _render_markdown(content, html.parent, with_pictures=False)
    return Report(html, markdown, text)


def _compose(
    results: Results,
    study: Study,
    frames: RunFrames,
    figures: "Sequence[DrawnFigure]",
) -> "Content":
    from tasks.report_content import Findings, compose  # late, with matplotlib and SciPy: at a run's end

    pictures = restore_pictures(frames, results.figures(str(frames.run["run_id"])))
    return compose(results, Findings(study, frames, figures, pictures, read_model(frames)))


def _render_markdown(content: "Content", folder: Path, with_pictures: bool = True) -> str:
    template = markdown_environment(folder).get_template("report.md.j2")
    return tidy_markdown(template.render(content=content, with_pictures=with_pictures))
