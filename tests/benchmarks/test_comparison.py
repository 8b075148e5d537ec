"""The comparison: its workload, the measuring of process trees, the table of ratios."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.comparison.__main__ import (
    OURS,
    ROOT,
    WORKLOAD_FILE,
    Contestant,
    Entry,
    Measured,
    find_other_work,
    format_table,
    make_workload,
)
from benchmarks.comparison.workload import Answer, Setting, Workload
from study.spec.study_file import read_study

pytestmark = pytest.mark.slow

SETTING = Setting("epochs=2", 8, 3, 16, 0.0, 0.01, 0.9, 32, 2)
MEASURE = (
    "import dataclasses, json, sys; from benchmarks.comparison.__main__ import *\n"
    "print(json.dumps(dataclasses.asdict(measure_tree([sys.executable, '-c', sys.argv[1]],"
    " float(sys.argv[2]), Path(sys.argv[3]), dict(os.environ)))))"
)


def an_entry(name: str, wall: float, number: int = 1, problem: str = "") -> Entry:
    contestant = Contestant(name, name, lambda folder: [])
    return Entry(number, contestant, Measured(wall, 2 * wall, 10**9), [Answer("a", 0.8, 2)], problem)


def measure(tmp_path: Path, code: str, limit: float = 60.0) -> dict[str, Any]:
    """Measure Python code in a process of its own: all children of the measuring one belong to the tree."""
    command = [sys.executable, "-c", MEASURE, code, str(limit), str(tmp_path / "log.txt")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_contestants_train_exercises_2_4_and_5_of_the_lab_study_once_each_on_the_first_images(tmp_path: Path):
    reduced, lab = read_study(str(WORKLOAD_FILE)), read_study("lab")
    assert (reduced.baseline, reduced.protocol, reduced.seed) == (lab.baseline, lab.protocol, lab.seed)
    chosen = [sweep for sweep in lab.sweeps if sweep.number in (2, 4, 5)]
    assert [sweep.values for sweep in reduced.sweeps] == [sweep.values for sweep in chosen]
    workload = make_workload(reduced)
    workload.write(tmp_path / "workload.json")
    assert Workload.read(tmp_path / "workload.json") == workload
    assert (len({setting.name for setting in workload.settings}), workload.epochs) == (15, 88)
    shapes = [array.shape for array in workload.load()]
    assert shapes == [(6016, 28, 28), (6016,), (1002, 28, 28), (1002,)]


def test_contestants_need_none_of_the_product_s_packages_but_its_versions():
    code = (
        "import sys, benchmarks.comparison.tuners as t\nprint({'study', 'tasks', 'keras'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    locks = (ROOT / "requirements.lock", WORKLOAD_FILE.with_name("requirements.lock"))
    names = ("tensorflow==", "keras==", "numpy==")
    ours, theirs = (
        {line.partition(" ")[0] for line in lock.read_text().splitlines() if line.startswith(names)}
        for lock in locks
    )
    assert ours == theirs
    assert len(ours) == 4  # two of numpy, by Python's version


def test_work_that_was_left_out_or_done_otherwise_is_named():
    workload = Workload(Path("data"), 100, 100, (SETTING,))
    assert find_other_work(workload, [Answer("epochs=2", 0.8, 2), Answer("epochs=2", 0.7, 2)]) == ""
    told = "it did other work than requested: "
    assert find_other_work(workload, []) == f"{told}[('epochs=2', 2)]"
    assert (
        find_other_work(workload, [Answer("epochs=2", 0.8, 1)]) == f"{told}[('epochs=2', 1), ('epochs=2', 2)]"
    )


def test_cpu_and_memory_are_of_all_processes_and_what_outlives_the_command_is_ended(tmp_path: Path):
    work = "import time\nheld = b'1' * 150_000_000\nwhile time.process_time() < 1: pass\ntime.sleep(60)"
    middle = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {work!r}]).pid)"
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"  # the kernel reaps its children: reported to nobody
        f"subprocess.run([sys.executable, '-c', {middle!r}])\n"
        "time.sleep(5)"
    )
    measured = measure(tmp_path, code)
    assert measured["problem"] == ""
    assert measured["cpu_seconds"] >= 0.9
    assert measured["peak_bytes"] > 150e6
    assert not psutil.pid_exists(int((tmp_path / "log.txt").read_text()))


def test_a_command_past_its_time_limit_is_ended_and_one_that_fails_is_named(tmp_path: Path):
    assert (
        measure(tmp_path, "import time; time.sleep(60)", 1.0)["problem"]
        == "it was ended after its time limit of 1 s"
    )
    assert measure(tmp_path, "raise SystemExit(3)")["problem"] == "it ended with exit code 3"


def test_ratios_are_taken_round_by_round_and_a_round_that_failed_counts_in_none():
    entries = [
        an_entry("other", 100.0), an_entry(OURS, 20.0), an_entry("other", 60.0, 2), an_entry(OURS, 10.0, 2),
        an_entry("other", 1.0, 3, "it broke"), an_entry(OURS, 30.0, 3),
    ]  # fmt: skip
    assert format_table(entries).splitlines()[2:] == [
        "| other | 80.0 (60.0 to 100.0) failed: it broke | 5.5 (5.0 to 6.0) | 160.0 (120.0 to 200.0) "
        "| 1.00 (1.00 to 1.00) | 80.0 (80.0 to 80.0) |",
        "| this-project | 20.0 (10.0 to 30.0) |  | 40.0 (20.0 to 60.0) "
        "| 1.00 (1.00 to 1.00) | 80.0 (80.0 to 80.0) |",
    ]
