"""Compare this project with the notebook loop, Ray Tune, KerasTuner and Optuna on one reduced workload.

`make bench` runs it (Linux only): every contestant in turn, in `--rounds` rounds, each as a process tree of
its own in a fresh folder. It prints the table of ratios. Ray listens on the network meanwhile: see README.md.
"""

import argparse
import ctypes
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median

import psutil

from benchmarks.comparison.workload import WORKERS, Answer, Setting, Workload, read_answers
from storage.results import open_results
from storage.tables.published import read_run
from study.errors import InputError
from study.plan.plan import list_trials
from study.spec.study import Study
from study.spec.study_file import read_study
from tasks.data.dataset import load_dataset
from tasks.engines.provenance import processor_name

ROOT = Path(__file__).resolve().parents[2]
BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
STUDY_COMMAND = ROOT / ".venv" / "bin" / "study"
WORKLOAD_FILE = Path(__file__).with_name("workload.yaml")
OURS = "this-project"

LOOK_SECONDS = 0.25
"""A process's CPU seconds after the last look at it are missed, unless it is waited for by its parent."""

PARTING_SECONDS = 5.0
"""How long what outlives its command may take to end by itself, and again after SIGTERM."""

LOG_LINES = 15
_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True)
class Contestant:
    """One way of training the workload.

    Args:
        name: How it is chosen.
        title: How it is written for people.
        command: The command, for a folder in which `workload.json` lies and all it writes goes.
        read: Reads its answers from that folder.
    """

    name: str
    title: str
    command: Callable[[Path], list[str]]
    read: Callable[[Path], list[Answer]] = lambda folder: read_answers(folder / "answers.json")


@dataclass(frozen=True)
class Measured:
    """What a process tree took; `problem` says why it failed, empty if it did not."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    """Memory of all processes together; pages that n processes share count 1/n for each (PSS)."""
    problem: str = ""


@dataclass(frozen=True)
class Entry:
    """One run of one contestant: what it took, what it answered, and why it failed if it did."""

    round: int
    contestant: Contestant
    measured: Measured
    answers: Sequence[Answer]
    problem: str = ""


def make_workload(study: Study) -> Workload:
    """The trials of a study that are known before anything is trained, with the dataset's verified files."""
    known = {each.name for each in fields(Setting)}
    settings = (
        Setting(name=trial.name, **trial.setting.model_dump(include=known)) for trial in list_trials(study)
    )
    images = study.data
    return Workload(load_dataset().folder, images.train_images, images.test_images, tuple(settings))


def read_own_answers(results: Path) -> list[Answer]:
    """What the latest run in a results folder answered; a failed trial is left out.

    Raises:
        InputError: there is no run.
    """
    return [
        Answer(row.setting, row.test_accuracy, row.epochs_run)
        for row in read_run(open_results(results)).trials
        if row.test_accuracy is not None and row.epochs_run is not None
    ]


def _in_bench(module: str, *tool: str) -> Callable[[Path], list[str]]:
    def command(folder: Path) -> list[str]:
        files = [str(folder / "workload.json"), str(folder / "answers.json")]
        return [str(BENCH_PYTHON), "-m", f"benchmarks.comparison.{module}", *files, *tool]

    return command


def _study_run(folder: Path) -> list[str]:
    results = str(folder / "results")
    return [str(STUDY_COMMAND), "run", str(WORKLOAD_FILE), "--results", results, "--lanes", str(WORKERS)]


CONTESTANTS = (
    Contestant("notebook", "notebook loop of `model.fit`", _in_bench("keras_training")),
    Contestant("ray-tune", "Ray Tune", _in_bench("tuners", "ray-tune")),
    Contestant("ray-tune-reuse", "Ray Tune, `reuse_actors=True`", _in_bench("tuners", "ray-tune-reuse")),
    Contestant("keras-tuner", "KerasTuner GridSearch", _in_bench("tuners", "keras-tuner")),
    Contestant("optuna", "Optuna GridSampler", _in_bench("tuners", "optuna")),
    Contestant(OURS, "this project", _study_run, lambda folder: read_own_answers(folder / "results")),
)
"""In the order in which they take their turns."""


def run_contestant(contestant: Contestant, workload: Workload, number: int, limit_seconds: float) -> Entry:
    """Run one contestant once in a fresh folder, and check that it did all of the work."""
    with tempfile.TemporaryDirectory(prefix="c-", ignore_cleanup_errors=True) as name:  # short: Ray's sockets
        folder, log = Path(name), Path(name, "log.txt")
        workload.write(folder / "workload.json")
        environment = _bare_environment(folder)
        measured = measure_tree(contestant.command(folder), limit_seconds, log, environment)
        if measured.problem:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            return Entry(number, contestant, measured, (), "\n".join([measured.problem, *lines[-LOG_LINES:]]))
        try:
            answers = contestant.read(folder)
        except (OSError, ValueError, TypeError, InputError) as error:
            return Entry(number, contestant, measured, (), f"its answers cannot be read: {error}")
    return Entry(number, contestant, measured, answers, find_other_work(workload, answers))


def find_other_work(workload: Workload, answers: Sequence[Answer]) -> str:
    """What was not trained as requested, or trained in addition; empty if there is nothing."""
    wanted = {(setting.name, setting.epochs) for setting in workload.settings}
    other = wanted ^ {(answer.name, answer.epochs) for answer in answers}
    return f"it did other work than requested: {sorted(other)}" if other else ""


