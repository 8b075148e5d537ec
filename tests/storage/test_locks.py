"""Locks: held by one run at a time, here and among machines, and free once the holder is gone.

Another machine is another process here whose locks of the kernel lie in a folder of its own.
"""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from storage import locks
from storage.locks import STALE_SECONDS, remove_lock, run_lock, waiting_lock, why_held
from storage.results import Results, explain_unwritable
from study.errors import InputError, ResultsUnwritable
from tests.waiting import wait_until

HERE = """
import sys, time
from pathlib import Path
from storage import locks, results as place
from storage.locks import run_lock, waiting_lock
from storage.results import Results
from study.errors import InputError
results = Results(Path(sys.argv[1]))
"""
ELSEWHERE = (
    HERE
    + """
machine = results.folder.parent / sys.argv[2]
place.local_folder = lambda folder: machine
locks.socket.gethostname = lambda: machine.name
locks.RENEWED_SECONDS = 0.1
"""
)
HOLD = """
with run_lock(results, "run"), waiting_lock(results, "key", lambda: None, lambda: False):
    print("held", flush=True)
    time.sleep(600)
"""
EXECUTE = """
try:
    with run_lock(results, sys.argv[3]):
        print("held", flush=True)
        time.sleep(600)
except InputError as error:
    print(error, flush=True)
"""
READY = """
print("ready", flush=True)
sys.stdin.readline()
"""
TAKE_OFTEN = """
locks.LOOK_SECONDS = 0.01
mark = results.folder / "mark"
for _ in range(10):
    with waiting_lock(results, "key", lambda: None, lambda: False):
        mark.open("x").close()
        mark.unlink()
print("10")
"""

Program = subprocess.Popen[str]
Start = Callable[..., Program]


@pytest.fixture
def begin(results: Results) -> Iterator[Start]:
    """Start a program that has the results' folder and these arguments."""
    with ExitStack() as stack:

        def begin(program: str, *arguments: str) -> Program:
            command = [sys.executable, "-c", program, str(results.folder), *arguments]
            started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            process = stack.enter_context(started)
            stack.callback(process.kill)
            return process

        yield begin


@pytest.fixture
def holder(begin: Start) -> Program:
    """Another process that holds the run `run` and the training `key`."""
    return begun(begin, HERE + HOLD)


@pytest.fixture
def elsewhere(begin: Start) -> Program:
    """Another machine that holds them."""
    return begun(begin, ELSEWHERE + HOLD, "elsewhere")


def begun(begin: Start, *command: str) -> Program:
    process = begin(*command)
    assert says(process) in ("held", "ready")
    return process


def says(process: Program) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def make_old(results: Results, name: str, seconds: float = STALE_SECONDS + 60) -> None:
    """Let a lease look as if it had not been renewed for so long."""
    then = time.time() - seconds
    os.utime(results.locks / f"{name}.owner", (then, then))


def test_a_run_is_executed_by_one_process_at_a_time(results: Results, holder: Program):
    assert why_held(results, "run") == "another process"
    assert why_held(results, "another") is None
    with (
        pytest.raises(InputError, match="run run is being executed by another process; wait for it, or stop"),
        run_lock(results, "run"),
    ):
        pass


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lock_is_free_when_its_process_is_gone(results: Results, holder: Program, number: int):
    holder.send_signal(number)
    holder.wait()
    assert (results.locks / "run.owner").exists()
    assert why_held(results, "run") is None
    with waiting_lock(results, "key", lambda: pytest.fail("nobody holds it"), lambda: False):
        assert why_held(results, "key") == "another process"
    with run_lock(results, "run"):
        pass


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOLCK, "its file system cannot lock files: No locks available"),
        (errno.ENOTSUP, "its file system cannot lock files: Operation not supported"),
        (errno.EACCES, "cannot be written: Permission denied"),
    ],
)
def test_a_lock_that_cannot_be_taken_ends_the_run_with_the_reason(
    number: int, reason: str, results: Results, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks.FileLock, "acquire", refuse)
    for lock in (run_lock(results, "run"), waiting_lock(results, "key", lambda: None, lambda: False)):
        with pytest.raises(ResultsUnwritable) as refused, lock:
            pass
        assert str(refused.value).startswith(f"{results.locks}: {reason}. What was finished is kept; ")


def test_a_file_that_another_user_has_left_is_named_with_its_owner(results: Results):
    if os.getuid() != 0:
        pytest.skip("only root gives files to others")
    path = results.folder / "file"
    path.touch()
    os.chown(path, 12345, 12345)
    told = pytest.raises(ResultsUnwritable, match=rf"^{path} \(owned by user 12345\): cannot be written: ")
    with told, explain_unwritable(results.locks):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))


def test_a_training_that_another_run_holds_is_waited_for(results: Results, holder: Program):
    with waiting_lock(results, "other", lambda: pytest.fail("nobody holds it"), lambda: False):
        assert holder.poll() is None
    waited: list[int] = []

    def end_holder() -> None:
        waited.append(holder.pid)
        holder.kill()

    with waiting_lock(results, "key", end_holder, lambda: False):
        assert waited == [holder.pid]


@pytest.mark.parametrize("who", ["holder", "elsewhere"])
def test_waiting_for_a_training_ends_when_the_run_is_stopped(
    results: Results, request: pytest.FixtureRequest, who: str
):
    held_by: Program = request.getfixturevalue(who)
    told = pytest.raises(TimeoutError, match="key is held by another run")
    with told, waiting_lock(results, "key", lambda: None, lambda: True):
        pass
    assert held_by.poll() is None
    assert (results.locks / "key.owner").exists()


