"""Refuse subscripts of a table's column outside `storage/`, where rows have attributes; `make check` runs it.

Names of one word, such as `value`, are also those of other files' fields, and are not looked at.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from storage.tables import TABLES

COLUMNS = {name for row in TABLES.values() for name in row.model_fields if "_" in name}


def find_subscripts(code: str) -> Iterator[tuple[int, str]]:
    """Yield line and column of each subscript, such as `row["run_id"]` or `frame[["run_id", "key"]]`."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Subscript):
            names = {each.value for each in ast.walk(node.slice) if isinstance(each, ast.Constant)}
            yield from ((node.lineno, name) for name in sorted(names & COLUMNS))


def main() -> None:
    """Print each subscript and exit with 1 if there is one."""
    found = [
        f"{path}:{line}: column {name!r} by subscript; read the row's attribute"
        for folder in ("study", "tasks", "flows")
        for path in sorted(Path(folder).rglob("*.py"))
        for line, name in find_subscripts(path.read_text(encoding="utf-8"))
    ]
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
