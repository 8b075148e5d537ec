"""What every test needs: Prefect's home of its own, and TensorFlow as a lane has it."""

import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before anything imports Prefect or TensorFlow.
_HOME = tempfile.TemporaryDirectory(prefix="prefect-home-", ignore_cleanup_errors=True)
os.environ["PREFECT_HOME"] = _HOME.name
os.environ.pop("PREFECT_API_URL", None)

# Started in the background of a script, this process ignores Ctrl-C, and so would every command it tests.
signal.signal(signal.SIGINT, signal.default_int_handler)

from tasks.devices import Device  # noqa: E402 - needs the environment above

os.environ.update(Device("CPU").environment)


@pytest.fixture(scope="session")
def dataset():
    """The first images of the real dataset: enough to learn from, few enough to be quick."""
    from tasks.dataset import load_dataset

    return load_dataset().first(640, 200)


@pytest.fixture(scope="session", autouse=True)
def _stop_temporary_server() -> Iterator[None]:
    yield
    logging.getLogger("prefect").setLevel(logging.CRITICAL)  # it would log to a stream that pytest has closed
    _HOME.cleanup()


@pytest.fixture
def results(tmp_path: Path):
    from storage.place import open_results

    return open_results(tmp_path / "results")


@pytest.fixture(scope="session")
def s3() -> Iterator[None]:
    """A server that speaks S3, where this process and those it starts look for one."""
    from tests.object_stores import credentials, serving

    with serving() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in credentials(server.port).items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def s3_results(s3: None):
    """Results on an object store, with nothing in it yet."""
    from storage.place import local_folder, open_results, remove_path
    from tests.object_stores import new_address

    opened = open_results(new_address())
    yield opened
    remove_path(local_folder(opened.locks))


@pytest.fixture(params=["disk", "s3"])
def any_results(request: pytest.FixtureRequest):
    """Results on a disk, and once more on an object store."""
    return request.getfixturevalue("results" if request.param == "disk" else "s3_results")
