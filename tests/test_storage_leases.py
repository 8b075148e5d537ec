"""Leases: one machine at a time, whoever looks, also where the kernel's lock reaches only its own processes.

Another machine is another process here that bears another kernel's name, and does not ask the kernel's lock.
"""

import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from storage import leases
from storage.leases import STALE_SECONDS, Lease, find_holder, remove_leases
from storage.locks import is_running, run_lock, waiting_lock
from storage.place import Results
from storage.run_starts import choose_interrupted
from study.errors import InputError
from tests.test_storage_run_starts import start
from tests.waiting import wait_until

MACHINE = """
import socket, sys, time
from pathlib import Path
from storage import leases
folder, kernel = Path(sys.argv[1]), sys.argv[2]
leases.kernel_name = lambda: kernel
leases.socket.gethostname = lambda: kernel
leases.RENEWED_SECONDS = 0.1
folder.mkdir(exist_ok=True)
"""
HOLD = """
for name in sys.argv[3:]:
    assert leases.Lease(folder, name, lambda: None).take() is None
print("held", flush=True)
time.sleep(600)
"""
TAKE_ONCE = """
sys.stdin.readline()
holder = leases.Lease(folder, "run", lambda: None).take()
print("won" if holder is None else f"lost to {holder.owner and holder.owner.host}", flush=True)
time.sleep(600)
"""
TAKE_OFTEN = """
print("ready", flush=True)
sys.stdin.readline()
mark, taken = folder / "mark", 0
while taken < 10:
    lease = leases.Lease(folder, "run", lambda: None)
    if lease.take() is None:
        mark.open("x").close()
        mark.unlink()
        taken += 1
    lease.give_up()
print(taken)
"""
EXECUTE = """
from storage.locks import run_lock
from storage.place import Results
from study.errors import InputError
try:
    with run_lock(Results(folder.parent), "run"):
        print("held", flush=True)
        time.sleep(600)
except InputError as error:
    print(error, flush=True)
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def machine(results: Results) -> Iterator[Start]:
    """Start a program on another machine, named `kernel`."""
    with ExitStack() as stack:

        def begin(program: str, kernel: str, *names: str) -> "subprocess.Popen[str]":
            command = [sys.executable, "-c", MACHINE + program, str(results.locks), kernel, *names]
            process = stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            stack.callback(process.kill)
            return process

        yield begin


def says(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def make_old(results: Results, name: str, seconds: float = STALE_SECONDS + 60) -> None:
    """Let a lease look as if it had not been renewed for so long."""
    (path,) = results.locks.glob(f"{name}.*.owner")
    then = time.time() - seconds
    os.utime(path, (then, then))


def holding(machine: Start, *names: str, kernel: str = "elsewhere") -> "subprocess.Popen[str]":
    process = machine(HOLD, kernel, *names)
    assert says(process) == "held"
    return process


def test_a_run_on_another_machine_is_refused_and_named(results: Results, machine: Start):
    process = holding(machine, "run")
    assert is_running(results, "run")
    with (
        pytest.raises(
            InputError,
            match=rf"run run is being executed by process {process.pid} of .+ on elsewhere since 20.+ UTC "
            r"\(by that machine's clock\); its last sign of life was \d+\.\d s ago; wait for it, or stop it "
            r"there; if that machine is gone, the run is free 2 min 00 s after its last sign of life",
        ),
        run_lock(results, "run"),
    ):
        pass


def test_a_run_that_is_executed_elsewhere_is_not_gone_on_with(results: Results, machine: Start):
    first, second = start(results, 1), start(results, 2)
    holding(machine, second.run_id)
    assert choose_interrupted(results) == first
    with pytest.raises(InputError, match=f"run {second.run_id} is being executed by process .+ on elsewhere"):
        choose_interrupted(results, second.run_id)


def test_a_holder_goes_on_renewing_its_lease(results: Results, machine: Start):
    holding(machine, "run")
    make_old(results, "run")
    wait_until(lambda: is_running(results, "run"))


def test_a_machine_that_gave_no_sign_for_long_is_taken_over_with_a_warning(
    results: Results, machine: Start, caplog: pytest.LogCaptureFixture
):
    holding(machine, "run").kill()
    assert is_running(results, "run")
    make_old(results, "run")
    assert not is_running(results, "run")
    with caplog.at_level(logging.WARNING), run_lock(results, "run"):
        assert "run: taken over from process " in caplog.text
        assert "on elsewhere since" in caplog.text
        assert "its last sign of life was 3 min 00 s ago" in caplog.text


def test_a_run_killed_on_this_machine_is_free_at_once(results: Results, machine: Start):
    holding(machine, "run", kernel=leases.kernel_name()).kill()
    assert not is_running(results, "run")
    with run_lock(results, "run"):
        assert find_holder(results.locks, "run") is None


def test_what_was_given_up_is_free_at_once_for_another_machine(results: Results, machine: Start):
    with run_lock(results, "run"):
        pass
    process = machine(TAKE_ONCE, "elsewhere")
    print("", file=process.stdin, flush=True)
    assert says(process) == "won"


def test_no_clock_of_a_machine_is_asked_for_an_age(
    results: Results, machine: Start, monkeypatch: pytest.MonkeyPatch
):
    holding(machine, "run")
    now = time.time
    for hours in (-48, 48):
        monkeypatch.setattr(time, "time", lambda hours=hours: now() + 3600 * hours)
        assert is_running(results, "run")


@pytest.mark.parametrize("text", ["", "{", '{"host": 3}', "\0"])
def test_a_lease_that_cannot_be_read_is_held_until_it_is_old(results: Results, text: str):
    results.locks.mkdir()
    (results.locks / "run.7.owner").write_text(text)
    with (
        pytest.raises(InputError, match="by a process that has not said on which machine; its last sign"),
        run_lock(results, "run"),
    ):
        pass
    make_old(results, "run")
    with run_lock(results, "run"):
        assert [path.name for path in results.locks.glob("*.owner")] == ["run.8.owner"]


def test_of_machines_that_find_a_stale_lease_at_once_one_wins(results: Results, machine: Start):
    holding(machine, "run").kill()
    make_old(results, "run")
    rivals = [machine(TAKE_ONCE, f"rival-{number}") for number in range(6)]
    for rival in rivals:
        print("", file=rival.stdin, flush=True)
    said = [says(rival) for rival in rivals]
    assert said.count("won") == 1
    winner = f"rival-{said.index('won')}"
    assert sum(each in (f"lost to {winner}", "lost to None") for each in said) == 5


def test_machines_that_take_and_give_up_all_the_time_never_hold_it_together(results: Results, machine: Start):
    rivals = [machine(TAKE_OFTEN, f"rival-{number}") for number in range(4)]
    assert [says(rival) for rival in rivals] == ["ready"] * 4
    for rival in rivals:
        print("", file=rival.stdin, flush=True)
    assert [says(rival) for rival in rivals] == ["10"] * 4
    assert [rival.wait() for rival in rivals] == [0, 0, 0, 0]


def test_a_run_that_was_taken_over_while_its_machine_slept_stops(results: Results, machine: Start):
    sleeper = machine(EXECUTE, "sleeper")
    assert says(sleeper) == "held"
    sleeper.send_signal(signal.SIGSTOP)
    make_old(results, "run")
    lease = Lease(results.locks, "run", lambda: None)
    assert lease.take() is None
    sleeper.send_signal(signal.SIGCONT)
    said = says(sleeper)
    assert said.startswith("run run: this machine gave no sign of life for 2 min 00 s, and another has taken")
    assert f"process {os.getpid()} of " in said
    assert sleeper.wait() == 0
    (path,) = results.locks.glob("*.owner")
    assert path.name == "run.2.owner"  # the sleeper leaves the winner's alone


def test_a_training_on_another_machine_is_waited_for(results: Results, machine: Start):
    process = holding(machine, "key")
    waited: list[bool] = []

    def stop() -> bool:
        process.kill()
        make_old(results, "key")
        return False

    with waiting_lock(results, "key", lambda: waited.append(True), stop):
        assert waited == [True]


def test_waiting_for_another_machine_ends_when_the_run_is_stopped(results: Results, machine: Start):
    holding(machine, "key")
    with pytest.raises(TimeoutError), waiting_lock(results, "key", lambda: None, lambda: True):
        pass
    assert Path(results.locks / "key.1.owner").exists()


def test_a_lease_that_someone_has_tidied_up_comes_back(results: Results, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(leases, "RENEWED_SECONDS", 0.05)
    with run_lock(results, "run"):
        (path,) = results.locks.glob("*.owner")
        path.unlink()
        wait_until(path.exists)


def test_of_two_files_of_a_lease_the_higher_number_decides(tmp_path: Path):
    lease = Lease(tmp_path, "run", lambda: None)
    assert lease.take() is None
    lease.give_up()
    given_up = tmp_path / "run.1.owner"
    elsewhere = re.sub(r'"kernel":"[^"]*"', '"kernel":"another"', given_up.read_text())
    held = elsewhere.replace('"has_ended":true', '"has_ended":false')
    (tmp_path / "run.2.owner").write_text(held)
    holder = find_holder(tmp_path, "run")
    assert holder is not None and holder.owner is not None
    assert (holder.owner.kernel, holder.owner.has_ended) == ("another", False)
    (tmp_path / "run.10.owner").write_text(elsewhere)
    assert find_holder(tmp_path, "run") is None, "ten comes after two"
    (tmp_path / "run.11.owner").write_text(held)
    (tmp_path / "run.x.owner").write_text("no number")
    refused = Lease(tmp_path, "run", lambda: None).take()
    assert refused is not None
    assert re.fullmatch(
        r"process \d+ of .+ on .+ since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(by that machine's clock\); "
        r"its last sign of life was \d\.\d s ago",
        str(refused),
    )
    remove_leases(tmp_path, "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run.x.owner"]


def test_a_lease_that_was_never_taken_leaves_nothing_when_it_is_given_up(tmp_path: Path):
    lease = Lease(tmp_path, "run", lambda: None)
    lease.give_up()
    assert list(tmp_path.iterdir()) == []
    assert not lease.is_lost


@pytest.mark.parametrize(("age", "is_gone"), [(STALE_SECONDS, False), (STALE_SECONDS + 0.1, True)])
def test_a_holder_is_gone_after_two_minutes_without_a_sign(age: float, is_gone: bool):
    assert STALE_SECONDS == 120
    assert leases.RENEWED_SECONDS == 20
    assert leases.Holder(None, age).is_gone is is_gone
    assert str(leases.Holder(None, -3.0)) == (
        "a process that has not said on which machine; its last sign of life was 0.0 s ago"
    )
