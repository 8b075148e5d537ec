"""What started a run stands in its name; what the schedule starts too late is skipped."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.utilities.names import generate_slug

from flows.prepare import RunParameters
from flows.run_study import describe_run, end_state, trigger_of, why_too_late
from study.errors import InputError
from tests.rows import make_lab_tables, make_run, make_study

DUE = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
NIGHTLY = RunParameters(study="lab", fresh=True, latest_start="2h")


def flow_run(
    *, scheduled: bool = False, deployed: bool = True, attempt: int = 1, name: str = "kappa6-mendeleev"
) -> FlowRun:
    return FlowRun(
        name=name,
        flow_id=uuid4(),
        deployment_id=uuid4() if deployed else None,
        auto_scheduled=scheduled,
        expected_start_time=DUE,
        run_count=attempt,
    )


@pytest.mark.parametrize(
    ("run", "named", "recorded"),
    [
        (flow_run(scheduled=True), "scheduled", "schedule"),
        (flow_run(), "by hand", "ui"),
        (flow_run(deployed=False), "command line", "command line"),
    ],
)
def test_a_name_says_study_date_and_trigger(run: FlowRun, named: str, recorded: str):
    assert describe_run(run, NIGHTLY) == f"lab 2026-03-01 02:00 UTC, {named}"
    assert trigger_of(run) == recorded


def test_a_name_that_a_person_gave_is_kept():
    for name in ("before the talk", "first-try", "lab 2026-03-01 02:00 UTC, scheduled", "bipedal"):
        assert describe_run(flow_run(name=name), NIGHTLY) == name


def test_a_name_that_prefect_made_up_is_replaced():
    for name in (generate_slug(2), "alpha-cygni", "zeta87-canis-majoris-void"):
        assert describe_run(flow_run(name=name), NIGHTLY).startswith("lab 2026-03-01")


def test_a_study_given_as_a_file_is_named_by_the_file_and_one_with_wrong_parameters_has_a_name_too():
    parameters = RunParameters(study_file="/home/someone/kernel size.yaml")
    assert describe_run(flow_run(), parameters).startswith("kernel size 2026-03-01")
    assert describe_run(flow_run(), None) == "study 2026-03-01 02:00 UTC, by hand"


def test_a_scheduled_run_that_comes_too_late_is_skipped_and_says_why():
    now = DUE + timedelta(hours=7)
    assert why_too_late(flow_run(scheduled=True), NIGHTLY, now) == (
        "due at 2026-03-01 02:00 UTC, 7 h 00 min late: skipped, as it may start 2 h 00 min late at most "
        "(parameter latest_start)"
    )


@pytest.mark.parametrize(
    ("run", "parameters"),
    [
        (flow_run(scheduled=True), RunParameters()),
        (flow_run(), NIGHTLY),
        (flow_run(scheduled=True, attempt=2), NIGHTLY),
    ],
    ids=["without a latest start", "asked for by hand", "retried by hand"],
)
def test_other_runs_are_not_skipped_however_late(run: FlowRun, parameters: RunParameters):
    assert why_too_late(run, parameters, DUE + timedelta(days=3)) is None


def test_a_scheduled_run_that_waited_no_longer_than_allowed_begins():
    run = flow_run(scheduled=True)
    assert why_too_late(run, NIGHTLY, DUE + timedelta(hours=2)) is None
    assert why_too_late(run, NIGHTLY, DUE + timedelta(hours=2, seconds=1)) is not None


def test_a_latest_start_that_is_no_time_is_refused():
    with pytest.raises(InputError, match="--latest-start: 'soon' is not a time; give one such as 90s"):
        why_too_late(flow_run(scheduled=True), RunParameters(latest_start="soon"), DUE)


def test_a_run_that_had_nothing_to_train_does_not_count_trials():
    tables = make_lab_tables(make_study())
    assert end_state(tables).message.startswith(f"{len(tables.trials)} trials, 0 failed, best ")
    empty = replace(tables, run=make_run(trials=[]), trials=(), summary=())
    assert end_state(empty).message == "nothing to train in the chosen exercises; the report is written"
