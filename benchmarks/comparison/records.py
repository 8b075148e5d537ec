"""The CSV files of a comparison: a row for every run of a contestant, and one for every accuracy."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.comparison.contest import Entry
from benchmarks.comparison.machine import Machine


def write_runs(path: Path, entries: Iterable[Entry], machine: Machine) -> None:
    """One row for each run: what it took, how it was measured, on what machine."""
    _write(path, [_describe(entry, machine) for entry in entries])


def write_accuracies(path: Path, entries: Iterable[Entry]) -> None:
    """One row for each trial of each run: accuracy on the test images (fraction) and epochs."""
    _write(
        path,
        [
            {
                "round": entry.round,
                "contestant": entry.contestant.name,
                "setting": answer.name,
                "epochs": answer.epochs,
                "accuracy": round(answer.accuracy, 6),
            }
            for entry in entries
            for answer in entry.answers
        ],
    )


def _describe(entry: Entry, machine: Machine) -> dict[str, Any]:
    measured = entry.measured
    return {
        "round": entry.round,
        "contestant": entry.contestant.name,
        "workers": entry.contestant.workers,
        "status": "completed" if entry.succeeded else "failed",
        "reason": measured.problem,
        "wall_seconds": round(measured.wall_seconds, 3),
        "cpu_seconds": round(measured.cpu_seconds, 3),
        "cpu_source": measured.cpu_source,
        "peak_pss_bytes": measured.peak_bytes,
        "trials": len(entry.answers),
        "epochs": sum(answer.epochs for answer in entry.answers),
        "own_network": measured.isolated,
        "wide_listeners": "; ".join(measured.wide_listeners),
        "left_running": "; ".join(measured.left_running),
        "processor": machine.processor,
        "cores": machine.cores,
        "memory_gib": round(machine.memory_gib, 1),
        "system": machine.system,
        "versions": "; ".join(f"{name} {version}" for name, version in machine.versions.items()),
    }


def _write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys() if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
