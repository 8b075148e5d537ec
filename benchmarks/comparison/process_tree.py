"""Run a command, measure its whole process tree, and leave nothing of it running (Linux only).

The measuring is done by a process of its own that every orphan of the tree is given to (a subreaper, see
prctl(2)): who leaves its parent is still found. Memory is the sum of PSS (pages that n processes share count
1/n for each), looked at every second: a shorter peak is missed. The wall time ends when the command ends;
the CPU time has also what was left of the tree then, see `cpu_account`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from benchmarks.comparison.cpu_account import CpuAccount, open_account
from benchmarks.comparison.loopback import isolating_prefix, list_wide_listeners, open_loopback
from benchmarks.comparison.orphans import PARTING_SECONDS, adopt_orphans, end_tree

MEMORY_SECONDS, LISTENERS_EVERY = 1.0, 2
"""How often the tree's memory is looked at, and at which of these times who listens, too."""

_ROOT = Path(__file__).resolve().parents[2]


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
    adopt_orphans()
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
            left = end_tree(0.0 if process.returncode is None else PARTING_SECONDS)
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
