"""Read a small table as spreadsheets and programs write it: a workbook, or text with any separator."""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from zipfile import BadZipFile

from study.errors import InputError
from study.wording import shown

_WORKBOOK, _OLD_WORKBOOK = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_NO_VALUE = ("nan", "na", "n/a", "none", "null", "-", "–")

Line = tuple[int, list[str]]
"""A line's number and its cells."""


@dataclass(frozen=True)
class TableLine:
    """A line of a table: its cells by column, whose names are in small letters with underscores.

    Every method but `text` raises InputError, with the place, where a cell is not what it reads.
    """

    place: str
    """The file and the line's number, for messages."""
    cells: dict[str, str]

    def text(self, column: str) -> str:
        """Return a cell; an empty text where the table lacks the column, or the cell has no value."""
        text = self.cells.get(column, "").strip()
        return "" if text.lower() in _NO_VALUE else text

    def number(self, column: str) -> float:
        """Return a cell as a number; its decimal sign may be a comma."""
        text = "".join(self.text(column).removesuffix("%").split())
        # Of both signs the last one is the decimal sign: 1.024,5 and 1,024.5.
        if text.rfind(",") > text.rfind("."):
            text = text.replace(".", "").replace(",", ".", 1)
        try:
            number = float(text.replace(",", ""))
        except ValueError:
            number = math.nan
        return number if math.isfinite(number) else self._refuse(column, "expected a number, such as 89.5")

    def whole(self, column: str) -> int:
        """Return a cell as a whole number; 5.0 is 5."""
        number = self.number(column)
        return int(number if number.is_integer() else self._refuse(column, "expected a whole number"))

    def percentage(self, column: str) -> float:
        """Return a cell in percent, above 1 and with or without the sign, as a fraction."""
        number = self.number(column)
        if 0 < number <= 1:
            self._refuse(column, f"expected percent, and this looks like a fraction: {100 * number:g}?")
        if not 1 < number <= 100:
            self._refuse(column, "expected percent, above 1 and at most 100")
        return number / 100

    def _refuse(self, column: str, expected: str) -> NoReturn:
        raise InputError(f"{self.place}: {column} is {shown(self.cells.get(column, ''))}, {expected}")


def read_table(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> list[TableLine]:
    """Read the lines of a table that have values; its first line with the needed columns names the columns.

    The content decides what the file is, not its name. Other columns are skipped.

    Raises:
        InputError: the file cannot be read, lacks a needed column, or a line has more cells than columns.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    first: list[str] = []
    for lines in _tables_in(path, content):
        for place, (_, cells) in enumerate(lines):
            names = [_column_name(cell) for cell in cells]
            if set(needed) <= set(names):
                return [_name_cells(path, names, *line) for line in lines[place + 1 :]]
        first = max(first, lines[0][1] if lines else [], key=len)
    missing = [name for name in needed if name not in map(_column_name, first)]
    raise InputError(
        f"{path}: found no column {', '.join(missing)}; the first line is {shown(', '.join(first))}, "
        f"expected columns {', '.join(needed)}{', and if known ' if optional else ''}{', '.join(optional)}"
    )


def _column_name(cell: str) -> str:
    """Return `Accuracy (pct)`, `ACCURACY_PCT` or `accuracy %` as `accuracy_pct`."""
    return re.sub(r"[^a-z0-9]+", "_", cell.lower().replace("%", " pct")).strip("_")


def _name_cells(path: Path, names: Sequence[str], number: int, cells: Sequence[str]) -> TableLine:
    place = f"{path}, line {number}"
    if len(cells) > len(names):
        raise InputError(
            f"{place}: found {len(cells)} cells in {len(names)} columns ({shown(', '.join(cells))}); "
            "put quotes around a cell with a comma, or separate cells by ;"
        )
    return TableLine(place, dict(zip(names, cells, strict=False)))


def _tables_in(path: Path, content: bytes) -> Iterator[list[Line]]:
    """Yield the file's lines that are not empty; of a text as each separator divides them."""
    if content.startswith(_OLD_WORKBOOK):
        raise InputError(f"{path}: is an old or a protected Excel workbook; save it as .xlsx or CSV")
    if content.startswith(_WORKBOOK):
        yield _filled(enumerate(_workbook_cells(path, content), start=1))
        return
    text = _decode(content)
    for separator in ",;\t|":
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        try:
            yield _filled((lines.line_num, cells) for cells in lines)
        except csv.Error as error:
            raise InputError(f"{path}, line {lines.line_num}: is no CSV: {error}") from error


def _filled(lines: Iterable[Line]) -> list[Line]:
    return [(number, cells) for number, cells in lines if any(cell.strip() for cell in cells)]


def _decode(content: bytes) -> str:
    """Decode UTF-8 and UTF-16 with or without their marks; else Western European letters, as Excel's."""
    if b"\0" in content[:100]:
        return content.decode("utf-16-be" if content[:1] == b"\0" else "utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _workbook_cells(path: Path, content: bytes) -> Iterator[list[str]]:
    """Yield the cells of each line of the sheet that was open when the workbook was saved."""
    from openpyxl import load_workbook  # late: only a workbook needs it, and it takes a while

    try:
        sheet = load_workbook(io.BytesIO(content), read_only=True, data_only=True).active
        for cells in sheet.iter_rows():
            yield [_cell_text(cell) for cell in cells]
    except (BadZipFile, KeyError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: is no workbook of Excel; save it as .xlsx or CSV") from error


def _cell_text(cell: Any) -> str:
    """Return a cell as Excel shows it: 0.895 may stand for 89.5%."""
    if cell.value is None:
        return ""
    is_percent = isinstance(cell.value, int | float) and "%" in cell.number_format
    return f"{100 * cell.value:.12g}%" if is_percent else str(cell.value)
