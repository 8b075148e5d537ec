from .model import tabulate_confidence as tabulate_confidence
from .report import (
    Report as Report,
    list_answers as list_answers,
    markdown_environment as markdown_environment,
    tidy_markdown as tidy_markdown,
    write_report as write_report,
)
