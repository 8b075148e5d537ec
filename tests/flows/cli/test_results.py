"""`study report`: a run's report written again from its tables alone."""

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.cli.main import Invocation, app
from storage.results import Results
from storage.tables.published import RunTables, publish
from study.errors import InputError
from tests.frames import (
    RUN_ID,
    make_agreement,
    make_chosen_model,
    make_comparisons,
    make_epochs,
    make_models,
    make_pictures,
    make_run,
    make_study,
    make_summary,
    make_trainings,
    make_trials,
)
from tests.tampered import tamper


def report(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)], obj=Invocation())


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of a lab run, and nothing else of it."""
    folder = tmp_path_factory.mktemp("lab")
    study, sheet = make_study(), folder / "sheet.png"
    cv2.imwrite(str(sheet), np.full((30, 30), 200, np.uint8))
    trials = make_trials(study)
    made = RunTables(
        make_run(study, trials),
        trials,
        make_trainings(study),
        make_epochs(study),
        make_summary(trials),
        comparisons=make_comparisons(study, trials),
        agreement=make_agreement(study, trials),
        models=make_models(make_chosen_model(study)),
        pictures=make_pictures(study, sheet),
    )
    publish(Results(folder / "results"), made)
    return folder / "results"


def test_the_report_is_made_from_the_tables_alone_and_again_with_the_same_bytes(tables: Path):
    html = Results(tables).report(RUN_ID)
    done = report("--results", tables)
    assert (done.exit_code, done.stdout) == (0, f"report: {html}\n")
    first = html.read_bytes()
    assert first.count(b"<figure>") > 12
    assert b"Grey pictures of clothing" in first and b"Saved and loaded again" in first
    assert len(first) < 3_000_000
    shutil.rmtree(html.parent)
    assert report(RUN_ID, "--results", tables).exit_code == 0
    assert html.read_bytes() == first


def test_a_run_that_is_not_there_is_answered_with_the_latest(tables: Path):
    done = report("yesterday", "--results", tables)
    assert f"run 'yesterday' is not published in {tables / 'tables'}; latest: {RUN_ID}" in str(done.exception)


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
    done = report("--results", copy)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)
    assert not (tmp_path / "elsewhere.png").exists()


def test_a_run_is_shown_with_its_answers_and_what_to_do_next(tables: Path):
    done = CliRunner().invoke(app, ["show", "--results", str(tables)], obj=Invocation())
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    answers = [line for line in lines if re.match(r"[1-8] [A-Z].*: \S", line)]
    assert len(answers) == 8
    assert any(line.startswith("Published: Our accuracies are on average ") for line in lines)
    assert f"report: {Results(tables).report(RUN_ID)}" in lines
    following = [line.removeprefix("next:").split() for line in lines if line.startswith("next:")]
    assert [words[1] for words in following] == ["predict", "run", "serve"]
    assert all(Path(words[0]).is_file() or shutil.which(words[0]) for words in following)
    assert following[1][2:] == ["lab", "--repeats", "10", "--results", str(tables)]
