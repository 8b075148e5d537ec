"""A chaos harness: real runs of the command, real signals, and tables compared with those of a quiet run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pandas as pd
import psutil

from storage.place import Results, results_at
from storage.tables import RunFrames, list_runs, read_run
from tests.prefect_home import furnish

STUDY = Path(sys.executable).with_name("study")
MARK = "CHAOS_MARK"
Seen = TypeVar("Seen")

CHAOS = """
name: chaos
title: A study to be disturbed
data: {train_images: 60000, test_images: 500}
baseline: {filters: 16, dense_units: 16, epochs: 2}
exercises:
  - {number: 2, kind: sweep, title: Filters, question: How many filters?, parameter: filters,
     values: [8, 16, 32], repeats: 3}
  - {number: 4, kind: sweep, title: Epochs, question: How many epochs?, parameter: epochs,
     values: [1, 4], repeats: 3}
  - {number: 6, kind: sweep, title: Dropout, question: Does dropout help?, parameter: dropout,
     values: [0.0, 0.3], repeats: 3, fixed: {epochs: 4, patience: 1}}
  - {number: 7, kind: optimum, title: Optimum, question: What is best?, combine: [2, 4, 6],
     candidates: {published: {filters: 3, learning_rate: 0.001}}}
"""
"""Sweeps that share trainings, early stopping and a combination; each training long enough to be hit."""

CIRCUMSTANCES = (
    "run_id", "reused", "attempts", "trained_by", "git_commit", "versions", "training_seconds",
    "convergence_seconds", "lowest_loss_seconds", "target_seconds",
)  # fmt: skip
"""Columns of `trials` in which a disturbed run may differ from a quiet one."""


@dataclass
class Arena:
    """A folder in which runs of a study are disturbed; every process in it bears a mark."""

    folder: Path
    text: str = CHAOS
    mark: str = field(default_factory=lambda: uuid4().hex)
    environment: dict[str, str] = field(default_factory=dict)
    address: str = ""
    """Where results go; empty: into the folder."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.study.write_text(self.text, encoding="utf-8")

    @property
    def study(self) -> Path:
        """The study's file."""
        return self.folder / "chaos.yaml"

    @property
    def results(self) -> Results:
        """Where its runs leave their results."""
        return results_at(self.address or self.folder / "results")

    def start(self, *arguments: object, program: tuple[str, ...] = (str(STUDY),)) -> "subprocess.Popen[str]":
        """Start a command, such as `run`; its terminal output goes to files in the folder."""
        environment = {**os.environ, MARK: self.mark, "PREFECT_HOME": str(furnish(self.folder / "prefect"))}
        elsewhere = ("--results", self.address) if self.address else ()
        number = len(list(self.folder.glob("*.err")))
        with (
            (self.folder / f"{number}.out").open("w") as out,
            (self.folder / f"{number}.err").open("w") as err,
        ):
            return subprocess.Popen(
                [*program, *map(str, (*arguments, *elsewhere))],
                cwd=self.folder,
                env={**environment, **self.environment},
                stdout=out,
                stderr=err,
                text=True,
                start_new_session=True,
            )

    def run(self, *arguments: object, timeout: float = 300) -> int:
        """Run a command to its end."""
        return self.start(*arguments).wait(timeout)

    def run_study(self, *arguments: object, timeout: float = 300) -> int:
        """Run the study to its end."""
        return self.run("run", self.study, *arguments, timeout=timeout)

    def said(self, number: int = -1) -> str:
        """What a command wrote to standard error; by default the last one."""
        paths = sorted(self.folder.glob("*.err"), key=lambda path: int(path.stem))
        return paths[number].read_text()

    def processes(self) -> list[psutil.Process]:
        """Every process that was started from here and still runs."""
        return [each for each in psutil.process_iter() if self._is_ours(each)]

    def lanes(self) -> list[psutil.Process]:
        """The lanes' processes."""
        return [each for each in self.processes() if "multiprocessing.spawn" in _command(each)]

    def running_lanes(self) -> list[psutil.Process]:
        """Of these, those that are not stopped."""
        return [each for each in self.lanes() if _runs(each)]

    def working_lanes(self) -> list[psutil.Process]:
        """Of these, those that train: a lane maps the images with its first training, however late."""
        return [each for each in self.lanes() if _maps_images(each)]

    def servers(self) -> list[psutil.Process]:
        """Prefect's servers."""
        return [each for each in self.processes() if "uvicorn" in _command(each)]

    def flows(self) -> list[psutil.Process]:
        """The flows' processes that a worker has started."""
        return [each for each in self.processes() if "-m prefect.engine" in _command(each)]

    def finished(self) -> int:
        """How many trainings are kept."""
        return len(list(self.results.trainings.glob("*/record.json")))

    def wait_until_gone(self, seconds: float = 30) -> list[str]:
        """Wait until none of the processes runs; return what is left of them."""
        wait_until(lambda: not self.processes(), seconds, must=False)
        return [_command(each) for each in self.processes()]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == self.mark
        except (psutil.Error, OSError):
            return False


def wait_until(condition: Callable[[], Seen], seconds: float = 120, must: bool = True) -> Seen:
    """Wait until something is so; return what was seen then.

    Raises:
        TimeoutError: it was not in time, and must be.
    """
    deadline = time.monotonic() + seconds
    while not (seen := condition()):
        if time.monotonic() > deadline:
            if must:
                raise TimeoutError(f"not so after {seconds:.0f} s: {condition}")
            break
        time.sleep(0.05)
    return seen


def hit(process: psutil.Process, number: int = signal.SIGKILL) -> bool:
    """Send a signal; whether there was still somebody to receive it."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def published(results: Results) -> list[str]:
    """Ids of the published runs, oldest first."""
    return [str(each) for each in list_runs(results)["run_id"]]


def trials_of(results: Results, run_id: str | None = None) -> pd.DataFrame:
    """What must be equal in the trials of a disturbed and of a quiet run."""
    trials = read_run(results, run_id).trials
    return trials.drop(columns=list(CIRCUMSTANCES))


def check_equal(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Check that no row is lost, doubled or different.

    Raises:
        AssertionError: one is.
    """
    pd.testing.assert_frame_equal(one, other)


def run_two_at_once(arena: Arena, quiet: pd.DataFrame) -> list[RunFrames]:
    """Run the study twice at once; check that both end well and that no key is trained twice.

    Raises:
        AssertionError: one does not, or is.
    """
    with stopping(arena.start("run", arena.study)) as one, stopping(arena.start("run", arena.study)) as other:
        assert [one.wait(240), other.wait(240)] == [0, 0], arena.said(0) + arena.said(1)
    runs = [read_run(arena.results, each) for each in published(arena.results)]
    assert len(runs) == 2
    for each in runs:
        check_equal(quiet, trials_of(arena.results, str(each.run["run_id"])))
    trained = [set(each.trainings.loc[~each.trainings["reused"], "key"]) for each in runs]
    assert not trained[0] & trained[1]
    assert len(trained[0] | trained[1]) == len(runs[0].trainings)
    return runs


def wait_for_lanes(arena: Arena, finished: int = 1) -> None:
    """Wait until trainings finish on the lanes."""
    wait_until(lambda: arena.finished() >= finished and arena.lanes())


@contextmanager
def stopping(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """Kill a process at the end, if the test has left it."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.Error):  # it has ended
        return bool(process.status() != psutil.STATUS_STOPPED)
    return False


def _maps_images(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return any(each.path.endswith("train-images.npy") for each in process.memory_maps())
    return False


def _command(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
