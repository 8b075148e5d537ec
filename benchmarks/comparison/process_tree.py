"""Run a command, measure its whole process tree, and leave nothing of it running (Linux only).

The measuring is done by a process of its own that every orphan of the tree is given to (a subreaper, see
prctl(2)): who leaves its parent is still found. Memory is the sum of PSS (pages that n processes share count
1/n for each), looked at every second: a shorter peak is missed. The wall time ends when the command ends;
the CPU time has also what was left of the tree then, see `cpu_account`.
"""

import argparse
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from benchmarks.comparison.cpu_account import CpuAccount, open_account
from benchmarks.comparison.loopback import isolating_prefix, list_wide_listeners, open_loopback

MEMORY_SECONDS, LISTENERS_EVERY = 1.0, 2
"""How often the tree's memory is looked at, and at which of these times who listens, too."""

PARTING_SECONDS = 5.0
"""How long what outlives the command may take to end by itself, and again after SIGTERM."""

_ROOT = Path(__file__).resolve().parents[2]
_SET_CHILD_SUBREAPER, _SET_PARENT_DEATH_SIGNAL = 36, 1  # linux/prctl.h


@dataclass(frozen=True)
class Measured:
    """What a process tree took; `problem` says why it failed, empty if it did not."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    problem: str = ""
    cpu_source: str = ""
    isolated: bool = False
    """Whether it ran in a network of its own."""
    wide_listeners: Sequence[str] = ()
    """Who listened beyond loopback; kept in, where it was isolated."""
    left_running: Sequence[str] = ()
    """What outlived the command and had to be ended."""


@dataclass
class _Seen:
    """What looking at the tree again and again has shown so far."""

    peak_bytes: int = 0
    wide_listeners: set[str] = field(default_factory=set)


def measure_tree(
    command: Sequence[str], *, limit_seconds: float, log: Path, environment: Mapping[str, str] | None = None
) -> Measured:
    """Run a command in the repository's root in a network of its own and measure its process tree.

    Where such a network cannot be had, it is ended as soon as it is seen to listen beyond loopback.

    Args:
        command: The program and its arguments.
        limit_seconds: After this it is ended, and the problem says so.
        log: Where its output goes.
        environment: Variables beside this process's own.
    """
    prefix = isolating_prefix()
    with tempfile.TemporaryDirectory(prefix="measured-") as folder:
        answer = Path(folder, "measured.json")
        options = ["--limit", str(limit_seconds), "--log", str(log.absolute()), "--answer", str(answer)]
        module = [sys.executable, "-m", "benchmarks.comparison.process_tree"]
        supervisor = subprocess.Popen(
            [*prefix, *module, *options, *(["--isolated"] if prefix else []), "--", *command],
            cwd=_ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
        )
        try:
            code = supervisor.wait()
        finally:
            supervisor.terminate()  # if this process was interrupted: it ends the tree before it ends itself
            supervisor.wait()
        if code:
            return Measured(0.0, 0.0, 0, f"measuring it failed with exit code {code}")
        content = json.loads(answer.read_text(encoding="utf-8"))
    return Measured(**content)


def supervise(command: Sequence[str], limit_seconds: float, log: Path, isolated: bool) -> Measured:
    """Do it in this process, which must have no other children; see `measure_tree`."""
    _adopt_orphans()
    seen, over, problem = _Seen(), threading.Event(), ""
    with open_account() as account, log.open("wb") as output:
        started = time.perf_counter()
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=account.join
            )
        except OSError as error:
            return Measured(0.0, 0.0, 0, f"it cannot be started: {error}")
        watcher = threading.Thread(target=_watch, args=(process, account, seen, over, isolated))
        try:
            watcher.start()
            code = process.wait(limit_seconds)
            problem = f"it ended with exit code {code}" if code else ""
        except subprocess.TimeoutExpired:
            problem = f"it was ended after its time limit of {limit_seconds:g} s"
        finally:
            wall = time.perf_counter() - started
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # nothing may interrupt the ending of the tree
            over.set()
            watcher.join()
            left = _end_tree(0.0 if process.returncode is None else PARTING_SECONDS)
        if seen.wide_listeners and not isolated:
            problem = f"it was ended as it listened beyond loopback: {', '.join(sorted(seen.wide_listeners))}"
        return Measured(
            wall_seconds=wall,
            cpu_seconds=account.seconds(),
            peak_bytes=seen.peak_bytes,
            problem=problem,
            cpu_source=account.source,
            isolated=isolated,
            wide_listeners=tuple(sorted(seen.wide_listeners)),
            left_running=tuple(left),
        )


def _watch(
    process: subprocess.Popen[bytes], account: CpuAccount, seen: _Seen, over: threading.Event, isolated: bool
) -> None:
    looks = 0
    while not over.wait(MEMORY_SECONDS):
        tree = psutil.Process().children(recursive=True)
        account.look(tree)
        seen.peak_bytes = max(seen.peak_bytes, sum(map(_proportional_bytes, tree)))
        if looks % LISTENERS_EVERY == 0:
            seen.wide_listeners |= set().union(*map(list_wide_listeners, tree))
        if seen.wide_listeners and not isolated:
            process.kill()
            return
        looks += 1


def _proportional_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:  # it has ended
        return 0


def _adopt_orphans() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) or libc.prctl(
        _SET_PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0
    ):
        raise OSError(ctypes.get_errno(), "prctl failed")


def _end_tree(parting_seconds: float) -> list[str]:
    """Wait for what is left of the tree, then end it, by process id; return the names of what was ended."""
    if _are_gone_within(parting_seconds):
        return []
    left = psutil.Process().children(recursive=True)
    names = sorted(_name(process) for process in left)
    _signal_all(signal.SIGTERM)
    if not _are_gone_within(PARTING_SECONDS):
        while not _are_gone_within(0.1):  # what is killed may leave children, which come here
            _signal_all(signal.SIGKILL)
    return names


def _are_gone_within(seconds: float) -> bool:
    """Reap every child of this process that ends; whether none is left after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.02)


def _signal_all(number: signal.Signals) -> None:
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            process.send_signal(number)  # psutil makes sure that the id still is this process's


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return "ended meanwhile"


def main() -> None:
    """Supervise the command after `--`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--answer", type=Path, required=True)
    parser.add_argument("--isolated", action="store_true")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the tree is ended
    if options.isolated:
        open_loopback()
    measured = supervise(options.command, options.limit, options.log, options.isolated)
    options.answer.write_text(json.dumps(asdict(measured)), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(1)
