"""Runs and trainings are found by exercise in Prefect's UI; what was stopped has not failed there."""

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.runtime import flow_run

from flows.shown.events import tag_flow_run, tagged
from study.spec.study_file import read_study
from tasks.lanes import LanesClosed
from tests.command import ended_task_runs


def test_a_task_run_and_its_flow_run_bear_their_tags_in_prefects_database(server_here: None):
    @task
    def train() -> None:
        pass

    @flow(persist_result=False)
    def run() -> str:
        tag_flow_run(read_study("smoke").only(frozenset({1, 2})))
        tagged(train, [2, 4])()
        return str(flow_run.get_id())

    run_id = run()
    found = ended_task_runs(flow_run_filter=FlowRunFilter.model_validate({"id": {"any_": [run_id]}}))
    assert [set(each.tags) for each in found] == [{"exercise-2", "exercise-4"}]
    with get_client(sync_client=True) as client:
        assert set(client.read_flow_run(run_id).tags) == {"smoke", "exercise-1", "exercise-2"}


def test_a_training_whose_lanes_are_closed_is_cancelled_and_no_error(
    server_here: None, caplog: pytest.LogCaptureFixture
):
    @task
    def train() -> None:
        raise LanesClosed("the lanes are closed")

    @flow(persist_result=False)
    def run() -> str:
        assert tagged(train, [2])(return_state=True).name == "Cancelled"
        return str(flow_run.get_id())

    ran = FlowRunFilter.model_validate({"id": {"any_": [run()]}})
    assert [each.state_name for each in ended_task_runs(flow_run_filter=ran)] == ["Cancelled"]
    assert [each.levelname for each in caplog.records if "Finished in state Cancelled" in each.message] == [
        "INFO"
    ]


def test_a_run_without_prefect_is_not_tagged():
    tag_flow_run(read_study("smoke"))
