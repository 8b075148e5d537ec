"""Where the seconds of a small run go that are no training: the time line of `study run`, fresh and cached.

Run it with `.venv/bin/python -m benchmarks.startup` (`--rounds N`, default 3; `--study FILE`). A round runs
exercises 2, 4 and 5 of `lab` on 6,016 training and 1,002 test images with one repeat, once on an empty
results folder and once more reading everything. It prints the medians: seconds from the command to each
mark, CPU seconds of the whole family of processes, and what lanes do beside training.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from storage.results import Results
from storage.tables.published import read_run

STUDY = """
name: reduced
title: Exercises 2, 4 and 5 on a tenth of the images
protocol: lab
seed: 1
data: {train_images: 6016, test_images: 1002}
baseline: {filters: 32, kernel_size: 3, dense_units: 16, dropout: 0.0, learning_rate: 0.01, momentum: 0.9,
           batch_size: 32, epochs: 5}
exercises:
  - {number: 2, kind: sweep, title: Filters, question: How many?, parameter: filters,
     values: [8, 16, 32, 64, 128], repeats: 1}
  - {number: 4, kind: sweep, title: Epochs, question: How many?, parameter: epochs,
     values: [1, 2, 5, 10, 20], repeats: 1}
  - {number: 5, kind: sweep, title: Rate, question: Which?, parameter: learning_rate,
     values: [0.1, 0.01, 0.001, 0.0001, 0.00001], repeats: 1}
"""

MARKS = {
    "checked": r"^study ",
    "flow began": r"Beginning flow run",
    "forecast made": r"'forecast' - Finished",
    "first training given out": r"Task run '(train|read) .* - Running",
    "first training done": r"Task run '(train|read) .* - Finished",
    "last training done": r"Task run '(train|read) .* - Finished",
    "tables published": r"'publish tables' - Finished",
    "figures drawn": r"'draw figures' - Finished",
    "report written": r"'write report' - Finished",
    "flow ended": r"Flow run .* - Finished",
}
"""What the run prints when it is there; of several lines the first counts, of "last" the last."""


def run(study: Path, results: Path) -> dict[str, float]:
    """Seconds from the command to each mark and to its exit, and CPU seconds of all its processes."""
    command = [Path(sys.executable).with_name("study"), "run", study, "--results", results, "--verbose"]
    before, started = os.times(), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    line_times = [(time.perf_counter() - started, line) for line in process.stdout]
    code = process.wait()
    seconds, after = time.perf_counter() - started, os.times()
    if code:
        sys.exit("".join(line for _, line in line_times[-20:]))
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return _find_marks(line_times) | {"exit": seconds, "CPU of all processes": cpu}


def _find_marks(line_times: Sequence[tuple[float, str]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, pattern in MARKS.items():
        times = [at for at, line in line_times if re.search(pattern, line)]
        found[name] = times[-1 if name.startswith("last") else 0]
    return found


def count_overhead(results: Path) -> dict[str, float]:
    """What the sweep of the latest run took, and how much of it lanes did something else than train."""
    tables = read_run(Results(results), None)
    sweep = tables.run.makespan_seconds
    beside = tables.run.lanes * sweep - sum(each.lane_seconds for each in tables.trainings)
    each = 1000 * beside / len(tables.trainings)
    return {"sweep": sweep, "lanes beside training, all together": beside, "the same, ms a training": each}


def show(title: str, rounds: Sequence[Mapping[str, float]]) -> None:
    """Print the median of each figure, with the least and the most."""
    table = pd.DataFrame(rounds).agg(["median", "min", "max"]).T
    print(f"\n{title}\n{table.to_string(float_format='{:.2f}'.format)}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--study", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ.setdefault("PREFECT_HOME", f"{folder}/prefect")
        study = arguments.study or folder / "reduced.yaml"
        if arguments.study is None:
            study.write_text(STUDY)
        run(study, folder / "warm")  # makes Prefect's database, and fills the caches of files
        fresh, cached = [], []
        for number in range(arguments.rounds):
            results = folder / str(number)
            fresh.append(run(study, results) | count_overhead(results))
            cached.append(run(study, results) | count_overhead(results))
        show("fresh: seconds from the command", fresh)
        show("again, everything read: seconds from the command", cached)


if __name__ == "__main__":
    main()
