"""Write a run's report: one self-contained HTML page, and the same content as Markdown."""

import base64
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from storage.results import Results, write_atomically
from storage.tables import RunTables
from study.spec import Study
from tasks.step import step
from tasks.tables import Picture, read_model, restore_pictures

TEMPLATES = Path(__file__).parent / "templates"


def markdown_environment(folder: Path | None = None) -> Environment:
    """Return the template environment for Markdown in a folder, with links relative to it; without a folder
    the pictures are part of the text.
    """
    environment = _environment()
    environment.finalize = _escape_markdown
    environment.filters["link"] = (
        _data_uri if folder is None else lambda path: quote(path.relative_to(folder).as_posix())
    )
    return environment


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _data_uri(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _escape_markdown(value: object) -> Markup:
    """Escape Markdown and HTML in one line of text; text that the template marks as safe stays unchanged."""
    if isinstance(value, Markup):
        return value
    line = " ".join(str(value).split()).replace("&", "&amp;").replace("<", "&lt;")
    return Markup(re.sub(r"([\\`*|\[\]])", r"\\\1", line))


def tidy_markdown(text: str) -> str:
    """Remove spaces at the ends of lines, and all but one of successive empty lines."""
    text = re.sub(r" +$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """The two files of a report, and its text with the pictures in it, for Prefect's pages."""

    html: Path
    markdown: Path
    text: str


@step("write report")
def write_report(results: Results, study: Study, tables: RunTables, figures: Sequence[Picture]) -> Report:
    """Write the report of a published run, whose study is as it ran, as `report.html` and `report.md`.

    Raises:
        InputError: the row of a model or a picture is damaged.
        OSError: a picture cannot be read, or a file cannot be written.
    """
    from tasks.report.content import Findings, compose  # late, with matplotlib and SciPy: at a run's end

    logger.info("writing the report")
    html = results.report(tables.run.run_id)
    pictures = restore_pictures(tables, results.figures(tables.run.run_id))
    content = compose(results, Findings(study, tables, [*pictures, *figures], read_model(tables)))
    page = _environment()
    page.filters["data_uri"] = _data_uri
    write_atomically(html, page.get_template("report.html.j2").render(content=content).encode())
    whole, text = (
        tidy_markdown(markdown_environment(each).get_template("report.md.j2").render(content=content))
        for each in (html.parent, None)
    )
    return Report(html, write_atomically(html.with_suffix(".md"), whole.encode()), text)


def list_answers(study: Study, tables: RunTables) -> list[tuple[str, str]]:
    """Return each exercise's name and the first sentence of its answer, and the published comparison's.

    Raises:
        InputError: the row of the saved model is damaged.
    """
    from tasks.report.agreement import describe_agreement
    from tasks.report.content import Findings, answer_exercise

    findings = Findings(study, tables, (), read_model(tables))
    answers = [
        (f"{each.number} {each.title}", answer_exercise(each, findings).short) for each in study.exercises
    ]
    compared = describe_agreement(tables.agreement).difference.partition(":")[0]
    return [*answers, ("Published", f"{compared}.")] if compared else answers
