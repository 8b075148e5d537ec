"""Remove old runs from a results folder, trainings that no kept run reads, and remains of killed runs.

A run goes when both limits let it: it ended before a time, and a number of complete runs of its study are
newer. The newest complete run of each study always stays, with the trainings it reads, and so does a run
that is being executed. Runs of other exercises of a study count on their own: they answer less, or more.

A run goes in this order: its request, so that it cannot be resumed; its row in `runs`, which publishes it;
its other tables; its folder. So readers see whole runs only. The remains of a killed removal have neither of
the first two, and go next time.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from storage.locks import remove_lock, run_lock, why_held
from storage.results import Results, exists, find_paths, is_local, modified_at, remove_path
from storage.run_starts import has_ended, list_starts
from storage.tables import (
    COMPACT,
    MEND,
    TABLES,
    RunRow,
    TrialRow,
    is_published,
    list_behind,
    list_months,
    list_published,
    list_rows,
    list_runs,
    part_path,
    read_part,
    update_history,
    why_damaged,
)
from storage.trainings import DamagedTraining, list_keys, read_records, remove_training, verify_training
from study.errors import InputError
from study.spec import RUN_ID
from study.status import RunStatus

Kind = Literal["run", "interrupted run", "remains", "training", "unfinished training", "temporary file"]

SETTLED = timedelta(hours=1)
"""A run that began later may just be starting."""

LEFT = timedelta(days=1)
"""A temporary file that was not touched for this long has no writer any more."""

ABANDONED = timedelta(days=7)
"""An unfinished training that was not touched for this long is continued no more."""


@dataclass(frozen=True)
class Limits:
    """The limits on removal; at least one of the first two is given."""

    before: datetime | None = None
    """Remove only what ended before."""
    keep: int | None = None
    """Remove only runs with this number of newer complete runs of their study."""
    trainings: bool = True


@dataclass(frozen=True)
class Item:
    """One thing in the folder: a run by its id, a training by its key, a file by its place."""

    kind: Kind
    name: str


Choice = tuple[Item, str | None]
"""A thing and the reason why it stays; None if it goes."""


@dataclass
class Pruned:
    """Things that went (or would go), with bytes; that stayed, and why; that could not be removed."""

    gone: list[tuple[Item, int]] = field(default_factory=list)
    stayed: list[tuple[Item, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def prune(results: Results, limits: Limits, now: datetime, dry_run: bool = False) -> Pruned:
    """Remove what the limits allow; the age of temporary files counts until `now`.

    Raises:
        InputError: the folder may not be looked into, or not one row in `runs` can be read.
    """
    pruned = Pruned()
    for choose in (_choose_runs, _choose_interrupted):
        _carry_out(results, choose(results, limits), pruned, dry_run)
    _carry_out(results, _choose_remains(results, now), pruned, dry_run)
    if limits.trainings:  # chosen only now: a run that could not be removed needs its trainings
        going = {item.name for item, _ in pruned.gone}
        _carry_out(results, _choose_trainings(results, limits, going), pruned, dry_run)
    _carry_out(results, _choose_unfinished(results, now), pruned, dry_run)
    files = [(Item("temporary file", name), None) for name in find_temporary_files(results, now)]
    _carry_out(results, files, pruned, dry_run)
    if any(item.kind == "run" for item, _ in pruned.gone) and not dry_run:
        try:
            update_history(results)
        except TimeoutError:
            pruned.failures.append(f"{results.history}: still has them; `study compact` brings it up to date")
    return pruned


def find_temporary_files(results: Results, now: datetime) -> list[str]:
    """List the old temporary files of killed writers, by their place in the folder."""
    if not is_local(results.folder):
        return []  # an object store has none: an object exists or not
    ours = (results.tables, results.history, results.trainings)
    folders = (*ours, results.runs, results.speeds, results.locks)
    paths = [path for folder in folders for path in sorted(folder.rglob(".*.part"))]
    return [str(path.relative_to(results.folder)) for path in paths if _touched(path) < now - LEFT]


def _choose_runs(results: Results, limits: Limits) -> Iterator[Choice]:
    runs = list_runs(results)
    for run_id in sorted(set(list_published(results)) - {run.run_id for run in runs}):
        yield Item("run", run_id), "a row in `runs` is damaged"
    by_study: defaultdict[tuple[str, str], list[RunRow]] = defaultdict(list)
    for run in runs:
        by_study[run.study, run.exercises].append(run)
    for group in by_study.values():
        for run_id, reason in _choose_of_study(group, limits):
            yield Item("run", run_id), reason or _why_executed(results, run_id)


def _choose_of_study(runs: Sequence[RunRow], limits: Limits) -> Iterator[tuple[str, str | None]]:
    """Yield the runs of one study and choice of exercises, each with the reason why it stays, if it does."""
    newer = newest_sound = 0
    for run in reversed(runs):
        is_complete = run.status != RunStatus.STOPPED_EARLY
        reason = None
        if is_complete and (newer == 0 or (run.status == RunStatus.COMPLETED and not newest_sound)):
            reason = "the newest complete of its study"
        elif limits.keep is not None and newer < limits.keep:
            reason = f"among the newest {limits.keep}"
        elif limits.before is not None and run.finished_at >= limits.before:
            reason = "not old enough"
        newer += is_complete
        newest_sound += run.status == RunStatus.COMPLETED
        yield run.run_id, reason


def _choose_interrupted(results: Results, limits: Limits) -> Iterator[Choice]:
    published = set(list_published(results))
    for path in find_paths(results.runs, "*/run.json"):
        run_id = path.parent.name
        if run_id in published or not re.fullmatch(RUN_ID, run_id):
            continue
        if limits.before is None:
            reason: str | None = "only --older-than removes any"
        else:
            reason = "not old enough" if _touched(path) >= limits.before else None
        yield Item("interrupted run", run_id), _why_executed(results, run_id) or reason


def _choose_remains(results: Results, now: datetime) -> Iterator[Choice]:
    """Yield the remains of removed runs: a run writes its `run.json` first, its row in `runs` last."""
    paths = [*find_paths(results.runs, "*"), *find_paths(results.tables, "*/run=*")]
    names = {path.name.removeprefix("run=") for path in paths} - set(list_published(results))
    for run_id in sorted(name for name in names if re.fullmatch(RUN_ID, name)):
        begun = datetime.strptime(run_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if begun < now - SETTLED and not exists(results.start(run_id)) and not why_held(results, run_id):
            yield Item("remains", run_id), None


def _choose_trainings(results: Results, limits: Limits, going: Collection[str]) -> Iterator[Choice]:
    """Judge each training as if the runs that go were already removed."""
    keys, busy = list_keys(results), _find_executed(results)
    kept = [run_id for run_id in list_published(results) if run_id not in going]
    trainers = {*kept, *(start.run_id for start in list_starts(results))} - set(going)
    records = {record.key: record for record in read_records(results)}
    try:
        read, unknown = _read_keys(results, kept) if keys else set(), None
    except InputError as error:
        read, unknown = set(), f"a kept run may read it: {error}"
    for key in keys:
        segments = records[key].segments if key in records else ()
        finished = segments[-1].finished_at if segments else _last_touched(results.trainings / key)
        if key in read or any(segment.run_id in trainers for segment in segments):
            reason: str | None = "read or trained by a kept run"
        elif limits.before is not None and finished >= limits.before:
            reason = "not old enough"
        else:
            reason = unknown or busy or ("being trained" if why_held(results, key) else None)
        yield Item("training", key), reason


def _choose_unfinished(results: Results, now: datetime) -> Iterator[Choice]:
    for key in list_keys(results.unfinished):
        is_old = _last_touched(results.unfinished.trainings / key) < now - ABANDONED
        reason = "being trained" if why_held(results, key) else None
        yield Item("unfinished training", key), reason if is_old else "not old enough"


def _read_keys(results: Results, run_ids: Iterable[str]) -> set[str]:
    """Read the keys of the trainings that published runs read.

    Raises:
        InputError: a file of theirs is missing or damaged.
    """
    keys: set[str] = set()
    for run_id in run_ids:
        for kind in TABLES.values():
            path = part_path(results, kind.TABLE, run_id)
            if "key" in kind.model_fields and (kind is TrialRow or exists(path)):
                keys.update(read_part(path, kind)["key"].to_pylist())
    return keys


def _find_executed(results: Results) -> str | None:
    """Say which run is being executed; None if there is none."""
    started = (path.parent.name for path in find_paths(results.runs, "*/run.json"))
    waiting = (run_id for run_id in started if not has_ended(results, run_id))
    executed = next((run_id for run_id in waiting if why_held(results, run_id)), None)
    return executed and f"run {executed} is being executed and may read any"


def _why_executed(results: Results, run_id: str) -> str | None:
    holder = why_held(results, run_id)
    return None if holder is None else f"being executed by {holder}"


def _carry_out(results: Results, choices: Iterable[Choice], pruned: Pruned, dry_run: bool) -> None:
    for item, reason in list(choices):
        size = 0 if reason else sum(_measure(path) for path in _paths(results, item))
        try:
            reason = reason or (None if dry_run else _remove(results, item))
        except InputError as error:  # another process holds it now
            reason = str(error)
        except OSError as error:
            where = error.filename or item.name
            pruned.failures.append(f"{where}: could not be removed: {error.strerror or error}")
            continue
        if reason is None:
            pruned.gone.append((item, size))
        else:
            pruned.stayed.append((item, reason))


def _remove(results: Results, item: Item) -> str | None:
    """Remove a thing; return why it has to stay, if it has."""
    if item.kind == "temporary file":
        remove_path(results.folder / item.name)  # for an exported model this is a folder
        return None
    with run_lock(results, item.name):
        if item.kind == "training":
            busy = _find_executed(results)
            if busy is not None:
                return busy
            remove_training(results, item.name)
        elif item.kind == "unfinished training":
            remove_training(results.unfinished, item.name)
        elif (item.kind == "run") != is_published(results, item.name):
            return "another process has changed it meanwhile"
        else:
            for path in (results.start(item.name), *_paths(results, item)):
                remove_path(path)
        remove_lock(results, item.name)
    return None


def _paths(results: Results, item: Item) -> list[Path]:
    """Return the paths of a thing; for a run, its row in `runs` first."""
    if item.kind == "training":
        return [results.trainings / item.name]
    if item.kind == "unfinished training":
        return [results.unfinished.trainings / item.name]
    if item.kind == "temporary file":
        return [results.folder / item.name]
    first = results.tables / "runs" / f"run={item.name}"
    others = [path for path in find_paths(results.tables, f"*/run={item.name}") if path != first]
    return [first, *others, results.run(item.name)]


def _measure(path: Path) -> int:
    size = 0
    for each in path.rglob("*") if path.is_dir() else (path,):
        with suppress(OSError):
            if each.is_file() or each.is_symlink():
                size += (each.lstat() if is_local(each) else each.stat()).st_size
    return size


def _last_touched(folder: Path) -> datetime:
    oldest = datetime.min.replace(tzinfo=UTC)
    return max(map(_touched, find_paths(folder, "*")), default=oldest)


def _touched(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(modified_at(path), UTC)
    except FileNotFoundError:
        return datetime.max.replace(tzinfo=UTC)  # another process removed it first


@dataclass(frozen=True)
class Checked:
    """A thing that was checked. Each damage is a line: file, what was found and what to do."""

    kind: Literal["run", "history", "training"]
    name: str
    damage: tuple[str, ...] = ()


def check_results(results: Results) -> Iterator[Checked]:
    """Check everything in a results folder."""
    yield from check_runs(results)
    yield from check_history(results)
    yield from check_trainings(results)


def check_runs(results: Results) -> Iterator[Checked]:
    """Check that each published run has a file of every table that fits its schema and has its own rows."""
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
    for table, kind in TABLES.items():
        try:
            path = part_path(results, table, run_id)
            others = {row.run_id for row in list_rows(kind, read_part(path, kind), path)} - {run_id}
        except InputError as error:
            yield str(error)
        else:
            if others:
                yield f"{path}: has rows of run {min(others)}; {MEND}"
