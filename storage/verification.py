"""Look for damage of all that is kept: published tables, the history of them, trainings."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from storage.history import COMPACT, list_behind, list_months, why_damaged
from storage.parts import MEND, list_published, part_path, read_part
from storage.place import Results
from storage.schema import TABLES
from storage.trainings import DamagedTraining, list_keys, verify_training
from study.errors import InputError

Kind = Literal["run", "history", "training"]


@dataclass(frozen=True)
class Checked:
    """A thing that was looked at. Each damage is a line: file, what was found and what to do."""

    kind: Kind
    name: str
    damage: tuple[str, ...] = ()


def check_results(results: Results) -> Iterator[Checked]:
    """Check everything in a results folder."""
    yield from check_runs(results)
    yield from check_history(results)
    yield from check_trainings(results)


def check_runs(results: Results) -> Iterator[Checked]:
    """Check that each published run has a file of every table, as its schema says and with its own rows."""
    for run_id in list_published(results):
        yield Checked("run", run_id, tuple(_check_run(results, run_id)))


def check_history(results: Results) -> Iterator[Checked]:
    """Check each month of the history, and that it has the published runs."""
    behind, months = list_behind(results), list_months(results)
    for month in sorted({*behind, *months}):
        damage = why_damaged(results, month) if month in months else []
        if month in behind and not damage:
            damage = [f"{results.history}: does not say what `tables` does in {month}; {COMPACT}"]
        yield Checked("history", month, tuple(damage))


def check_trainings(results: Results) -> Iterator[Checked]:
    """Check every kept training, with its weights and the optimizer's state, against its hashes."""
    for key in list_keys(results):
        try:
            verify_training(results, key)
        except DamagedTraining as error:
            yield Checked("training", key, (f"{error}; the next run that needs it trains it again",))
        else:
            yield Checked("training", key)


def _check_run(results: Results, run_id: str) -> Iterator[str]:
    for table in TABLES:
        try:
            path = part_path(results, table, run_id)
            others = set(read_part(path, table)["run_id"].to_pylist()) - {run_id}
        except InputError as error:
            yield str(error)
        else:
            if others:
                yield f"{path}: has rows of run {min(others)}; {MEND}"
