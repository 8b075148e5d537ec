"""Who takes part: each one's command, and how it uses two workers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparison.from_study import read_own_answers
from benchmarks.comparison.workload import WORKERS, Answer, read_answers

ROOT = Path(__file__).resolve().parents[2]
BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
STUDY_COMMAND = ROOT / ".venv" / "bin" / "study"
WORKLOAD_FILE = Path(__file__).with_name("workload.yaml")

NOTEBOOK, OURS = "notebook", "this-project"


@dataclass(frozen=True)
class Contestant:
    """One way of training the workload.

    Args:
        name: How it is chosen and written in the CSV.
        title: How it is written for people.
        workers: How many trials it trains at a time, and by what.
        command: The command, for a folder in which `workload.json` lies and all it writes goes.
        read: Reads its answers from that folder.
    """

    name: str
    title: str
    workers: str
    command: Callable[[Path], list[str]]
    read: Callable[[Path], list[Answer]] = lambda folder: read_answers(folder / "answers.json")


def _in_bench(module: str, *options: str) -> Callable[[Path], list[str]]:
    def command(folder: Path) -> list[str]:
        files = [str(folder / "workload.json"), str(folder / "answers.json")]
        return [str(BENCH_PYTHON), "-m", f"benchmarks.comparison.{module}", *files, *options]

    return command


def study_run(study: str, results: Path) -> list[str]:
    """The command that runs a study, by name or path, as a user starts it."""
    return [str(STUDY_COMMAND), "run", study, "--results", str(results), "--lanes", str(WORKERS)]


def bare_environment(folder: Path) -> Mapping[str, str]:
    """What every contestant is given: no GPU, nothing of this user's Prefect or Ray, no telemetry."""
    return {
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONPATH": str(ROOT),
        "PREFECT_HOME": str(folder / "prefect"),
        "RAY_TMPDIR": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
    }


CONTESTANTS = (
    Contestant(
        NOTEBOOK, "notebook loop of `model.fit`", "1 process, TensorFlow's default threads",
        _in_bench("notebook_loop"),
    ),
    Contestant(
        "ray-tune", "Ray Tune", "2 trials at a time, each in a process of its own, 1 thread",
        _in_bench("ray_tune"),
    ),
    Contestant(
        "ray-tune-reuse", "Ray Tune, `reuse_actors=True`", "2 processes kept from trial to trial, 1 thread",
        _in_bench("ray_tune", "--reuse-actors"),
    ),
    Contestant(
        "keras-tuner", "KerasTuner GridSearch", "a chief and 2 worker processes, 1 thread",
        _in_bench("keras_tuner_grid"),
    ),
    Contestant(
        "optuna", "Optuna GridSampler", "2 processes on one journal, 1 thread", _in_bench("optuna_grid"),
    ),
    Contestant(
        OURS, "this project", "2 lanes",
        lambda folder: study_run(str(WORKLOAD_FILE), folder / "results"),
        lambda folder: read_own_answers(folder / "results"),
    ),
)  # fmt: skip
"""In the order in which they take their turns."""
