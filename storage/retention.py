"""What of a results folder may go, and why the rest stays; `storage/removal.py` removes it.

A run goes when both limits let it: it ended before a time, and a number of complete runs of its study are
newer. Whatever the limits, the newest complete run of each study stays, with the trainings it reads, and so
does what is being executed. Runs of other exercises of a study count on their own: they answer less, or more.
"""

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from storage.address import is_local
from storage.locks import why_held
from storage.parts import list_published, open_source
from storage.place import Results, exists, find_paths, modified_at
from storage.run_starts import has_ended, list_starts
from storage.tables import list_runs
from storage.trainings import list_keys, read_records
from study.errors import InputError
from study.run_start import RUN_ID
from study.wording import shortened

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What may be a run's id in a table: it names folders, and must not lead to another."""

Kind = Literal["run", "interrupted run", "remains", "training", "leftover"]

WHILE_EXECUTED = "run {} is being executed and may read any"

SETTLED = timedelta(hours=1)
"""What began later may be a run that is just being started, or a file that is just being written."""

LEFT = timedelta(days=1)
"""A temporary file or a lock that was not touched for so long is nobody's."""


@dataclass(frozen=True)
class Limits:
    """What may go; at least one of the first two is given.

    Args:
        before: Only what ended before; None for whatever its age.
        keep: Only runs than which so many complete runs of their study are newer; None for any.
        trainings: Whether trainings go, too.
    """

    before: datetime | None = None
    keep: int | None = None
    trainings: bool = True


@dataclass(frozen=True)
class Item:
    """One thing in the folder."""

    kind: Kind
    name: str
    """A run's id, a training's key, or a leftover's file."""
    study: str = ""


@dataclass
class Verdict:
    """What goes and what stays, each with its reason, and what could not be made out."""

    goes: list[Item] = field(default_factory=list)
    stays: list[tuple[Item, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, item: Item, reason: str | None) -> None:
        """Let a thing go, or stay for a reason."""
        if reason is None:
            self.goes.append(item)
        else:
            self.stays.append((item, reason))


def judge_runs(results: Results, limits: Limits, now: datetime) -> Verdict:
    """Decide which runs go, and what is left of those that are no more; nothing is changed."""
    verdict = Verdict()
    _judge_published(results, limits, verdict)
    _judge_interrupted(results, limits, verdict)
    verdict.goes += _find_remains(results, now)
    return verdict


def judge_trainings(results: Results, limits: Limits, going: Collection[str] = ()) -> Verdict:
    """Decide which trainings go; nothing is changed.

    Args:
        results: Where they are kept.
        limits: What may go.
        going: Runs that are still there and do not count.

    Raises:
        InputError: the folder may not be looked into.
    """
    verdict = Verdict()
    keys = list_keys(results)
    read = _keys_read(results, going, verdict) if keys else set()
    trainers = published_ids(results).union(start.run_id for start in list_starts(results)) - set(going)
    records, busy = {record.key: record for record in read_records(results)}, is_executing(results)
    for key in keys:
        record = records.get(key)
        if record is None:
            reason: str | None = "damaged; `study cache prune --damaged` removes any"
        elif read is None:
            reason = "it cannot be told whether a kept run reads any"
        elif key in read or any(segment.run_id in trainers for segment in record.segments):
            reason = "read or trained by a kept run"
        elif limits.before is not None and record.segments[-1].finished_at >= limits.before:
            reason = "not old enough"
        elif busy is not None:
            reason = WHILE_EXECUTED.format(busy)
        else:
            reason = "being trained" if why_held(results, key) else None
        verdict.add(Item("training", key), reason)
    return verdict


def find_leftovers(results: Results, now: datetime) -> list[Item]:
    """Temporary files of writers that were killed, and locks of runs and trainings that are no more."""
    if not is_local(results.folder):
        return []  # an object is there or not, and no lock lies beside it
    paths = []
    for folder in (
        results.tables,
        results.history,
        results.trainings,
        results.runs,
        results.speeds,
        results.locks,
    ):
        paths += sorted(folder.rglob(".*.part"))
    known = published_ids(results).union(list_keys(results), (path.name for path in results.runs.glob("*")))
    for path in sorted(results.locks.glob("*.lock")):
        if path.stem not in known and not why_held(results, path.stem):
            paths.append(path)
    old = [path for path in paths if _touched(path) < now - LEFT]
    return [Item("leftover", str(path.relative_to(results.folder))) for path in old]


def is_executing(results: Results) -> str | None:
    """A run that is being executed; None if there is none."""
    started = (path.parent.name for path in find_paths(results.runs, "*/run.json"))
    waiting = (run_id for run_id in started if not has_ended(results, run_id))
    return next((run_id for run_id in waiting if why_held(results, run_id)), None)


def published_ids(results: Results) -> set[str]:
    """The runs that have a row in `runs`, readable or not."""
    return set(list_published(results))


def _judge_published(results: Results, limits: Limits, verdict: Verdict) -> None:
    try:
        runs = list_runs(results)
    except InputError as error:
        verdict.problems.append(str(error))
        runs = pd.DataFrame(columns=["run_id", "study", "exercises"])
    for run_id in sorted(published_ids(results) - set(runs["run_id"])):
        verdict.add(Item("run", run_id), "a row in `runs` is damaged")
    for (study, _), group in runs.groupby(["study", "exercises"], dropna=False):
        for run_id, reason in _judge_group(group, limits):
            verdict.add(Item("run", run_id, str(study)), reason or _why_held(results, run_id))


def _judge_group(runs: pd.DataFrame, limits: Limits) -> Iterator[tuple[str, str | None]]:
    """The runs of one study and choice of exercises, each with the reason why it stays, if it does."""
    newer = newest_sound = 0
    for run in _list_rows(runs.sort_values("started_at", ascending=False)):
        is_complete = run["status"] != "stopped early"
        reason = None
        if is_complete and (newer == 0 or (run["status"] == "completed" and not newest_sound)):
            reason = "the newest complete of its study"
        elif limits.keep is not None and newer < limits.keep:
            reason = f"among the newest {limits.keep}"
        elif limits.before is not None and run["finished_at"] >= limits.before:
            reason = "not old enough"
        newer += is_complete
        newest_sound += run["status"] == "completed"
        yield str(run["run_id"]), reason


def _list_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(row) for _, row in frame.iterrows()]


