"""Fill the templates of `tasks/templates`: what is filled in is text, never Markdown or HTML."""

import base64
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


def html_environment() -> Environment:
    """For a page that holds its pictures itself."""
    environment = _environment()
    environment.filters["data_uri"] = _data_uri
    return environment


def markdown_environment(folder: Path) -> Environment:
    """For Markdown in a folder, from which files are named."""
    environment = _environment()
    environment.finalize = _escape_markdown
    environment.filters["relative"] = lambda path: path.relative_to(folder).as_posix()
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
    """One line of text in which nothing is Markdown or HTML; what the template marks safe stays as it is."""
    if isinstance(value, Markup):
        return value
    line = " ".join(str(value).split()).replace("&", "&amp;").replace("<", "&lt;")
    return Markup(re.sub(r"([\\`*|\[\]])", r"\\\1", line))


def tidy_markdown(text: str) -> str:
    """Without spaces at the ends of lines, and at most one empty line between others."""
    text = re.sub(r" +$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
