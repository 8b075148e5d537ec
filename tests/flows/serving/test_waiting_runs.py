"""A run that waits for the pool bears the name of the run that holds it."""

from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.states import Completed, Running

from flows.serving.waiting_runs import name_holder
from flows.shown import without_waiting

POOL = "waited for"


@flow(name="waits")
def waits() -> None:
    pass


def make_run(client: SyncPrefectClient, name: str) -> UUID:
    flow_id = client.create_flow(waits)
    deployment = client.create_deployment(flow_id, name=name, work_pool_name=POOL)
    run = client.create_flow_run_from_deployment(deployment, name=name, tags=["own"])
    return run.id


def test_a_due_run_is_tagged_with_the_run_that_holds_the_pool_and_then_with_the_next(server_here: None):
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process", concurrency_limit=1))
        first, second, third = [make_run(client, name) for name in ("first", "second", "third")]

        def read_tags() -> list[list[str]]:
            name_holder(POOL)
            return [sorted(client.read_flow_run(each).tags) for each in (first, second, third)]

        assert read_tags() == [["own"]] * 3  # nothing holds the pool
        running: Any = Running()
        client.set_flow_run_state(first, running, force=True)
        assert read_tags() == [["own"], ["own", "waits for first"], ["own", "waits for first"]]
        ended: Any = Completed()
        client.set_flow_run_state(first, ended, force=True)
        client.set_flow_run_state(second, running, force=True)
        assert read_tags()[2] == ["own", "waits for second"]


def test_a_run_that_begins_waits_no_longer():
    assert without_waiting(["lab", "waits for smoke", "waiting"]) == ["lab", "waiting"]
