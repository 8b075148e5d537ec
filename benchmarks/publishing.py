"""Kill what publishes, again and again, while others read: does a reader ever see a part of a run?

Run it with `.venv/bin/python -m benchmarks.publishing` (`--rounds N`, default 200; `--store disk` or `s3`,
default both; `--seed N`, default 1). In each round two processes publish at once, each run after run with the
history, one of them the same run again and again, as a run does that goes on after its publishing; both are
SIGKILLed after a random time. Meanwhile this process reads: a run by the product's own code, and all of them
from the history, `runs` first as docs/tables.md says, by pyarrow's dataset. In every tenth round on S3 the
server (moto's, on loopback) is stopped for a second in between. At the end everything published is held
against its checksums. The run that is published again does not count, nor one that `runs` lost meanwhile.
"""

import argparse
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from storage.results import Results, find_paths, is_local, open_results, results_at
from storage.tables.history import update_history
from storage.tables.parts import list_published
from storage.tables.published import read_run
from storage.upkeep import check_history, check_runs, find_temporary_files
from study.errors import InputError
from tests.object_stores import BUCKET, credentials, serving
from tests.small_run import make_tables

WRITER = """
import dataclasses, pickle, sys
from pathlib import Path
from storage.tables.history import update_history
from storage.locks import run_lock
from storage.results import results_at
from storage.tables.published import publish
results, name, again = results_at(sys.argv[1]), sys.argv[2], sys.argv[3] == "again"
tables = pickle.loads(Path(sys.argv[4]).read_bytes())
def named(rows, run_id):
    return [row.model_copy(update={"run_id": run_id}) for row in rows]
print("ready", flush=True)
number = 0
while True:
    run_id = name if again else f"{name}{number:04x}"
    others = {each.name: named(getattr(tables, each.name), run_id) for each in dataclasses.fields(tables)[1:]}
    (run,) = named([tables.run], run_id)
    with run_lock(results, run_id):
        publish(results, dataclasses.replace(tables, run=run, **others))
    update_history(results, run_id)
    number += 1
"""

LONGEST_SECONDS = {"disk": 2.0, "s3": 4.0}
"""Until a writer is killed, drawn evenly: some publish several runs, some none."""

_PAUSE_SECONDS = 0.02
"""Between two reads, so that writers get on."""

AGAIN = "20260305T020000Z-lab-aaaaaaaa"
"""The run that is published again and again."""


