"""`study nights`: every fresh run, how it compares with earlier ones and what changed, and real nights."""

import dataclasses
import json
from datetime import timedelta
from pathlib import Path

import pytest

from flows.cli.results import Night, describe_night, group_nights
from storage.results import Results
from storage.tables.published import list_nights, publish, read_run
from study.conclusions.changes import read_changes
from tests.command import run_study, study as call
from tests.rows import STARTED_AT, make_nights
from tests.small_run import changed, make_tables
from tests.toy import SMALL, write_toy

FIRST, SECOND = "20260302-120000-abcd", "20260303-120000-abcd"


def publish_night(
    results: Results, run_id: str, days: int, verdicts: dict[int, str], failed: int = 0
) -> None:
    tables, rows = make_tables(run_id), make_nights(verdicts, run_id)
    run = changed(tables.run, started_at=STARTED_AT + timedelta(days=days), failed_trials=failed)
    publish(results, dataclasses.replace(tables, run=run, nights=rows))


def nights_of(results: Results, study: str | None = None) -> list[Night]:
    return group_nights(list_nights(results, study))


@pytest.fixture
def two_nights(results: Results) -> Results:
    publish_night(results, SECOND, 2, {2: "identical", 3: "drifted", 5: "drifted"}, failed=3)
    publish_night(results, FIRST, 1, {2: "first", 3: "first", 5: "first"})
    return results


def test_nights_are_told_oldest_first_with_their_verdicts_and_changes(two_nights: Results):
    first, second = nights_of(two_nights)
    assert (first.run.run_id, first.changes) == (FIRST, [])
    assert (second.run.run_id, second.changes) == (SECOND, ["TensorFlow: 2.21.0 → 2.22.0"])
    assert second.best_accuracy == pytest.approx(0.91)
    assert list(second.verdicts.values()) == ["identical", "drifted", "drifted"]


def test_a_table_says_what_each_night_found_and_how_many_there_were(two_nights: Results):
    done = call("nights", "--results", two_nights.folder, folder=two_nights.folder)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    (first,) = (line for line in lines if FIRST in line)
    (second,) = (line for line in lines if SECOND in line)
    assert lines.index(first) < lines.index(second)
    assert "│ first " in first and "2026-03-02 12:00" in first
    assert "drifted 3, 5; identical 2; 3 trials failed" in second
    assert "TensorFlow: 2.21.0 → 2.22.0" in second
    assert "42 min 00 s" in second and "91.00%" in second
    assert lines[-1] == "2 nights, 1 with a drift"


def test_json_has_every_exercise_with_its_message(two_nights: Results):
    done = call(
        "nights", "--results", two_nights.folder, "--study", "lab", "--json", folder=two_nights.folder
    )
    nights = json.loads(done.out)
    assert nights == [describe_night(each) for each in nights_of(two_nights, "lab")]
    assert nights[1]["exercises"][1]["message"] == "Exercise 3: drifted."
    assert nights[0]["exercises"][0]["difference"] is None


def test_without_nights_it_says_how_to_make_one(two_nights: Results):
    done = call("nights", "--results", two_nights.folder, "--study", "smoke", folder=two_nights.folder)
    assert done.code == 0
    assert done.out == (f"no night of study smoke in {two_nights.tables}: `study run --fresh` makes one\n")


def test_real_nights_are_identical_until_something_changes_which_is_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: None
):
    results, study = Results(tmp_path / "results"), write_toy(tmp_path, SMALL)
    fresh = (study, "--fresh", "--results", results.folder)
    for _ in range(2):
        done = run_study(*fresh, folder=tmp_path)
        assert done.code == 0, done.err
    # With another lock file, on other data: both are to be named.
    (tmp_path / "other.lock").write_text("numpy==0\n")
    monkeypatch.setattr("tasks.engines.provenance.LOCK_NAME", str(tmp_path / "other.lock"))
    write_toy(tmp_path, SMALL.replace("640", "600"))
    done = run_study(*fresh, folder=tmp_path)
    assert done.code == 0, done.err

    nights = nights_of(results)
    assert [night.verdicts[2] for night in nights] == ["first", "identical", "same within noise"]
    assert nights[1].changes == []
    last = nights[2].exercises[0]
    names = {change.name for change in read_changes(last.changes or "")}
    assert {"lock file", "data fingerprint", "study: data train_images"} <= names
    assert last.compared_with == nights[1].run.run_id
    assert all(night.exercises[0].lane_seconds > 0 for night in nights)
    report = results.report(last.run_id).read_text("utf-8")
    assert "Against earlier runs: same within noise in 1 exercise." in report
    assert "study: data train_images: 640 → 600" in report
    figures = results.figures(last.run_id)
    assert (figures / "nights-accuracy.png").is_file() and (figures / "nights-time.png").is_file()
    assert len(read_run(results).nights) == 1
