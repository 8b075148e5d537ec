"""`study compare`: two runs, or a run and a published table; the exit code says whether anything differs."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from storage.results import Results
from storage.tables.published import publish
from storage.tables.rows_of_work import TrialRow
from tests.command import study
from tests.rows import RUN_ID, make_agreement, make_trials
from tests.small_run import changed, make_small_study, make_tables

LATER = "20260302-120000-abcd"
HEADER = "exercise,parameter,value,n_readings,accuracy_pct,note\n"


def shifted(by: float) -> list[TrialRow]:
    """A later run's trials: those with 20 epochs read so much higher, by weights of their own."""
    return [
        changed(each, test_accuracy=each.test_accuracy + by, weights_sha256=f"{each.seed:064d}")
        if each.value == 20.0 and each.test_accuracy
        else each
        for each in make_tables(LATER).trials
    ]


@pytest.fixture
def results(results: Results) -> Results:
    publish(results, make_tables(RUN_ID))
    return results


def test_a_run_is_identical_to_itself_and_exits_with_0(results: Results):
    done = study("compare", RUN_ID, RUN_ID, "--results", results.folder)
    assert (done.code, done.out.splitlines()[-1]) == (0, "5 compared: 5 identical")


def test_a_difference_in_one_setting_is_named_and_exits_with_1(results: Results):
    publish(results, dataclasses.replace(make_tables(LATER), trials=shifted(0.03)))
    done = study("compare", RUN_ID, LATER, "--results", results.folder, "--json")
    assert done.code == 1
    verdicts = {row["setting"]: row["verdict"] for row in json.loads(done.out)}
    assert verdicts.pop("epochs=20") == "differs"
    assert set(verdicts.values()) == {"identical"}


def test_the_other_run_may_lie_elsewhere(results: Results, tmp_path: Path):
    elsewhere = Results(tmp_path / "elsewhere")
    publish(elsewhere, make_tables(LATER))
    done = study("compare", RUN_ID, LATER, "--results", results.folder, "--other-results", elsewhere.folder)
    assert "5 compared: 5 identical" in done.out


def test_without_another_the_run_is_held_against_what_its_study_names(results: Results):
    near = {
        (4, 1.0): (0.865, 0.866, 0.867, 0.864), (4, 2.0): (0.877, 0.878, 0.876, 0.875),
        (4, 5.0): (0.891, 0.892, 0.890, 0.893), (4, 10.0): (0.893, 0.892, 0.891, 0.894),
        (4, 20.0): (0.901, 0.902, 0.903, 0.900),
    }  # fmt: skip
    for readings, code in ((near, 0), (near | {(4, 20.0): (0.80, 0.801, 0.802, 0.803)}, 1)):
        agreement = make_agreement(make_small_study(), make_trials(make_small_study(), readings=readings))
        publish(results, dataclasses.replace(make_tables(RUN_ID), agreement=agreement))
        done = study("compare", "--results", results.folder)
        assert done.code == code, done.out
        assert (re.search(r"\d differs", done.out) is not None) is bool(code)
        assert "band: Baseline (5 epochs)" in done.out


@pytest.mark.parametrize("name", ["mine.csv", "MINE.TSV", "no suffix"])
def test_any_published_table_can_be_given(results: Results, tmp_path: Path, name: str):
    table = tmp_path / name
    table.write_text(HEADER + "4,epochs,20,4,60.0,\n4,epochs,5,4,89.0,\n", "utf-8")
    done = study("compare", RUN_ID, table, "--results", results.folder)
    assert done.code == 1
    assert "60.00" in done.out and "differs" in done.out


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
    done = study("compare", *arguments, "--results", results.folder)
    assert done.code == 2
    assert message in done.err


def test_a_table_of_other_exercises_is_refused(results: Results, tmp_path: Path):
    table = tmp_path / "other.csv"
    table.write_text(HEADER + "2,filters,8,4,60.0,\n", "utf-8")
    done = study("compare", RUN_ID, table, "--results", results.folder)
    assert f"{table}: has no setting of an exercise that run {RUN_ID} has" in done.err


def test_the_studys_own_averages_give_the_verdicts_of_its_report(results: Results):
    small, trials = make_small_study(), make_tables(RUN_ID).trials
    tables = dataclasses.replace(make_tables(RUN_ID), agreement=make_agreement(small, trials))
    publish(results, tables)
    averages = small.published.averages if small.published else Path()
    given = study("compare", RUN_ID, averages, "--results", results.folder, "--json")
    own = study("compare", RUN_ID, "--results", results.folder, "--json")
    verdicts = [
        [(each["subject"], each["verdict"]) for each in json.loads(done.out)] for done in (given, own)
    ]
    assert verdicts[0] == verdicts[1]
    assert len(verdicts[0]) > 5