def _bare_environment(folder: Path) -> dict[str, str]:
    """No GPU, nothing of this user's Prefect or Ray, no telemetry."""
    return {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"} | {
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONPATH": str(ROOT),
        "PREFECT_HOME": str(folder / "prefect"),
        "RAY_TMPDIR": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def measure_tree(
    command: Sequence[str], limit_seconds: float, log: Path, environment: Mapping[str, str]
) -> Measured:
    """Run a command and measure all processes that come of it; end what is left of them.

    All children of this process are taken to belong to the command: it must have no others.

    Args:
        command: The program and its arguments.
        limit_seconds: After this it is ended, and the problem says so.
        log: Where its output goes.
        environment: All of its variables.
    """
    # Orphans come to this process: they are counted, and ended before the next contestant starts.
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before, seen, over = _reaped_seconds(), _Seen(), threading.Event()
    watcher = threading.Thread(target=seen.watch, args=(over,))
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        watcher.start()
        try:
            code = process.wait(limit_seconds)
            problem = f"it ended with exit code {code}" if code else ""
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            problem = f"it was ended after its time limit of {limit_seconds:g} s"
        finally:
            wall = time.perf_counter() - started
            over.set()
            watcher.join()
            _end_what_is_left()
    # Some parents, Ray's among them, leave it to the kernel to reap their children: only looking finds these.
    cpu = max(_reaped_seconds() - before, sum(seen.seconds.values()))
    return Measured(wall, cpu, seen.peak_bytes, problem)


class _Seen:
    """What looking at this process's descendants again and again has shown so far."""

    def __init__(self) -> None:
        self.seconds: dict[psutil.Process, float] = {}
        self.peak_bytes = 0

    def watch(self, over: threading.Event) -> None:
        """Look until it is over."""
        while not over.wait(LOOK_SECONDS):
            memory = 0
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):  # it has ended
                    times = process.cpu_times()
                    self.seconds[process] = times.user + times.system
                    memory += process.memory_full_info().pss
            self.peak_bytes = max(self.peak_bytes, memory)


def _reaped_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _end_what_is_left() -> None:
    psutil.wait_procs(psutil.Process().children(recursive=True), PARTING_SECONDS)
    number = signal.SIGTERM
    while left := psutil.Process().children(recursive=True):  # what is killed may leave children
        for process in left:
            with suppress(psutil.Error):
                process.send_signal(number)
        psutil.wait_procs(left, PARTING_SECONDS)
        number = signal.SIGKILL


HEADING = (
    "| | wall (s) | this project is faster | CPU (s) | peak memory (GB) | median accuracy (%) |",
    "| --- | ---: | ---: | ---: | ---: | ---: |",
)


def format_table(entries: Sequence[Entry]) -> str:
    """One line a contestant in Markdown: median, and in brackets least and most, of the rounds.

    The ratio of wall seconds to this project's is taken within each round.
    """
    ours = {each.round: each for each in entries if each.contestant.name == OURS and not each.problem}
    names = dict.fromkeys(each.contestant.name for each in entries)
    lines = [_format_line([each for each in entries if each.contestant.name == name], ours) for name in names]
    return "\n".join([*HEADING, *lines])


def _format_line(entries: Sequence[Entry], ours: Mapping[int, Entry]) -> str:
    done = [each for each in entries if not each.problem]
    paired = [each for each in done if each.round in ours and each.contestant.name != OURS]
    failed = sorted({each.problem.splitlines()[0] for each in entries if each.problem})
    cells = (
        entries[0].contestant.title,
        _spread([each.measured.wall_seconds for each in done], 1)
        + "".join(f" failed: {each}" for each in failed),
        _spread([each.measured.wall_seconds / ours[each.round].measured.wall_seconds for each in paired], 1),
        _spread([each.measured.cpu_seconds for each in done], 1),
        _spread([each.measured.peak_bytes / 1e9 for each in done], 2),
        _spread([100 * median(answer.accuracy for answer in each.answers) for each in done], 1),
    )
    return f"| {' | '.join(cells)} |"


def _spread(values: Sequence[float], decimals: int) -> str:
    if not values:
        return ""
    middle, least, most = (f"{each:.{decimals}f}" for each in (median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({least} to {most})"


def main() -> int:
    """Let everybody run in turn and print the table; 1 if a contestant failed, 2 without what they need."""
    options = _read_options()
    if not BENCH_PYTHON.exists():
        print(f"{BENCH_PYTHON} is missing; run `make bench-setup`", file=sys.stderr)
        return 2
    workload = make_workload(read_study(str(WORKLOAD_FILE)))
    entries: list[Entry] = []
    for number in range(1, options.rounds + 1):
        for contestant in (each for each in CONTESTANTS if each.name in options.only):
            entries.append(run_contestant(contestant, workload, number, options.limit))
            took = f"{entries[-1].measured.wall_seconds:.1f} s {entries[-1].problem}"
            print(f"round {number}, {contestant.title}: {took}", flush=True)
    print(f"\n{format_table(entries)}\n")
    work = f"{len(workload.settings)} trials, {workload.epochs} epochs, start-up included"
    print(f"{work}; {options.rounds} rounds; {processor_name()}, {len(os.sched_getaffinity(0))} cores")
    return int(any(entry.problem for entry in entries))


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparison", description=__doc__)
    names = [each.name for each in CONTESTANTS]
    parser.add_argument(
        "--rounds", type=int, default=3, choices=range(1, 100), metavar="N", help="default: 3"
    )
    parser.add_argument("--limit", type=float, default=900.0, metavar="SECONDS", help="for each run")
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names)
    )
    return parser.parse_args()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended, and folders removed
    sys.exit(main())
