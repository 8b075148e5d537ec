"""Look for damage of all that is kept: published tables, the history of them, trainings."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from storage.history import list_behind, list_months, why_damaged
from storage.manifests import list_differences, read_manifest
from storage.parts import list_published, part_path, read_parts
from storage.place import Results
from storage.schema import TABLES
from storage.tables import is_optional
from storage.trainings import DamagedTraining, list_keys, verify_training
from study.errors import InputError
from study.run_start import study_of

Kind = Literal["run", "history", "training"]


@dataclass(frozen=True)
class Checked:
    """A thing that was looked at: what is wrong with it, if anything, and what to do about that."""

    kind: Kind
    name: str
    damage: tuple[str, ...] = ()
    remedy: str = ""


def check_runs(results: Results, run_ids: list[str] | None = None) -> Iterator[Checked]:
    """Check the tables of each published run, or of some, against their manifest and their schema."""
    for run_id in list_published(results) if run_ids is None else run_ids:
        damage = tuple(_check_run(results, run_id))
        row = part_path(results, "runs", run_id).parent
        remedy = (
            f"redo it: restore the files, or remove {row} and run `study run {study_of(run_id)}`, "
            "which reads the trainings that are kept"
        )
        yield Checked("run", run_id, damage, remedy if damage else "")


def check_history(results: Results) -> Iterator[Checked]:
    """Check each month of the history against its manifest, and against the published runs."""
    behind = set(list_behind(results))
    for month in sorted({*behind, *list_months(results)}):
        damage = why_damaged(results, month)
        if month in behind:
            damage.append(f"{results.history}: does not say what `tables` does in {month}")
        yield Checked("history", month, tuple(damage), "`study compact` makes it anew" if damage else "")


def check_trainings(results: Results) -> Iterator[Checked]:
    """Check every kept training, with its weights and the optimizer's state."""
    for key in list_keys(results):
        try:
            verify_training(results, key)
        except DamagedTraining as error:
            remedy = "the next run that needs it trains it again"
            yield Checked("training", key, (str(error),), remedy)
        else:
            yield Checked("training", key)


def _check_run(results: Results, run_id: str) -> Iterator[str]:
    try:
        manifest = read_manifest(results.manifest(run_id))
    except ValueError as error:
        yield str(error)
        manifest = None
    if manifest is not None:
        yield from list_differences(results, manifest)
        return
    for table in TABLES:
        for _, part in read_parts(results, table, [run_id]):
            if isinstance(part, InputError):
                yield str(part)
            elif part is None and not is_optional(table):
                yield f"{part_path(results, table, run_id)}: no such file"
