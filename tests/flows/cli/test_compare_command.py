"""`study compare`: two runs, or a run and a published table; the exit code says whether anything differs."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.cli.main import Invocation, app
from storage.results import Results
from storage.tables.published import publish
from storage.tables.rows_of_work import TrialRow
from study.errors import InputError
from tests.frames import RUN_ID, make_agreement, make_trials
from tests.small_run import changed, make_small_study, make_tables

LATER = "20260302-120000-abcd"
HEADER = "exercise,parameter,value,n_readings,accuracy_pct,note\n"


def compare(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, arguments)], obj=Invocation())


def shifted(by: float) -> list[TrialRow]:
    """A later run's trials: those with 20 epochs read so much higher, by weights of their own."""
    return [
        changed(each, test_accuracy=each.test_accuracy + by, weights_sha256=f"{each.seed:064d}")
        if each.value == 20.0 and each.test_accuracy
        else each
        for each in make_tables(LATER).trials
    ]


@pytest.fixture
def results(tmp_path: Path) -> Results:
    place = Results(tmp_path / "results")
    publish(place, make_tables(RUN_ID))
    return place


def test_a_run_is_identical_to_itself_and_exits_with_0(results: Results):
    done = compare(RUN_ID, RUN_ID, "--results", results.folder)
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "5 compared: 5 identical")


def test_a_difference_in_one_setting_is_named_and_exits_with_1(results: Results):
    publish(results, dataclasses.replace(make_tables(LATER), trials=shifted(0.03)))
    done = compare(RUN_ID, LATER, "--results", results.folder, "--json")
    assert done.exit_code == 1
    verdicts = {row["setting"]: row["verdict"] for row in json.loads(done.stdout)}
    assert verdicts.pop("epochs=20") == "differs"
    assert set(verdicts.values()) == {"identical"}


def test_the_other_run_may_lie_elsewhere(results: Results, tmp_path: Path):
    elsewhere = Results(tmp_path / "elsewhere")
    publish(elsewhere, make_tables(LATER))
    done = compare(RUN_ID, LATER, "--results", results.folder, "--other-results", elsewhere.folder)
    assert "5 compared: 5 identical" in done.output


def test_without_another_the_run_is_held_against_what_its_study_names(results: Results):
    study = make_small_study()
    near = {
        (4, 1.0): (0.865, 0.866, 0.867, 0.864), (4, 2.0): (0.877, 0.878, 0.876, 0.875),
        (4, 5.0): (0.891, 0.892, 0.890, 0.893), (4, 10.0): (0.893, 0.892, 0.891, 0.894),
        (4, 20.0): (0.901, 0.902, 0.903, 0.900),
    }  # fmt: skip
    for readings, code in ((near, 0), (near | {(4, 20.0): (0.80, 0.801, 0.802, 0.803)}, 1)):
        agreement = make_agreement(study, make_trials(study, readings=readings))
        publish(results, dataclasses.replace(make_tables(RUN_ID), agreement=agreement))
        done = compare("--results", results.folder)
        assert done.exit_code == code, done.output
        assert (re.search(r"\d differs", done.output) is not None) is bool(code)
        assert "band: Baseline (5 epochs)" in done.output


def test_any_published_table_can_be_given(results: Results, tmp_path: Path):
    table = tmp_path / "mine.csv"
    table.write_text(HEADER + "4,epochs,20,4,60.0,\n4,epochs,5,4,89.0,\n", "utf-8")
    done = compare(RUN_ID, table, "--results", results.folder)
    assert done.exit_code == 1
    assert "60.00" in done.output and "differs" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--margin", 0), "--margin: 0 is not allowed; give points above 0"),
        (("--margin", 1), "give a CSV as OTHER to compare it again"),
        (("--readings", "x.csv", RUN_ID, RUN_ID), "x.csv goes with a CSV of averages"),
        ((RUN_ID, "yesterday"), "run 'yesterday' is not published"),
        ((RUN_ID, "nowhere.csv"), "nowhere.csv: cannot be read: No such file"),
        ((), f"run {RUN_ID} was compared with no published values"),
    ],
)
def test_what_cannot_be_compared_is_answered_with_what_can(
    results: Results, arguments: tuple[object, ...], message: str
):
    done = compare(*arguments, "--results", results.folder)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_a_table_of_other_exercises_is_refused(results: Results, tmp_path: Path):
    table = tmp_path / "other.csv"
    table.write_text(HEADER + "2,filters,8,4,60.0,\n", "utf-8")
    done = compare(RUN_ID, table, "--results", results.folder)
    assert f"{table}: has no setting of an exercise that run {RUN_ID} has" in str(done.exception)


def test_the_studys_own_averages_give_the_verdicts_of_its_report(results: Results):
    study, trials = make_small_study(), make_tables(RUN_ID).trials
    tables = dataclasses.replace(make_tables(RUN_ID), agreement=make_agreement(study, trials))
    publish(results, tables)
    averages = study.published.averages if study.published else Path()
    given = compare(RUN_ID, averages, "--results", results.folder, "--json")
    own = compare(RUN_ID, "--results", results.folder, "--json")
    verdicts = [
        [(each["subject"], each["verdict"]) for each in json.loads(done.stdout)] for done in (given, own)
    ]
    assert verdicts[0] == verdicts[1]
    assert len(verdicts[0]) > 5
