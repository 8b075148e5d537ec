"""What the notebook loop took for each trial, kept as each one ends: a rerun goes on where it was.

One CSV file; the last line may be torn where the loop was killed while writing it, and is then left out. It
needs no package, as both environments read it.
"""

import csv
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

START_UP = "start-up"
"""The name of what a session took before its first trial: importing TensorFlow and reading the images."""


@dataclass(frozen=True)
class TrialTime:
    """One trial of the notebook loop, or one start-up of it (0 epochs).

    `cut` says that it was trained for fewer epochs than it has: its last one tells what a further one takes.
    """

    name: str
    wall_seconds: float
    cpu_seconds: float
    epochs: int
    accuracy: float
    cut: bool = False
    last_epoch_wall_seconds: float = 0.0
    last_epoch_cpu_seconds: float = 0.0


_COLUMNS = [field.name for field in fields(TrialTime)]


def read_log(path: Path) -> list[TrialTime]:
    """The whole lines of a log; none if there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        lines = file.readlines()
    rows = csv.reader(line for line in lines[1:] if line.endswith("\n"))
    return [
        TrialTime(
            name, float(wall), float(cpu), int(epochs), float(accuracy), cut == "True", *map(float, last)
        )
        for name, wall, cpu, epochs, accuracy, cut, *last in rows
    ]


def begin_log(path: Path) -> list[TrialTime]:
    """Make the log ready to be appended to, without a torn line; return what it has."""
    kept = read_log(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(each) for each in kept)
    temporary.replace(path)
    return kept


def append_to_log(path: Path, trials: Iterable[TrialTime]) -> None:
    """Write lines, and make sure that they are on disk."""
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, _COLUMNS, lineterminator="\n").writerows(asdict(each) for each in trials)
        file.flush()
        os.fsync(file.fileno())
