"""Parquet files of a run that are damaged, of another version, or not what they should be."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from storage.results import open_results
from storage.tables.published import publish
from tests.bad_input.case import Case
from tests.rows import make_nights
from tests.small_run import make_tables

RUN, OTHER = "20260301-120000-abcd", "20260302-120000-abcd"


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
        nights = make_nights({4: "identical"}, run_id)
        publish(open_results(folder / "results"), replace(tables, nights=nights))
    _cut(_part(folder, "nights", OTHER))
    return ["nights"]


def _part(folder: Path, table: str, run_id: str = RUN) -> Path:
    return folder / "results" / "tables" / table / f"run={run_id}" / "part-0.parquet"


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


CASES = (
    Case("a run that was never published", _run("runs", lambda _: None, ("yesterday",))),
    Case("a run that is a path to somewhere else", _run("runs", lambda _: None, (f"../runs/run={RUN}",))),
    Case("a table cut short", _run("trials", _cut)),
    Case("a list of runs cut short", _run("runs", _cut)),
    Case("the named run cut short, beside a sound one", _two_runs(OTHER, (OTHER,))),
    Case("a file that is not there", _run("summary", lambda path: path.unlink())),
    Case("a file that may not be read", _run("summary", lambda path: path.chmod(0)), unprivileged=True),
    Case(
        "compare: a table without its columns", _asked("compare", RUN, "mine.csv", table="filters,8\n2,3\n")
    ),
    Case("replay: a row by its setting only", _asked("replay", "--trial", "epochs=5")),
    Case("replay: more rows than there are", _asked("replay", "--random", "1000", "--seed", "1")),
)


FINE = (
    Case("nights of which one is damaged: the others, with a warning", _two_nights, 0),
    Case("a named run beside a damaged one", _two_runs(OTHER, (RUN,)), 0),
    Case("the latest run damaged: the latest sound one, with a warning", _two_runs(OTHER), 0),
)
