"""Figures of the nights: drawn from two nights on, with their drifts marked and told in words."""

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from storage.results import Results
from storage.tables.published import list_nights, publish, read_run
from tasks.figures.draw import draw_nights
from tasks.figures.nights import NIGHTS, Night, draw_history_figures
from tasks.figures.sweeps import DrawnFigure
from tests.rows import STARTED_AT, make_nights, make_run, make_study
from tests.small_run import changed, make_small_study, make_tables
from tests.tasks.figures.pictures import assert_is_picture

RUN = make_run()
FIRST, SECOND = "20260228-120000-abcd", "20260302-120000-abcd"


def nights(number: int, drifts: dict[int, int] | None = None) -> list[Night]:
    """So many nights of two exercises; `drifts` are exercises by the night in which they drifted."""
    rows = []
    for day in range(number):
        verdicts = dict.fromkeys((2, 3), "identical" if day else "first")
        verdicts |= {exercise: "drifted" for at, exercise in (drifts or {}).items() if at == day}
        started, run_id = STARTED_AT + timedelta(days=day), f"night-{day:03d}"
        run = changed(RUN, run_id=run_id, started_at=started, wall_seconds=2500.0 + day)
        rows += [(run, night) for night in make_nights(verdicts, run_id, by=0.001 * (day % 7))]
    return rows


def draw(folder: Path, *arguments: object) -> tuple[DrawnFigure, DrawnFigure]:
    accuracy, time = draw_history_figures(make_study(), nights(*arguments), folder)
    return accuracy, time


def test_a_single_night_has_no_history(tmp_path: Path):
    assert draw_history_figures(make_study(), nights(1), tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [2, 10, 365])
def test_accuracy_and_time_are_drawn_of_few_nights_and_of_many(tmp_path: Path, number: int):
    for figure in draw(tmp_path, number):
        assert_is_picture(figure)
        assert figure.exercise == NIGHTS
        assert f"{number} nights from 2026-03-01 to " in figure.caption


@pytest.mark.parametrize("number", [10, 365])
def test_a_drift_changes_the_picture_and_is_told_to_those_who_cannot_see_it(tmp_path: Path, number: int):
    drifted, _ = draw(tmp_path / "drifted", number, {7: 3})
    quiet, _ = draw(tmp_path / "quiet", number)
    assert drifted.png.read_bytes() != quiet.png.read_bytes()
    assert drifted.alt.endswith("Drifted: exercise 3 on 2026-03-08.")
    assert quiet.alt.endswith("Drifted: none.")


def test_the_latest_means_and_the_times_stand_in_the_words(tmp_path: Path):
    accuracy, time = draw(tmp_path, 8)
    assert "Latest: exercise 2 87.0%, exercise 3 88.0%." in accuracy.alt
    assert "from 41 min 40 s to 41 min 47 s" in time.alt
    assert "the panels do not add up to the run" in time.caption


def test_a_night_without_a_reading_is_a_gap(tmp_path: Path):
    rows = [
        (run, changed(night, mean_accuracy=None) if night.exercise == 3 else night)
        for run, night in nights(3)
    ]
    accuracy, _ = draw_history_figures(make_study(), rows, tmp_path)
    assert "exercise 3 no reading" in accuracy.alt


def _publish(results: Results, run_id: str, days: int, **changes: object) -> None:
    tables = make_tables(run_id)
    run = changed(tables.run, started_at=STARTED_AT + timedelta(days=days), **changes)
    publish(results, dataclasses.replace(tables, run=run, nights=make_nights({4: "identical"}, run_id)))


def test_the_nights_of_a_study_are_listed_in_time_order_and_other_runs_are_none(results: Results):
    _publish(results, SECOND, 1)
    _publish(results, FIRST, 0)
    _publish(results, "20260303-120000-abcd", 2, study="other")
    publish(results, make_tables("20260304-120000-abcd"))
    assert [night.run_id for _, night in list_nights(results, "lab")] == [FIRST, SECOND]
    assert [run.study for run, _ in list_nights(results)] == ["lab", "lab", "other"]


def test_a_run_s_figures_show_no_later_nights_and_no_other_protocol(results: Results, tmp_path: Path):
    _publish(results, FIRST, 0)
    _publish(results, SECOND, 1)
    _publish(results, "20260303-120000-abcd", 2, protocol="held-out")
    _publish(results, "20260304-120000-abcd", 3)
    study = make_small_study()
    assert draw_nights(study, results, read_run(results, FIRST), tmp_path) == []
    figures = draw_nights(study, results, read_run(results, SECOND), tmp_path)
    assert [figure.name for figure in figures] == ["nights-accuracy", "nights-time"]
    assert "2 nights from 2026-03-01 to 2026-03-02" in figures[0].caption
