"""Locks: held by one run at a time, and free as soon as its process is gone, however it went."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from filelock import Timeout

from storage.locks import is_running, run_lock, waiting_lock
from storage.place import Results
from study.errors import InputError

HOLDER = """
import sys, time
from pathlib import Path
from storage.locks import run_lock, waiting_lock
from storage.place import Results
results = Results(Path(sys.argv[1]))
with run_lock(results, "run"), waiting_lock(results, "key", lambda: None, lambda: False):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(results: Results) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the run `run` and the training `key`."""
    command = [sys.executable, "-c", HOLDER, str(results.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_run_is_executed_by_one_process_at_a_time(results: Results, holder: "subprocess.Popen[str]"):
    assert is_running(results, "run")
    assert not is_running(results, "another")
    with (
        pytest.raises(InputError, match="run run is being executed by another process; wait for it"),
        run_lock(results, "run"),
    ):
        pass


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lock_is_free_when_its_process_is_gone(
    results: Results, holder: "subprocess.Popen[str]", number: int
):
    holder.send_signal(number)
    holder.wait()
    assert not is_running(results, "run")
    with waiting_lock(results, "key", lambda: pytest.fail("nobody holds it"), lambda: False):
        pass


def test_a_training_that_another_run_holds_is_waited_for(results: Results, holder: "subprocess.Popen[str]"):
    waited: list[int] = []

    def end_holder() -> None:
        waited.append(holder.pid)
        holder.kill()

    with waiting_lock(results, "key", end_holder, lambda: False):
        assert waited == [holder.pid]


def test_waiting_for_a_training_ends_when_the_run_is_stopped(
    results: Results, holder: "subprocess.Popen[str]"
):
    with pytest.raises(Timeout), waiting_lock(results, "key", lambda: None, lambda: True):
        pass
    assert holder.poll() is None


def test_two_trainings_are_held_independently(results: Results, holder: "subprocess.Popen[str]"):
    with waiting_lock(results, "other", lambda: pytest.fail("nobody holds it"), lambda: False):
        assert holder.poll() is None
