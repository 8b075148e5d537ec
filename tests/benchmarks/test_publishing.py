"""The storm of publishers in small: no reader ever sees a part of a run, on a disk and on an object store."""

import dataclasses

import pytest
from s3fs import S3FileSystem

from benchmarks.publishing import Reader, run_store
from storage.results import Results
from storage.tables.history import update_history
from storage.tables.parts import part_path
from storage.tables.published import publish
from tests.object_stores import credentials
from tests.small_run import make_tables


@pytest.mark.slow
@pytest.mark.parametrize("store", ["disk", "s3"])
def test_writers_that_are_killed_leave_whole_runs_only(store: str, monkeypatch: pytest.MonkeyPatch):
    for name, value in credentials(0).items():  # put back what the storm sets
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    found = run_store(store, 2, 1)
    S3FileSystem.clear_instance_cache()
    assert found["SIGKILLs of writers"] == 4
    assert found["reads of a run by `read_run`"] > 0
    assert found["reads that saw a part of a run"] == 0
    assert found["published runs and months that are damaged"] == 0
    assert found["files that a reader would trip over"] == 0


def test_a_part_of_a_run_would_be_seen(results: Results, monkeypatch: pytest.MonkeyPatch):
    publish(results, make_tables())
    update_history(results)
    part = part_path(results, "epochs", make_tables().run.run_id)
    part.write_bytes(part_path(results, "epochs", publish_other(results)).read_bytes())
    reader = Reader(results)
    while not reader.counts["reads of a run by `read_run`"]:
        pass
    reader.close()
    assert reader.counts["partial"] > 0


def publish_other(results: Results) -> str:
    """Publish a run with an epoch less; return its id."""
    tables = make_tables("20260401T020000Z-lab-00000001")
    publish(results, dataclasses.replace(tables, epochs=tables.epochs[1:]))
    return tables.run.run_id
