"""Remove what may go from a results folder: who reads meanwhile sees whole runs, and a kill does no harm.

A run goes in this order: what it was asked, so that nobody goes on with it; its row in `runs`, with which it
is published; its other tables; its folder. What a kill leaves of it has neither of the first two, and goes
next time.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from storage.address import is_local
from storage.history import update_history
from storage.locks import last_lock
from storage.place import Results, find_paths, remove_path
from storage.retention import (
    WHILE_EXECUTED,
    Item,
    Limits,
    Verdict,
    find_leftovers,
    is_executing,
    judge_runs,
    judge_trainings,
)
from storage.tables import is_published
from storage.trainings import remove_training
from study.errors import InputError


@dataclass
class Pruned:
    """What went (or would go), with its bytes, what stayed and why, and what went wrong."""

    gone: list[tuple[Item, int]] = field(default_factory=list)
    stayed: list[tuple[Item, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What could not be told or read; nothing was removed for that."""
    failures: list[str] = field(default_factory=list)
    """What should have gone and could not be removed."""


def prune(results: Results, limits: Limits, now: datetime, dry_run: bool = False) -> Pruned:
    """Remove what the limits let go.

    Args:
        results: The folder.
        limits: What may go.
        now: The time by which leftovers are old.
        dry_run: Say what would go; change nothing.

    Raises:
        InputError: the folder may not be looked into.
    """
    pruned = Pruned()
    runs = judge_runs(results, limits, now)
    _carry_out(results, runs, pruned, dry_run)
    if limits.trainings:
        # Judged now, by what is there now: a run that was not removed after all needs its trainings.
        going = [item.name for item in runs.goes] if dry_run else []
        _carry_out(results, judge_trainings(results, limits, going), pruned, dry_run)
    _carry_out(results, Verdict(find_leftovers(results, now)), pruned, dry_run)
    if any(item.kind == "run" for item, _ in pruned.gone) and not dry_run:
        try:
            update_history(results)
        except TimeoutError:
            pruned.problems.append(
                f"{results.history} is not up to date; `study compact` brings it up to date"
            )
    return pruned


def _carry_out(results: Results, verdict: Verdict, pruned: Pruned, dry_run: bool) -> None:
    pruned.stayed += verdict.stays
    pruned.problems += verdict.problems
    for item in verdict.goes:
        size = sum(_measure(path) for path in _paths(results, item))
        try:
            reason = None if dry_run else _remove(results, item)
        except InputError as error:  # someone holds it now
            reason = str(error)
        except OSError as error:
            pruned.failures.append(f"{error.filename or item.name}: {error.strerror or error}")
            continue
        if reason is None:
            pruned.gone.append((item, size))
        else:
            pruned.stayed.append((item, reason))


def _remove(results: Results, item: Item) -> str | None:
    """Remove a thing; return why it has to stay, if it has."""
    if item.kind == "leftover" and item.name.endswith(".part"):
        remove_path(results.folder / item.name)  # of an exported model that is a folder
        return None
    if item.kind == "leftover":
        with last_lock(results, Path(item.name).stem):
            return None
    with last_lock(results, item.name):
        if item.kind == "training":
            busy = is_executing(results)
            if busy is not None:
                return WHILE_EXECUTED.format(busy)
            remove_training(results, item.name)
            return None
        if (item.kind == "run") != is_published(results, item.name):
            return "another process has changed it meanwhile"
        _remove_run(results, item.name)
    return None


def _remove_run(results: Results, run_id: str) -> None:
    for path in (results.start(run_id), *_paths_of_run(results, run_id)):
        remove_path(path)


def _paths(results: Results, item: Item) -> list[Path]:
    if item.kind == "training":
        return [results.trainings / item.name]
    if item.kind == "leftover":
        return [results.folder / item.name]
    return _paths_of_run(results, item.name)


def _paths_of_run(results: Results, run_id: str) -> list[Path]:
    """A run's folder in each table, that of its row in `runs` first, and the rest."""
    first = results.tables / "runs" / f"run={run_id}"
    others = [path for path in find_paths(results.tables, f"*/run={run_id}") if path != first]
    return [first, *others, results.run(run_id)]


def _measure(path: Path) -> int:
    return sum(_list_sizes(path)) if path.is_dir() else next(_list_sizes(path), 0)


def _list_sizes(path: Path) -> Iterator[int]:
    for each in path.rglob("*") if path.is_dir() else (path,):
        with suppress(OSError):
            if each.is_file() or each.is_symlink():
                yield (each.lstat() if is_local(each) else each.stat()).st_size
