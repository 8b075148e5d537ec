"""Let contestants run in turn, each in a fresh folder, measured as a process tree; a failure stops nobody."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.comparison.contestants import Contestant, bare_environment
from benchmarks.comparison.process_tree import Measured, measure_tree
from benchmarks.comparison.workload import Answer, Workload
from study.errors import InputError

LOG_LINES = 15
"""How many last lines of its log are told of a contestant that failed."""


@dataclass(frozen=True)
class Entry:
    """One run of one contestant: what it took and what it answered."""

    round: int
    contestant: Contestant
    measured: Measured
    answers: tuple[Answer, ...]
    log_tail: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether it did all of the work."""
        return not self.measured.problem


def hold_contest(
    contestants: Sequence[Contestant], workload: Workload, rounds: int, limit_seconds: float
) -> Iterator[Entry]:
    """Every contestant once a round, one after another; yield each as soon as it is done."""
    for number in range(1, rounds + 1):
        for contestant in contestants:
            yield run_contestant(contestant, workload, number, limit_seconds)


def run_contestant(contestant: Contestant, workload: Workload, number: int, limit_seconds: float) -> Entry:
    """Run one contestant once and check that it did all of the work."""
    with tempfile.TemporaryDirectory(prefix="c-", ignore_cleanup_errors=True) as name:  # short: Ray's sockets
        folder, log = Path(name), Path(name, "log.txt")
        workload.write(folder / "workload.json")
        measured = measure_tree(
            contestant.command(folder),
            limit_seconds=limit_seconds,
            log=log,
            environment=bare_environment(folder),
        )
        if measured.problem:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
            return Entry(number, contestant, measured, (), "\n".join(lines[-LOG_LINES:]))
        try:
            answers = contestant.read(folder)
        except (OSError, ValueError, TypeError, InputError) as error:
            problem = f"its answers cannot be read: {error}"
            return Entry(number, contestant, replace(measured, problem=problem), ())
    return Entry(
        number, contestant, replace(measured, problem=find_missing(workload, answers)), tuple(answers)
    )


def find_missing(workload: Workload, answers: Sequence[Answer]) -> str:
    """What of the work was not done, or not as asked; empty if all of it was.

    A trial that was done twice is the contestant's own loss: its time counts.
    """
    epochs: dict[str, set[int]] = {}
    for answer in answers:
        epochs.setdefault(answer.name, set()).add(answer.epochs)
    for setting in workload.settings:
        if setting.name not in epochs:
            return f"it has no answer for {setting.name}"
        wrong = [
            each
            for each in epochs[setting.name]
            if each > setting.epochs or (each < setting.epochs and setting.patience is None)
        ]
        if wrong:
            return f"it trained {setting.name} for {wrong[0]} epochs, asked were {setting.epochs}"
    unknown = epochs.keys() - {setting.name for setting in workload.settings}
    return f"it answered {min(unknown)}, which nobody asked" if unknown else ""