class Reader:
    """Reads what is published until it is closed, and counts."""

    def __init__(self, results: Results) -> None:
        self.counts: Counter[str] = Counter()
        self._results, self._ended = results, threading.Event()
        tables = make_tables()
        self._expected = {name: len(getattr(tables, name)) for name in ("trials", "epochs", "summary")}
        self._threads = [threading.Thread(target=self._keep, args=[read]) for read in (self._one, self._all)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _keep(self, read: Callable[[], None]) -> None:
        while not self._ended.wait(_PAUSE_SECONDS):
            try:
                read()
            except (OSError, pa.ArrowException) as error:
                # On an object store a file may be replaced while it is read, which s3fs sees by its ETag.
                self.counts["failed"] += 1
                print(f"  read again: {type(error).__name__}: {str(error)[:200]}", flush=True)

    def _one(self) -> None:
        for run_id in list_published(self._results)[-2:]:
            try:
                tables = read_run(self._results, run_id)
                found = {name: len(getattr(tables, name)) for name in self._expected}
            except InputError as error:
                found = {"error": str(error)}
            self._judge("a run by `read_run`", {run_id: found})

    def _all(self) -> None:
        history = self._results.history
        if not find_paths(history / "runs", "month=*/part-0.parquet"):
            return
        run_ids = self._column("runs")
        rows = {name: Counter(self._column(name)) for name in self._expected}
        self._judge(
            "all runs of the history",
            {run_id: {name: rows[name][run_id] for name in rows} for run_id in run_ids},
        )

    def _column(self, table: str) -> list[str]:
        folder = self._results.history / table
        if is_local(folder):
            source = ds.dataset(folder, format="parquet", partitioning="hive")
        else:
            source = ds.dataset(folder.path, filesystem=folder.fs, format="parquet", partitioning="hive")
        found: list[str] = source.to_table(columns=["run_id"])["run_id"].to_pylist()
        return found

    def _judge(self, what: str, found: dict[str, dict[str, object]]) -> None:
        self.counts[f"reads of {what}"] += 1
        wrong = {run_id: rows for run_id, rows in found.items() if rows != self._expected}
        if wrong:
            still = set(list_published(self._results))
            for run_id, rows in wrong.items():
                kind = "partial" if run_id in still and run_id != AGAIN else "gone meanwhile"
                self.counts[kind] += 1
                if kind == "partial":
                    print(f"  PARTIAL, {what}: {run_id}: {rows}", flush=True)


@contextmanager
def writer(results: Results, tables: Path, name: str, again: bool) -> Iterator["subprocess.Popen[str]"]:
    """A process that publishes until it is killed."""
    kind = "again" if again else "new"
    command = [sys.executable, "-c", WRITER, str(results.folder), name, kind, str(tables)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def storm(
    results: Results, scratch: Path, rounds: int, seed: int, pause_store: Callable[[], None] | None
) -> Counter[str]:
    """Kill two writers a round while others read; return what was counted."""
    dice, reader = random.Random(seed), Reader(results)
    longest = LONGEST_SECONDS["disk" if pause_store is None else "s3"]
    kills, tables = 0, scratch / "tables.pickle"
    tables.write_bytes(pickle.dumps(make_tables()))
    for number in range(rounds):
        new = f"202603{1 + number % 28:02d}T030000Z-lab-{number:04x}"
        with writer(results, tables, new, False) as one, writer(results, tables, AGAIN, True) as other:
            for process in (one, other):
                assert process.stdout is not None
                process.stdout.readline()
            if pause_store is not None and number % 10 == 9:
                pause_store()
            first, second = sorted(dice.uniform(0, longest) for _ in range(2))
            victims = dice.sample((one, other), 2)
            for process, seconds in zip(victims, (first, second - first), strict=True):
                time.sleep(seconds)
                kills += process.poll() is None
                process.kill()
        if number % 20 == 19:
            print(f"  {number + 1} rounds: {dict(reader.counts)}", flush=True)
    reader.close()
    reader.counts["kills"] = kills
    return reader.counts


def judge(results: Results, counts: Counter[str]) -> dict[str, int]:
    """What was counted, and what is left at the end."""
    update_history(results)
    checked = [*check_runs(results), *check_history(results)]
    litter = find_temporary_files(results, datetime.now(UTC) + timedelta(days=2))
    names = [path.name for path in find_paths(results.tables, "*/run=*/*")]
    in_the_way = [name for name in names if name != "part-0.parquet" and not name.startswith(".")]
    return {
        "SIGKILLs of writers": counts["kills"],
        "runs published": len(list_published(results)),
        "reads of a run by `read_run`": counts["reads of a run by `read_run`"],
        "reads of all runs of the history": counts["reads of all runs of the history"],
        "reads that saw a part of a run": counts["partial"],
        "reads of a run that was being published again": counts["gone meanwhile"],
        "reads that failed, and were to be done again": counts["failed"],
        "published runs and months that are damaged": sum(bool(each.damage) for each in checked),
        "files that a reader would trip over": len(in_the_way),
        "temporary files left, for `study prune`": len(litter),
    }


def run_store(store: str, rounds: int, seed: int) -> dict[str, int]:
    """The storm on one store."""
    print(f"{store}:", flush=True)
    with tempfile.TemporaryDirectory(prefix="publishing-") as name:
        scratch = Path(name)
        if store == "disk":
            results = open_results(scratch / "results")
            return judge(results, storm(results, scratch, rounds, seed, None))
        with serving() as server:
            os.environ.update(credentials(server.port))
            results = results_at(f"s3://{BUCKET}/publishing")
            counts = storm(results, scratch, rounds, seed, partial(pause, server.pid))
            return judge(results, counts)


def pause(pid: int) -> None:
    """Stop a process for a second."""
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1)
    os.kill(pid, signal.SIGCONT)


def main() -> None:
    """Storm and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, metavar="N")
    parser.add_argument("--store", choices=["disk", "s3"])
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    arguments = parser.parse_args()
    stores = [arguments.store] if arguments.store else ["disk", "s3"]
    found = {store: run_store(store, arguments.rounds, arguments.seed) for store in stores}
    print(f"\n| {arguments.rounds} rounds | {' | '.join(stores)} |\n| --- |{' ---: |' * len(stores)}")
    for what in found[stores[0]]:
        print(f"| {what} | {' | '.join(f'{found[store][what]:,}' for store in stores)} |")


if __name__ == "__main__":
    main()
