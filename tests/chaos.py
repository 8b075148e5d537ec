"""A chaos harness: real runs of the command, real signals, and tables compared with those of a quiet run."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psutil
from filelock import FileLock

from storage.results import Results, results_at
from storage.tables.published import list_runs, read_run
from storage.tables.rows_of_work import TrialRow
from tests.command import STUDY
from tests.held_trainings import HeldTrainings
from tests.prefect_home import prepare_home
from tests.served import PROJECT
from tests.waiting import WAIT_SECONDS, wait_until

MARK = "CHAOS_MARK"

CHAOS = """
name: chaos
title: A study to be disturbed
data: {train_images: 640, test_images: 200}
baseline: {filters: 4, dense_units: 8, epochs: 2}
exercises:
  - {number: 2, kind: sweep, title: Filters, question: How many filters?, parameter: filters,
     values: [2, 4, 6], repeats: 3}
  - {number: 4, kind: sweep, title: Epochs, question: How many epochs?, parameter: epochs,
     values: [1, 4], repeats: 3}
  - {number: 6, kind: sweep, title: Dropout, question: Does dropout help?, parameter: dropout,
     values: [0.0, 0.3], repeats: 3, fixed: {epochs: 4, patience: 1}}
  - {number: 7, kind: optimum, title: Optimum, question: What is best?, combine: [2, 4, 6],
     candidates: {published: {filters: 3, learning_rate: 0.001}}}
"""
"""Sweeps that share trainings, early stopping and a combination, on a few hundred images."""

SAVING = CHAOS + "  - {number: 8, kind: model, title: Model, question: Does the saved model work?}\n"
"""The same, and the model of the optimum is saved."""

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
    is_held: bool = False
    """Whether trainings wait until they are let begin."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.held = HeldTrainings(self.folder / "held")
        if self.is_held:
            self.environment |= self.held.environment
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
        home = prepare_home(self.folder / "prefect")
        environment = {
            **os.environ, MARK: self.mark, "PREFECT_HOME": str(home), "PYTHONPATH": str(PROJECT)
        }  # fmt: skip
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # each process would compile the program anew
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

    def run(self, *arguments: object) -> int:
        """Run a command to its end."""
        with stopping(self.start(*arguments)) as process:
            return process.wait(WAIT_SECONDS)

    def run_study(self, *arguments: object) -> int:
        """Run the study to its end."""
        return self.run("run", self.study, *arguments)

    def said(self, number: int = -1) -> str:
        """What a command wrote to standard error; by default the last one."""
        return self._read(number, "err")

    def printed(self, number: int = -1) -> str:
        """What a command wrote to standard output; by default the last one."""
        return self._read(number, "out")

    def processes(self) -> list[psutil.Process]:
        """Every process that was started from here and still runs."""
        return [each for each in psutil.process_iter() if self._is_ours(each)]

    def lanes(self) -> list[psutil.Process]:
        """The lanes' processes."""
        return [each for each in self.processes() if "multiprocessing.spawn" in _command(each)]

    def servers(self) -> list[psutil.Process]:
        """Prefect's servers."""
        return [each for each in self.processes() if "uvicorn" in _command(each)]

    def flows(self) -> list[psutil.Process]:
        """The flows' processes that a worker has started."""
        return [each for each in self.processes() if "-m prefect.engine" in _command(each)]

    def finished(self) -> int:
        """How many trainings are kept."""
        return len(list(self.results.trainings.glob("*/record.json")))

    def wait_for_trainings(self, number: int) -> None:
        """Wait until trainings are kept, no fewer, and further ones wait to be let begin.

        Raises:
            TimeoutError: that does not come to be.
        """
        wait_until(lambda: self.held.lanes() and self.finished() >= number, self.said)

    def wait_until_gone(self) -> None:
        """Wait until none of the processes runs.

        Raises:
            TimeoutError: one does not end.
        """
        wait_until(lambda: not self.processes(), lambda: [_command(each) for each in self.processes()])

    def _read(self, number: int, stream: str) -> str:
        paths = sorted(self.folder.glob(f"*.{stream}"), key=lambda path: int(path.stem))
        return paths[number].read_text()

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == self.mark
        except (psutil.Error, OSError):
            return False


def hit(process: psutil.Process, number: int = signal.SIGKILL) -> bool:
    """Send a signal; whether there was still somebody to receive it."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def published(results: Results) -> list[str]:
    """Ids of the published runs, oldest first."""
    return [run.run_id for run in list_runs(results)]


def trials_of(results: Results, run_id: str | None = None) -> list[TrialRow]:
    """The trials of a run without their circumstances: equal in a disturbed and in a quiet run."""
    trials = read_run(results, run_id).trials
    return [each.model_copy(update=dict.fromkeys(CIRCUMSTANCES)) for each in trials]


def of_exercises(trials: Sequence[TrialRow], *exercises: int) -> list[TrialRow]:
    """The trials of some exercises."""
    return [each for each in trials if each.exercise in exercises]


@contextmanager
def stopping(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """Kill a process at the end, if the test has left it."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _command(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def run_once(folder: Path) -> Arena:
    """Run the study on two lanes, unless another test process has done so."""
    arena = Arena(folder)
    with FileLock(folder / "lock"):
        if not published(arena.results):
            assert arena.run_study("--lanes", 2) == 0, arena.said()
    return arena
