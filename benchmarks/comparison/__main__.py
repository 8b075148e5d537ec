"""Compare this project with the notebook loop, Ray Tune, KerasTuner and Optuna on one reduced workload.

`make bench` runs it: every contestant in turn, in `--rounds` rounds, each as a process tree of its own in a
network of its own; the tables, CSV files and figure go to `benchmarks/comparison/results/`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparison.agreement import find_disagreements
from benchmarks.comparison.contest import Entry, hold_contest
from benchmarks.comparison.contestants import BENCH_PYTHON, CONTESTANTS, ROOT, WORKLOAD_FILE, Contestant
from benchmarks.comparison.figure import draw_comparison
from benchmarks.comparison.from_study import make_workload
from benchmarks.comparison.loopback import isolating_prefix
from benchmarks.comparison.machine import read_machine
from benchmarks.comparison.records import write_accuracies, write_runs
from benchmarks.comparison.session import run_session
from benchmarks.comparison.table import compare_ours, format_table, make_lines
from study.study_file import read_study

RESULTS = Path(__file__).with_name("results")
LIMIT_SECONDS = 900.0


def main() -> int:
    """Hold the contest and write what it showed; 1 if a contestant failed or did other work."""
    options = _read_options()
    workload = make_workload(read_study(str(WORKLOAD_FILE)))
    print(f"{len(workload.settings)} trials, {workload.epochs} epochs, {options.rounds} rounds", flush=True)
    if not isolating_prefix():
        print(
            "NO NETWORK OF ITS OWN can be made here (unshare is missing or not allowed): a contestant is "
            "ended as soon as it is seen to listen beyond loopback, as Ray does",
            flush=True,
        )
    entries: list[Entry] = []
    for entry in hold_contest(options.contestants, workload, options.rounds, options.limit):
        entries.append(entry)
        _tell(entry)
        _write(entries, options.results, f"{len(workload.settings)} trials, {workload.epochs} epochs")
    disagreements = find_disagreements(entries, workload.settings)
    print((options.results / "table.md").read_text(encoding="utf-8"))
    print("\n".join([*compare_ours(make_lines(entries)), *disagreements]))
    return int(bool(disagreements) or not all(entry.succeeded for entry in entries))


def _tell(entry: Entry) -> None:
    measured = entry.measured
    wall, cpu, peak = measured.wall_seconds, measured.cpu_seconds, measured.peak_bytes / 1e9
    took = f"{wall:.1f} s wall, {cpu:.1f} s CPU, {peak:.2f} GB"
    outcome = f"FAILED: {measured.problem}\n{entry.log_tail}" if measured.problem else took
    left = f"; had to end what it left: {', '.join(measured.left_running)}" if measured.left_running else ""
    print(f"round {entry.round}, {entry.contestant.title}: {outcome}{left}", flush=True)


def _write(entries: Sequence[Entry], folder: Path, work: str) -> None:
    machine = read_machine((BENCH_PYTHON.parents[1], ROOT / ".venv"))
    lines = make_lines(entries)
    write_runs(folder / "runs.csv", entries, machine)
    write_accuracies(folder / "accuracies.csv", entries)
    rounds = max(entry.round for entry in entries)
    note = f"{work}; median of {rounds} rounds (least to most), start-up included. {machine.words}."
    (folder / "table.md").write_text(f"{format_table(lines)}\n\n{note}\n", encoding="utf-8")
    draw_comparison(lines, folder, "comparison", work)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparison", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=3, choices=range(1, 100), metavar="N", help="default: 3"
    )
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS, metavar="SECONDS", help="for each run")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR")
    names = [each.name for each in CONTESTANTS]
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names)
    )
    options = parser.parse_args()
    options.contestants = _choose(options.only)
    return options


def _choose(names: Sequence[str]) -> list[Contestant]:
    return [each for each in CONTESTANTS if each.name in names]


if __name__ == "__main__":
    sys.exit(run_session(main))
