"""`study report`: a run's report written again from its tables alone."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from storage.results import Results
from storage.tables.published import publish
from tests.command import study
from tests.rows import RUN_ID, make_chosen_model, make_lab_tables, make_models, make_pictures, make_study
from tests.tampered import tamper


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of a lab run, and nothing else of it."""
    folder, lab = tmp_path_factory.mktemp("lab"), make_study()
    cv2.imwrite(str(folder / "sheet.png"), np.full((30, 30), 200, np.uint8))
    pictures = make_pictures(lab, folder / "sheet.png")
    further = {"models": make_models(make_chosen_model(lab)), "pictures": pictures}
    publish(Results(folder / "results"), replace(make_lab_tables(lab), **further))
    return folder / "results"


def test_the_report_is_made_from_the_tables_alone_and_again_with_the_same_bytes(tables: Path):
    html = Results(tables).report(RUN_ID)
    done = study("report", "--results", tables)
    assert (done.code, done.out) == (0, f"report: {html}\n")
    first = html.read_bytes()
    assert first.count(b"<figure>") > 12
    assert b"Grey pictures of clothing" in first and b"Saved and loaded again" in first
    assert len(first) < 3_000_000
    shutil.rmtree(html.parent)
    assert study("report", RUN_ID, "--results", tables).code == 0
    assert html.read_bytes() == first


@pytest.mark.parametrize(
    ("table", "column", "value", "message"),
    [
        ("pictures", "name", "../../elsewhere", "picture '../../elsewhere' in table `pictures`: not a name"),
        ("models", "definition", "{}", "which describes no model"),
        ("runs", "study_definition", "{}", "which is no study"),
    ],
)
def test_damaged_rows_are_answered_and_lead_nowhere(
    tables: Path, tmp_path: Path, table: str, column: str, value: str, message: str
):
    copy = tmp_path / "results"
    shutil.copytree(tables, copy)
    tamper(Results(copy), RUN_ID, table, {column: value})
    done = study("report", "--results", copy)
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "elsewhere.png").exists()


def test_a_run_is_shown_with_its_answers_and_what_to_do_next(tables: Path):
    done = study("show", "--results", tables)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    answers = [line for line in lines if re.match(r"[1-8] [A-Z].*: \S", line)]
    assert len(answers) == 8
    assert any(line.startswith("Published: Our accuracies are on average ") for line in lines)
    assert f"report: {Results(tables).report(RUN_ID)}" in lines
    following = [line.removeprefix("next:").split() for line in lines if line.startswith("next:")]
    assert [words[1] for words in following] == ["predict", "run", "serve"]
    assert all(Path(words[0]).is_file() or shutil.which(words[0]) for words in following)
    assert following[1][2:] == ["lab", "--repeats", "10", "--results", str(tables)]