def _judge_interrupted(results: Results, limits: Limits, verdict: Verdict) -> None:
    published = published_ids(results)
    for path in find_paths(results.runs, "*/run.json"):
        item = Item("interrupted run", path.parent.name)
        if item.name in published or not re.fullmatch(RUN_ID, item.name):
            continue
        reason = _why_held(results, item.name)
        if limits.before is None:
            reason = reason or "only --older-than removes any"
        elif _touched(path) >= limits.before:
            reason = reason or "not old enough"
        verdict.add(item, reason)


def _find_remains(results: Results, now: datetime) -> Iterator[Item]:
    """What is left of runs that are no more: a run writes its `run.json` first, its row in `runs` last."""
    folders = {path.name: path for path in find_paths(results.runs, "*") if re.fullmatch(RUN_ID, path.name)}
    tables = find_paths(results.tables, "*/run=*")
    folders |= {_id_of(path): path for path in tables if _ID.fullmatch(_id_of(path))}
    for run_id in sorted(folders.keys() - published_ids(results)):
        is_old = _begun(run_id, folders[run_id]) < now - SETTLED
        if is_old and not exists(results.start(run_id)) and not why_held(results, run_id):
            yield Item("remains", run_id)


def _id_of(partition: Path) -> str:
    return partition.name.removeprefix("run=")


def _keys_read(results: Results, going: Collection[str], verdict: Verdict) -> set[str] | None:
    """The trainings that published runs read; None, and why, if that cannot be told."""
    keys: set[str] = set()
    tables = find_paths(results.tables, "*/run=*/part-0.parquet")
    for run_id in sorted(published_ids(results) - set(going)):
        trials = results.tables / "trials" / f"run={run_id}" / "part-0.parquet"
        parts = {path for path in tables if path.parent.name == f"run={run_id}"} | {trials}
        for path in sorted(each for each in parts if each.parent.parent.name != "runs"):
            try:
                keys |= _read_keys(path)
            except (OSError, pa.ArrowException) as error:
                number = getattr(error, "errno", None)
                reason = os.strerror(number) if number else shortened(str(error), 200).rstrip(".")
                verdict.problems.append(f"{path}: {reason}; therefore no training is removed")
                return None
    return keys


def _read_keys(path: Path) -> set[str]:
    with pq.ParquetFile(open_source(path)) as file:
        return set(file.read(["key"])["key"].to_pylist()) if "key" in file.schema_arrow.names else set()


def _why_held(results: Results, run_id: str) -> str | None:
    holder = why_held(results, run_id)
    return None if holder is None else f"being executed by {holder}"


def _begun(run_id: str, path: Path) -> datetime:
    if re.fullmatch(RUN_ID, run_id):
        return datetime.strptime(run_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return _touched(path)


def _touched(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(modified_at(path), UTC)
    except FileNotFoundError:
        return datetime.max.replace(tzinfo=UTC)  # another was quicker to remove it
