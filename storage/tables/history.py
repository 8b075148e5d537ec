"""Compact the tables of all published runs to a file a month, the history, for readers of all runs.

It lies next to `tables` as `history/<table>/month=2026-03/part-0.parquet` and has the same content: every
published run that can be read, the runs of a study together. It is made from `tables` and can be removed at
any time; every run that is published brings it up to date. As in `tables`, a run is part of it when its row
in `runs` is, which is written last and removed first.
"""

import logging
import re
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from storage.locks import waiting_lock
from storage.results import Results, find_paths, remove_path, write_atomically
from storage.tables.parts import encode_parquet, list_published, read_part, read_parts
from storage.tables.published import BODY, TABLES
from storage.tables.row import Row, schema_of
from storage.tables.rows_of_work import RunRow
from study.errors import InputError

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 60.0
"""An update waits this long for another process's update; a month takes a second."""

COMPACT = "`study compact` writes it again"
"""The remedy for a damaged month."""


class RunId(Row, table="runs"):
    """A run's id alone."""


def month_of(run_id: str) -> str:
    """Return the month in a run's id, such as `2026-03`; `unknown` if the id does not begin with a date."""
    match = re.match(r"(\d{4})(\d{2})\d{2}", run_id)
    return f"{match[1]}-{match[2]}" if match else "unknown"


def update_history(results: Results, *touched: str, thorough: bool = False) -> list[str]:
    """Write the months that are out of date, and those of touched runs; return them.

    A thorough update reads every file of the history, too, and writes damaged months again.

    Raises:
        TimeoutError: another process updates it; the next update adds what that one does not see.
        OSError: the folder cannot be written to.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    with waiting_lock(results, "history", lambda: None, lambda: time.monotonic() > until):
        published = _list_by_month(results)
        late = {month_of(run_id) for run_id in touched}
        if thorough:
            late |= {month for month in list_months(results) if why_damaged(results, month)}
        behind = _list_behind(results, published, late)
        for month in behind:
            _write_month(results, month, published.get(month, []), touched)
        return behind


def list_behind(results: Results) -> list[str]:
    """List the months in which the history differs from `tables`."""
    return _list_behind(results, _list_by_month(results))


def list_months(results: Results) -> list[str]:
    """List the months that have a file in the history."""
    files = find_paths(results.history, "*/month=*/part-0.parquet")
    return sorted({path.parent.name.removeprefix("month=") for path in files})


def why_damaged(results: Results, month: str) -> list[str]:
    """Describe each fault of a month's files, on one line each."""
    found = []
    for table, kind in TABLES.items():
        try:
            read_part(_path(results, table, month), kind, mend=COMPACT)
        except InputError as error:
            found.append(str(error))
    return found


def _list_by_month(results: Results) -> dict[str, list[str]]:
    published: defaultdict[str, list[str]] = defaultdict(list)
    for run_id in list_published(results):
        published[month_of(run_id)].append(run_id)
    return dict(published)


def _list_behind(
    results: Results, published: Mapping[str, Sequence[str]], late: Collection[str] = ()
) -> list[str]:
    lying = set(find_paths(results.history, "*/month=*/part-0.parquet"))
    return [
        month
        for month in sorted({*published, *list_months(results)})
        if month in late or not _is_right(results, month, published.get(month, ()), lying)
    ]


def _is_right(results: Results, month: str, run_ids: Sequence[str], lying: Collection[Path]) -> bool:
    """Say whether a month has just these runs, and a file of each table."""
    if not all(_path(results, table, month) in lying for table in TABLES):
        return False
    try:
        found = read_part(_path(results, RunRow.TABLE, month), RunId)
    except InputError:
        return False
    return sorted(found["run_id"].to_pylist()) == sorted(run_ids)


def _write_month(results: Results, month: str, run_ids: Sequence[str], touched: Sequence[str]) -> None:
    """Write a month: first without the runs that go or change, then with all but the damaged ones."""
    tables = _read_by_run(results, run_ids)
    whole = [run_id for run_id in run_ids if all(run_id in parts for parts in tables.values())]
    _keep_only(results, month, set(whole) - set(touched))
    kinds: tuple[type[Row], ...] = (*BODY, RunRow)
    for kind in kinds:
        path = _path(results, kind.TABLE, month)
        if whole:
            write_atomically(path, _encode(kind, [tables[kind][run_id] for run_id in whole]))
        else:
            remove_path(path.parent)


def _read_by_run(results: Results, run_ids: Sequence[str]) -> dict[type[Row], dict[str, pa.Table]]:
    """Read the rows of each table by run; warn of those that cannot be read."""
    found: dict[type[Row], dict[str, pa.Table]] = {kind: {} for kind in TABLES.values()}
    for kind in found:
        for run_id, part in read_parts(results, kind, run_ids):
            if isinstance(part, InputError):
                logger.warning("%s; the history omits this run", part)
            elif part is not None:
                found[kind][run_id] = part
    return found


def _keep_only(results: Results, month: str, run_ids: set[str]) -> None:
    """Remove the runs that go or change from a month's `runs`, so that no reader sees a part of them."""
    path = _path(results, RunRow.TABLE, month)
    try:
        rows = read_part(path, RunRow)
    except InputError:
        remove_path(path)
        return
    kept = rows.filter(pc.is_in(rows["run_id"], pa.array(sorted(run_ids), pa.string())))
    if len(kept) < len(rows):
        write_atomically(path, encode_parquet([kept], schema_of(RunRow)))


def _encode(kind: type[Row], parts: Sequence[pa.Table]) -> bytes:
    """Encode a month's file of a table: study by study, each in its own row groups, runs in their order."""
    schema, together = schema_of(kind), pa.concat_tables(parts)
    studies = sorted(set(together["study"].to_pylist()))
    groups = [together.filter(pc.equal(together["study"], study)) for study in studies]
    return encode_parquet(groups, schema)


def _path(results: Results, table: str, month: str) -> Path:
    return results.history / table / f"month={month}" / "part-0.parquet"
