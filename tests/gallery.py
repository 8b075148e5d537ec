"""The questions of `docs/reading.md`: their blocks of code, and what each library answers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

GALLERY = Path(__file__).parent.parent / "docs" / "reading.md"

SQL = "SQL"

ENGINES = {"pandas": "pandas", "Polars": "Polars", "DuckDB": "DuckDB", "pyarrow": "pyarrow"} | {
    "SQL in DuckDB": "DuckDB",
    "SQL in Polars": "SQL in Polars",
}
"""The ways to an answer, and the set-up that each needs."""

_MONTH_AS_TEXT = '.astype({"month": "string"})'

_BLOCK = re.compile(r"```(python|sql)\n(?:#|--) (.+?)\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Section:
    """A heading of the gallery, and its blocks by the name in their first line."""

    title: str
    blocks: Mapping[str, str]

    def ways(self) -> list[str]:
        """The ways in which it is answered."""
        return [way for way in ENGINES if way in self.blocks or (way.startswith(SQL) and SQL in self.blocks)]


@cache
def read_gallery(layout: str = "history") -> dict[str, Section]:
    """The sections by title, in order; of `tables` they ask the same, where none needs the month."""
    text = GALLERY.read_text(encoding="utf-8")
    if layout != "history":
        text = text.replace("results/history/", f"results/{layout}/").replace(_MONTH_AS_TEXT, "")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    sections = [
        Section(title, {name: code for _, name, code in _BLOCK.findall(text)})
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    ]
    return {section.title: section for section in sections}


def list_questions(layout: str = "history") -> list[Section]:
    """The ten questions."""
    return [section for title, section in read_gallery(layout).items() if re.match(r"\d+\. ", title)]


def set_up(way: str, layout: str = "history") -> dict[str, Any]:
    """The names that a way's blocks find; `results` must lie in the working directory."""
    names: dict[str, Any] = {}
    exec(read_gallery(layout)["Set-up"].blocks.get(ENGINES[way], ""), names)
    return names


def answer(section: Section, way: str, names: Mapping[str, Any]) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns and rows that a way answers with; nulls as None."""
    if way == "SQL in DuckDB":
        found = names["duckdb"].sql(section.blocks[SQL])
    elif way == "SQL in Polars":
        found = names["context"].execute(section.blocks[SQL]).collect()
    else:
        scope = dict(names)
        exec(section.blocks[way], scope)
        found = scope["answer"]
    return _as_rows(found)


def _as_rows(found: Any) -> tuple[list[str], list[tuple[Any, ...]]]:
    if hasattr(found, "fetchall"):
        return list(found.columns), found.fetchall()
    if hasattr(found, "rows"):
        return list(found.columns), found.rows()
    if hasattr(found, "to_pylist"):
        return found.column_names, [tuple(row.values()) for row in found.to_pylist()]
    frame = found.astype(object).where(found.notna(), None)
    return list(frame.columns), list(frame.itertuples(index=False, name=None))
