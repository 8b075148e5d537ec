import re
from io import BytesIO
from pathlib import Path

import pytest

from study.errors import InputError
from study.spec.published import PublishedSource, read_averages
from study.table_file import read_table

HEADER = "exercise,parameter,value,n_readings,accuracy_pct,note"
GOOD = f"{HEADER}\n2,filters,8,5,89.5,\n5,learning_rate,0.001,,90,by eye\n"
GERMAN = "exercise;parameter;value;n_readings;accuracy_pct;note\r\n2;filters;8;5;89,5;\r\n" \
    "5;learning_rate;0,001;;90;by eye\r\n"  # fmt: skip


def workbook(*rows: tuple[object, ...], percent: bool = False) -> bytes:
    """Return the rows as a workbook of Excel, accuracies shown as percent or as plain numbers."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if percent:
        for cell in book.active["E"][1:3]:
            cell.value, cell.number_format = cell.value / 100, "0.0%"
    content = BytesIO()
    book.save(content)
    return content.getvalue()


ROWS = (
    tuple(HEADER.split(",")),
    (2, "filters", 8, 5.0, 89.5, None),
    (5, "learning_rate", 0.001, None, 90, "by eye"),
)


@pytest.mark.parametrize(
    "content",
    [
        GOOD.encode(),
        GOOD.encode("utf-8-sig"),
        GOOD.encode("utf-16"),
        GOOD.encode("utf-16-le"),
        GOOD.encode("utf-16-be"),
        GOOD.replace(",", "\t").encode(),
        GOOD.replace("\n", "\r").encode(),
        GERMAN.encode("utf-8-sig"),
        b"sep=;\r\n" + GERMAN.encode(),
        ("Averages, as printed\n\n" + GOOD + "\n\n").encode(),
        GOOD.replace(HEADER, "Exercise, PARAMETER ,Value,N Readings,Accuracy (pct),note").encode(),
        GOOD.replace("accuracy_pct", "Accuracy %").encode(),
        GOOD.replace(",5,", ",5.0,").replace(",,", ",nan,", 1).encode(),
        GOOD.replace("89.5", "89.5%").replace(",90", ',"90,0 %"').encode(),
        (GOOD + ",,,,,\n,,,,,\n").encode(),
        "\n".join(
            f"{place},{line}" for place, line in zip(("", 0, 1), GOOD.split("\n"), strict=False)
        ).encode(),
        "PK\x03\x04",
        "percent",
    ],
)
def test_every_way_to_write_one_table_gives_the_same_averages(tmp_path: Path, content: bytes | str):
    path = tmp_path / "TABLE.CSV"  # whatever it is called
    if isinstance(content, str):
        content = workbook(*ROWS, (None, None), percent=content == "percent")
    path.write_bytes(content)
    averages = read_averages(PublishedSource(averages=path)).values()
    found = [(each.cell, each.readings, each.accuracy) for each in averages]
    assert found == [((2, 8.0), 5, 0.895), ((5, 0.001), None, 0.9)]


def test_a_table_needs_no_other_columns_than_its_numbers(tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text("accuracy_pct,value,exercise,mine\n89.5,8,2,x\n")
    (average,) = read_averages(PublishedSource(averages=path)).values()
    assert (average.readings, average.parameter, average.note) == (None, "", "")


def test_notes_may_be_in_the_letters_of_windows(tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_bytes(f"{HEADER}\n2,filters,8,5,89.5,geschätzt – von Hand\n".encode("cp1252"))
    assert [line.text("note") for line in read_table(path, ["note"])] == ["geschätzt – von Hand"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is an old or a protected Excel workbook; save it as .xlsx or CSV"),
        (b"PK\x03\x04 not a workbook", "is no workbook of Excel; save it as .xlsx or CSV"),
        (b"\x89PNG\r\n\x1a\n\0\0", "found no column exercise; the first line is "),
    ],
)
def test_a_file_that_is_no_table_is_named_for_what_it_is(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "table.xlsx"
    path.write_bytes(content)
    if content.startswith(b"PK"):
        pytest.importorskip("openpyxl")
    with pytest.raises(InputError, match=re.escape(f"{path}: {message}")):
        read_table(path, ["exercise"])
