"""Parquet files of a run that are damaged, of another version, or not what they should be."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from storage.results import open_results
from storage.tables.published import publish
from tests.bad_input.case import Case
from tests.small_run import make_small_night, make_tables

RUN, OTHER = "20260301-120000-abcd", "20260302-120000-abcd"

_COLUMNS = "exercise,parameter,value,n_readings,accuracy_pct,note"

Change = Callable[[Path], object]
"""Changes a Parquet file."""


def _run(table: str, change: Change, arguments: tuple[str, ...] = ()) -> Callable[[Path], list[object]]:
    """A published run, of whose files one is changed."""

    def prepare(folder: Path) -> list[object]:
        publish(open_results(folder / "results"), make_tables(RUN))
        change(_part(folder, table))
        return ["show", *arguments]

    return prepare


def _asked(*arguments: str, table: str = "") -> Callable[[Path], list[object]]:
    """A published run of which something else is asked; `table` is the content of a file `mine.csv`."""

    def prepare(folder: Path) -> list[object]:
        publish(open_results(folder / "results"), make_tables(RUN))
        (folder / "mine.csv").write_text(table, encoding="utf-8")
        return list(arguments)

    return prepare


def _two_runs(damaged: str, arguments: tuple[str, ...] = ()) -> Callable[[Path], list[object]]:
    def prepare(folder: Path) -> list[object]:
        for run_id in (RUN, OTHER):
            publish(open_results(folder / "results"), make_tables(run_id))
        for table in ("runs", "trials"):
            _cut(_part(folder, table, damaged))
        return ["show", *arguments]

    return prepare


def _two_nights(folder: Path) -> list[object]:
    for run_id in (RUN, OTHER):
        tables = make_tables(run_id)
        nights = make_small_night(run_id=run_id)
        publish(open_results(folder / "results"), replace(tables, nights=nights))
    _cut(_part(folder, "nights", OTHER))
    return ["nights"]


def _part(folder: Path, table: str, run_id: str = RUN) -> Path:
    return folder / "results" / "tables" / table / f"run={run_id}" / "part-0.parquet"


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.ParquetFile(path).read()), path)


def _labelled(**labels: str) -> Change:
    """Replace what the file says of itself."""
    changed = {name.encode(): label.encode() for name, label in labels.items()}
    return lambda path: _rewrite(
        path, lambda table: table.replace_schema_metadata({**table.schema.metadata, **changed})
    )


def _newer(path: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        wider = table.append_column("mood", pa.array(["fine"] * len(table)))
        return wider.replace_schema_metadata({**table.schema.metadata, b"schema_version": b"1.99.0"})

    _rewrite(path, change)


def _retyped(path: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        at = table.column_names.index("mean_accuracy")
        text = table.column(at).cast(pa.string())
        return table.set_column(at, "mean_accuracy", text)

    _rewrite(path, change)


def _emptied(path: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        at = table.column_names.index("setting")
        return table.set_column(at, "setting", pa.nulls(len(table), pa.string()))

    _rewrite(path, change)


CASES = (
    Case("a folder without runs", lambda _: ["show"]),
    Case("a run that was never published", _run("runs", lambda _: None, ("yesterday",))),
    Case("a run that is a path to somewhere else", _run("runs", lambda _: None, (f"../runs/run={RUN}",))),
    Case("a table cut short", _run("trials", _cut)),
    Case("a table of nights cut short", _run("nights", _cut)),
    Case("a list of runs cut short", _run("runs", _cut)),
    Case("the named run cut short, beside a sound one", _two_runs(OTHER, (OTHER,))),
    Case("an empty file", _run("summary", lambda path: path.write_bytes(b""))),
    Case("a text", _run("epochs", lambda path: path.write_text("not a table"))),
    Case("a file that is not there", _run("summary", lambda path: path.unlink())),
    Case("a file that may not be read", _run("summary", lambda path: path.chmod(0)), unprivileged=True),
    Case("schema version 2.0.0", _run("summary", _labelled(schema_version="2.0.0"))),
    Case("no schema version", _run("summary", lambda path: _rewrite(path, pa.Table.replace_schema_metadata))),
    Case("another table's file", _run("summary", _labelled(table="trials"))),
    Case("a table without a column", _run("summary", lambda path: _rewrite(path, _without_setting))),
    Case("a column of another type", _run("summary", _retyped)),
    Case("a column without values", _run("summary", _emptied)),
    Case("schema: a table that is none", lambda _: ["schema", "trails"]),
    Case("compare: a run that was compared with no published values", _asked("compare")),
    Case("compare: a margin of nothing", _asked("compare", RUN, RUN, "--margin", "0")),
    Case(
        "compare: a table without its columns", _asked("compare", RUN, "mine.csv", table="filters,8\n2,3\n")
    ),
    Case(
        "compare: a table of other exercises",
        _asked("compare", RUN, "mine.csv", table=f"{_COLUMNS}\n9,filters,8,5,89.5,\n"),
    ),
    Case("replay: no row is asked for", _asked("replay")),
    Case("replay: a key that no row has", _asked("replay", "0123456789abcdef")),
    Case("replay: a row that is not there", _asked("replay", "--trial", "4/epochs=3/1")),
    Case("replay: a row by its setting only", _asked("replay", "--trial", "epochs=5")),
    Case("replay: more rows than there are", _asked("replay", "--random", "1000", "--seed", "1")),
    Case("replay: a draw's seed without a draw", _asked("replay", "--seed", "1")),
)


def _without_setting(table: pa.Table) -> pa.Table:
    return table.drop_columns(["setting"])


FINE = (
    Case("schema version 1.99.0 with a further column", _run("summary", _newer), 0),
    Case("nights of which one is damaged: the others, with a warning", _two_nights, 0),
    Case("a named run beside a damaged one", _two_runs(OTHER, (RUN,)), 0),
    Case("the latest run damaged: the latest sound one, with a warning", _two_runs(OTHER), 0),
)