def test_asking_who_holds_a_lock_leaves_nothing_behind(results: Results):
    assert why_held(results, "run") is None
    assert not results.locks.exists()
    with run_lock(results, "run"):
        assert sorted(path.name for path in results.locks.iterdir()) == ["run.lock", "run.owner"]
    assert [path.name for path in results.locks.iterdir()] == ["run.lock"]


def test_whoever_waits_for_a_lock_that_is_removed_holds_the_next_alone(results: Results):
    is_taken = threading.Event()

    def take() -> None:
        with waiting_lock(results, "key", is_taken.set, lambda: False):
            found.append(why_held(results, "key"))

    found: list[str | None] = []
    waiting = threading.Thread(target=take)
    with run_lock(results, "key"):
        waiting.start()
        assert is_taken.wait(60)
        remove_lock(results, "key")
    waiting.join()
    assert found == ["another process"]


def test_a_run_on_another_machine_is_refused_and_named(results: Results, elsewhere: Program):
    with (
        pytest.raises(
            InputError,
            match=rf"run run is being executed by process {elsewhere.pid} on elsewhere since 20\S+ \S+ UTC "
            r"\(by that machine's clock\), which gave its last sign of life \d+\.\d s ago; if that machine "
            r"is gone, it is free 2 min 00 s after; wait for it, or stop it$",
        ),
        run_lock(results, "run"),
    ):
        pass


def test_a_holder_renews_its_lease(results: Results, elsewhere: Program):
    make_old(results, "run")
    wait_until(lambda: why_held(results, "run"))


@pytest.mark.parametrize(("seconds", "is_free"), [(STALE_SECONDS - 30, False), (STALE_SECONDS + 1, True)])
def test_a_machine_that_gave_no_sign_for_two_minutes_is_taken_over(
    results: Results, elsewhere: Program, seconds: float, is_free: bool
):
    assert (locks.RENEWED_SECONDS, STALE_SECONDS) == (20, 120)
    elsewhere.kill()
    elsewhere.wait()
    assert why_held(results, "run") is not None
    make_old(results, "run", seconds)
    assert (why_held(results, "run") is None) == is_free
    if is_free:
        with run_lock(results, "run"):
            assert f"process {os.getpid()} on " in (results.locks / "run.owner").read_text()


def test_no_clock_of_a_machine_is_asked_for_an_age(
    results: Results, elsewhere: Program, monkeypatch: pytest.MonkeyPatch
):
    now = time.time
    for hours in (-48, 48):
        monkeypatch.setattr(time, "time", lambda hours=hours: now() + 3600 * hours)
        assert why_held(results, "run") is not None


@pytest.mark.parametrize("text", [b"", b"{", b"\0\xff", b"elsewhere\n"])
def test_a_lease_that_cannot_be_read_is_held_until_it_is_old(results: Results, text: bytes):
    results.locks.mkdir()
    (results.locks / "run.owner").write_bytes(text)
    with (
        pytest.raises(InputError, match="by a process that has not said on which machine, which gave its"),
        run_lock(results, "run"),
    ):
        pass
    make_old(results, "run")
    with run_lock(results, "run"):
        assert [path.name for path in results.locks.glob("*.owner")] == ["run.owner"]


def test_of_machines_that_find_a_stale_lease_at_once_one_wins(
    results: Results, begin: Start, elsewhere: Program
):
    elsewhere.kill()
    elsewhere.wait()
    rivals = [begun(begin, ELSEWHERE + READY + EXECUTE, f"rival-{number}", "run") for number in range(6)]
    make_old(results, "run")
    for rival in rivals:
        print("", file=rival.stdin, flush=True)
    assert sorted(says(rival)[:4] for rival in rivals) == ["held"] + ["run "] * 5


def test_machines_that_take_and_let_go_all_the_time_never_hold_it_together(results: Results, begin: Start):
    rivals = [begun(begin, ELSEWHERE + READY + TAKE_OFTEN, f"rival-{number}") for number in range(4)]
    for rival in rivals:
        print("", file=rival.stdin, flush=True)
    assert [says(rival) for rival in rivals] == ["10"] * 4
    assert [rival.wait() for rival in rivals] == [0, 0, 0, 0]


def test_a_run_that_was_taken_over_while_its_machine_slept_stops(results: Results, begin: Start):
    sleeper = begun(begin, ELSEWHERE + EXECUTE, "sleeper", "run")
    sleeper.send_signal(signal.SIGSTOP)
    make_old(results, "run")
    with run_lock(results, "run"):
        sleeper.send_signal(signal.SIGCONT)
        assert says(sleeper) == "run run: another machine has taken it over from this one"
        assert sleeper.wait() == 0
        assert f"process {os.getpid()} on " in (results.locks / "run.owner").read_text()


def test_a_training_on_another_machine_is_waited_for(results: Results, elsewhere: Program):
    waited: list[bool] = []

    def stop() -> bool:
        elsewhere.kill()
        elsewhere.wait()
        make_old(results, "key")
        return False

    with waiting_lock(results, "key", lambda: waited.append(True), stop):
        assert waited == [True]


def test_a_lease_that_someone_has_tidied_up_comes_back(results: Results, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(locks, "RENEWED_SECONDS", 0.05)
    with run_lock(results, "run"):
        lease = Path(results.locks / "run.owner")
        lease.unlink()
        wait_until(lease.exists)
