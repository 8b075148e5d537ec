"""What every test needs: Prefect's home of its own, and TensorFlow as a lane has it."""

import gc
import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before anything imports Prefect or TensorFlow. Each test process has a home of its own.
_HOME = tempfile.TemporaryDirectory(prefix="prefect-home-", ignore_cleanup_errors=True)
os.environ["PREFECT_HOME"] = _HOME.name
os.environ.pop("PREFECT_API_URL", None)

# Started in the background of a script, this process ignores Ctrl-C, and so would every command it tests.
signal.signal(signal.SIGINT, signal.default_int_handler)

from tasks.lanes.devices import Device  # noqa: E402 - needs the environment above

os.environ.update(Device("CPU").environment)


@pytest.fixture(scope="module", autouse=True)
def _what_is_there_before() -> None:
    """Take what other files of tests have left out of the collections below, which are quick by that."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """Collect garbage after each test: what it has left open is reported against it, and not a later one."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def dataset():
    """The first images of the real dataset: enough to learn from, few enough to be quick."""
    from tasks.data.dataset import load_dataset

    return load_dataset().first(640, 200)


@pytest.fixture(scope="session", autouse=True)
def _stop_temporary_server() -> Iterator[None]:
    yield
    logging.getLogger("prefect").setLevel(logging.CRITICAL)  # it would log to a stream that pytest has closed
    _HOME.cleanup()


@pytest.fixture(scope="session")
def server() -> Iterator[None]:
    """A temporary Prefect server of this test process, which commands called in it use."""
    from flows.serving.temporary import TemporaryServer
    from tests.command import environment_of_commands
    from tests.prefect_home import prepare_home

    prepare_home(Path(_HOME.name))
    running = TemporaryServer()
    running.wait()
    # Not the log: the client would still send it when the server is gone.
    environment_of_commands.update(running.environment, PREFECT_LOGGING_TO_API_ENABLED="false")
    yield
    environment_of_commands.clear()
    running.stop()


@pytest.fixture
def server_here(server: None) -> Iterator[None]:
    """The temporary server, used by the flows that a test calls itself."""
    from tests.command import using_server

    with using_server():
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all test processes of this session share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def toy_run(shared: Path, server: None):
    """A finished run of the toy study; read it, or change a copy."""
    from tests.toy import finish_toy

    return finish_toy(shared)


@pytest.fixture(scope="session")
def quiet_arena(shared: Path):
    """Where a run was that nothing disturbed, to compare disturbed ones with."""
    from tests.chaos import run_once

    return run_once(shared / "quiet")


@pytest.fixture(scope="session")
def quiet(quiet_arena):
    """The trials of that run."""
    from tests.chaos import trials_of

    return trials_of(quiet_arena.results)


@pytest.fixture
def results(tmp_path: Path):
    from storage.results import open_results

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
    from storage.results import local_folder, open_results, remove_path
    from tests.object_stores import new_address

    opened = open_results(new_address())
    yield opened
    remove_path(local_folder(opened.locks))


@pytest.fixture(params=["disk", pytest.param("s3", marks=pytest.mark.slow)])
def any_results(request: pytest.FixtureRequest):
    """Results on a disk, and once more on an object store."""
    return request.getfixturevalue("results" if request.param == "disk" else "s3_results")
