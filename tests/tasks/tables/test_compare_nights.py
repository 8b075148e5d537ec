"""A fresh run against the published ones: which are compared, what is written, and what changed is named."""

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from storage.results import Results
from storage.tables.published import RunTables, publish
from storage.tables.rows_of_findings import NightRow
from study.conclusions.changes import read_changes
from study.plan.cost import ENGINE_COSTS
from study.plan.forecast import Forecast, FurtherTrainings
from tasks.data.dataset import Dataset
from tasks.tables.findings import compare_nights
from tasks.tables.publish import RunFacts, describe_provenance
from tasks.tables.rows import RunContext
from tests.rows import COMMIT, STARTED_AT, make_source
from tests.small_run import changed, make_small_study, make_tables

EARLIER, YESTERDAY, TONIGHT = "20260228-120000-abcd", "20260302-120000-abcd", "20260303-120000-abcd"

OTHER_SEED = make_small_study().model_copy(update={"seed": 7})

_CONTEXT = RunContext(TONIGHT, make_small_study(), make_source(make_small_study()), COMMIT)


def _circumstances() -> RunFacts:
    return RunFacts(
        started_at=STARTED_AT + timedelta(days=2), begun=0.0, resumed=0, lanes=2, device="CPU",
        flow_run_id=None, forecast=Forecast((), FurtherTrainings(0), 2, 0.1, ENGINE_COSTS["native"]),
        makespan_seconds=1.0, makespan_bound_seconds=1.0,
    )  # fmt: skip


def _earlier(dataset: Dataset, run_id: str = YESTERDAY, **changes: Any) -> RunTables:
    """A published night of the very run_facts of tonight, but for what is changed."""
    tables = make_tables(run_id)
    provenance = describe_provenance(_CONTEXT, _circumstances(), dataset)
    versions = json.dumps({**provenance.versions, **changes.pop("versions", {})})
    known = {**provenance.model_dump(), "versions": versions, **changes}
    return dataclasses.replace(tables, run=changed(tables.run, **known))


def _compare(results: Results, dataset: Dataset, bits: str = "", by: float = 0.0) -> NightRow:
    """Tonight's row of the one exercise; `bits` are those of a machine that computes otherwise."""
    tables = make_tables(TONIGHT)
    trials = [
        changed(row, weights_sha256=f"{row.weights_sha256}{bits}", test_accuracy=row.test_accuracy + by)
        for row in tables.trials
    ]
    (row,) = compare_nights.fn(results, _CONTEXT, _circumstances(), dataset, trials, tables.trainings)
    return row


def test_the_first_night_is_compared_with_nothing_and_has_its_accuracy_and_time(
    results: Results, dataset: Dataset
):
    tables = make_tables(TONIGHT)
    means = [row.mean_accuracy for row in tables.summary]
    row = _compare(results, dataset)
    assert (row.verdict, row.exercise, row.study, row.run_id) == ("first", 4, "lab", TONIGHT)
    assert (row.trials, row.failed_trials, row.compared_with, row.changes) == (20, 0, None, None)
    assert row.mean_accuracy == pytest.approx(sum(means) / 5)
    assert row.best_accuracy == pytest.approx(max(means))
    assert row.lane_seconds == pytest.approx(sum(each.lane_seconds for each in tables.trainings))


def test_a_night_after_which_nothing_changed_is_identical_and_says_so(results: Results, dataset: Dataset):
    publish(results, _earlier(dataset))
    row = _compare(results, dataset)
    assert (row.verdict, row.compared_with, row.difference) == ("identical", YESTERDAY, 0.0)
    assert row.changes == "[]"
    assert row.message == (
        f"Identical: the weights of run {YESTERDAY}. Nothing recorded changed since run {YESTERDAY}."
    )


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"git_commit": "ab" * 20}, "git commit"),
        ({"versions": {"tensorflow": "2.20.0"}}, "TensorFlow"),
        ({"versions": {"prefect": "3.8.7"}}, "Prefect"),
        ({"data_fingerprint": "cd" * 32}, "data fingerprint"),
        ({"device": "GPU"}, "kind of device"),
        ({"processor": "Another"}, "processor"),
        ({"lock_sha256": "ef" * 32}, "lock file"),
        ({"lock_sha256": None}, "lock file"),
        ({"study_definition": OTHER_SEED.model_dump_json()}, "study: seed"),
    ],
)
def test_the_one_thing_that_changed_is_named(
    results: Results, dataset: Dataset, change: dict[str, Any], name: str
):
    publish(results, _earlier(dataset, **change))
    same, new = _compare(results, dataset), _compare(results, dataset, bits="x")
    for row in (same, new):
        assert [each.name for each in read_changes(row.changes)] == [name]
    assert f"Changed without effect since run {YESTERDAY}: {name}: " in same.message
    assert f"Changed since run {YESTERDAY}: {name}: " in new.message


def test_new_weights_without_a_change_are_said_to_be_unexplained(results: Results, dataset: Dataset):
    publish(results, _earlier(dataset))
    row = _compare(results, dataset, bits="x")
    assert row.verdict == "same within noise"
    assert f"Nothing recorded changed since run {YESTERDAY}, and yet the weights differ." in row.message


def test_a_drift_is_said_with_its_size_and_its_setting(results: Results, dataset: Dataset):
    publish(results, _earlier(dataset))
    row = _compare(results, dataset, bits="x", by=-0.2)
    assert row.verdict == "drifted"
    assert row.p_value <= row.threshold == 1 / 365
    assert row.message.startswith(
        f"DRIFTED: −20.00 points against 20 distinct readings of run {YESTERDAY}, most surely epochs="
    )
    assert "the weights of 20 of 20 trials are new." in row.message


def test_after_a_drift_the_readings_from_before_are_not_compared(results: Results, dataset: Dataset):
    publish(results, _earlier(dataset, EARLIER))
    drifted = _earlier(dataset)
    rows = [changed(row, weights_sha256=f"{row.weights_sha256}x") for row in drifted.trials]
    verdict = changed(_compare(results, dataset, bits="x", by=-0.2), run_id=YESTERDAY)
    publish(results, dataclasses.replace(drifted, trials=rows, nights=[verdict]))
    again = _compare(results, dataset, bits="x")
    assert (again.verdict, again.compared_with, again.earlier_runs) == ("identical", YESTERDAY, 1)
    assert _compare(results, dataset).verdict == "same within noise"


@pytest.mark.parametrize(
    "change",
    [{"study": "other"}, {"protocol": "held-out"}, {"started_at": STARTED_AT + timedelta(days=3)}],
)
def test_runs_of_another_study_or_protocol_or_of_later_are_not_compared(
    results: Results, dataset: Dataset, change: dict[str, Any]
):
    publish(results, _earlier(dataset, **change))
    assert _compare(results, dataset).verdict == "first"


def test_a_damaged_run_is_left_out_and_where_no_run_can_be_read_the_night_is_the_first(
    results: Results, dataset: Dataset, caplog: pytest.LogCaptureFixture
):
    publish(results, _earlier(dataset, EARLIER))
    publish(results, _earlier(dataset))
    (results.tables / "trials" / f"run={YESTERDAY}" / "part-0.parquet").write_bytes(b"PAR1")
    assert _compare(results, dataset).compared_with == EARLIER
    assert "skipping this run" in caplog.text
    for run_id in (EARLIER, YESTERDAY):
        (results.tables / "runs" / f"run={run_id}" / "part-0.parquet").write_bytes(b"PAR1")
    assert _compare(results, dataset).verdict == "first"
    assert "this night is not compared" in caplog.text
