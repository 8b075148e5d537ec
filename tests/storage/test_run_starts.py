"""Runs that were started: found again, resumed, never outside the results folder; measured speeds."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.locks import run_lock
from storage.results import Results
from storage.run_starts import (
    choose_interrupted,
    find_start,
    list_interrupted,
    read_speeds,
    read_start,
    save_speeds,
    save_start,
)
from study.errors import InputError
from study.plan.cost import Speed
from study.spec.run_start import RunStart
from study.spec.setting import Hyperparameters

BEGUN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def start(results: Results, number: int, flow_run_id: str | None = None) -> RunStart:
    """A run that was started, the later the higher its number."""
    begun = BEGUN + timedelta(hours=number)
    made = RunStart(
        run_id=f"{begun:%Y%m%dT%H%M%SZ}-lab-{number:08x}",
        study="lab",
        fresh=True,
        started_at=begun,
        flow_run_id=flow_run_id,
    )
    save_start(results, made)
    return made


def end(results: Results, run: RunStart) -> None:
    results.report(run.run_id).write_text("report")


def test_the_latest_run_that_has_not_ended_is_gone_on_with(results: Results):
    first, second, third = (start(results, number) for number in (1, 2, 3))
    end(results, third)
    assert list_interrupted(results) == [first, second]
    assert choose_interrupted(results) == second
    assert choose_interrupted(results, first.run_id) == first


def test_a_run_that_is_being_executed_is_not_interrupted(results: Results):
    first, second = start(results, 1), start(results, 2)
    with run_lock(results, second.run_id):
        assert choose_interrupted(results) == first
        with pytest.raises(InputError, match=f"run {second.run_id} is being executed by another process"):
            choose_interrupted(results, second.run_id)


def test_a_retried_flow_run_finds_its_run(results: Results):
    start(results, 1, "other")
    mine = start(results, 2, "mine")
    assert find_start(results, "mine") == mine
    assert find_start(results, "nobody's") is None


def test_without_an_interrupted_run_there_is_nothing_to_go_on_with(results: Results):
    end(results, start(results, 1))
    with pytest.raises(InputError, match=r"no interrupted run in .+; `study run` starts one"):
        choose_interrupted(results)


@pytest.mark.parametrize(
    "run_id", ["../../etc", "/etc/passwd", "..", "lab", "", "20260102T030405Z-lab-1a2b/.."]
)
def test_what_is_no_runs_id_is_refused_before_any_file_is_looked_at(results: Results, run_id: str):
    with pytest.raises(InputError) as told:
        read_start(results, run_id)
    assert str(told.value).startswith(f"run {run_id!r}: this is no run's id; one looks like 20260102T030405Z")


@pytest.mark.parametrize("text", ["", "{", '{"run_id": 3}', "[]"])
def test_a_damaged_start_is_told_and_never_gone_on_with(results: Results, text: str):
    one, other = start(results, 1), start(results, 2)
    results.start(other.run_id).write_text(text)
    assert choose_interrupted(results) == one
    with pytest.raises(InputError, match=r"run\.json is damaged .+; start the study again"):
        choose_interrupted(results, other.run_id)


def test_a_run_that_was_not_started_is_answered_with_the_latest_interrupted(results: Results):
    unknown = "20250102T030405Z-lab-1a2b"
    with pytest.raises(InputError) as told:
        read_start(results, unknown)
    assert str(told.value) == f"run '{unknown}' was not started in {results.folder}; none is interrupted"
    runs = [start(results, number).run_id for number in range(4)]
    with pytest.raises(InputError) as told:
        read_start(results, unknown)
    assert str(told.value).endswith(f"; interrupted: {', '.join(runs[1:])}")


SPEEDS = tuple(
    Speed(
        hyperparameters=Hyperparameters(filters=filters), train_seconds=filters / 1e6, evaluation_seconds=1e-5
    )
    for filters in (8, 64)
)


def test_what_was_measured_of_a_machine_is_read_for_that_machine_only(any_results: Results):
    save_speeds(any_results, "one machine", SPEEDS)
    assert read_speeds(any_results, "one machine") == SPEEDS
    assert read_speeds(any_results, "another machine") == ()


def test_damaged_measurements_are_told_of_and_count_as_none(
    results: Results, caplog: pytest.LogCaptureFixture
):
    save_speeds(results, "one machine", SPEEDS)
    (path,) = results.speeds.iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    assert read_speeds(results, "one machine") == ()
    assert f"{path} is damaged and is measured again" in caplog.text
