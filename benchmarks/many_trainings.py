"""What thousands of tiny trainings do to the whole stack: server, database, flow and lanes, all of them real.

Run it with `.venv/bin/python -m benchmarks.many_trainings` (`--trainings N`, default 5000; `--database
postgres` or `sqlite`; `--lanes N`, default 2). A study of one epoch on a hundred images is run by the command
`study run`, in a process of its own, against a Prefect server on that database, Debian's Postgres with its
own settings. Meanwhile the server is asked every second whether it is well, and for its latest flow runs,
and everybody's memory is noted. It prints how that was over time, and what a training cost beyond its own
seconds on a lane.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from storage.results import open_results
from storage.tables.published import RunTables, read_run
from tests import postgres
from tests.command import STUDY
from tests.night_server import NightServer, bare_server

MAX_REPEATS = 1000
"""Of one setting, as a study may have."""

MANY = """
name: many-trainings
title: Many tiny trainings
data: {{train_images: 100, test_images: 100}}
baseline: {{dense_units: 4, epochs: 1}}
exercises:
  - {{number: 2, kind: sweep, title: Filters, question: How many filters?, parameter: filters,
     values: {values}, repeats: {repeats}}}
"""

SECONDS_BETWEEN = 1.0
SETTLE_SECONDS = 300.0
"""The server writes task runs down later than they end: for so long they may still change."""

ROWS = 12
"""Of the table over time."""


@dataclass
class ClusterMonitor:
    """How server and processes were while the run went on."""

    server: NightServer
    database: str
    """Its URL, or the path of its file."""
    started: float = field(default_factory=time.monotonic)
    health: list[float] = field(default_factory=list)
    query: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    memory: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    """After how many seconds, and megabytes of each part."""

    def look(self, flow: psutil.Process) -> None:
        """Ask the server, and note memory."""
        for taken, path, body in (
            (self.health, "health", None),
            (self.query, "flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 20}),
        ):
            begun = time.monotonic()
            try:
                self.server.ask(path, body)
            except OSError as error:
                self.errors.append(f"{path}: {error}")
            taken.append(time.monotonic() - begun)
        self.memory.append((time.monotonic() - self.started, self._measure(flow)))

    def _measure(self, flow: psutil.Process) -> dict[str, float]:
        server = psutil.Process(self.server.process.pid)
        size = self.database_bytes()
        return {
            "server": _megabytes([server, *server.children(recursive=True)]),
            "database": _megabytes(_postgres_processes(self.database)),
            "flow": _megabytes([flow]),
            "lanes": _megabytes(flow.children(recursive=True)),
            "kept": size / 1e6,
        }

    def database_bytes(self) -> int:
        """How large the database is."""
        if self.database.startswith("postgres"):
            return int(postgres.ask(self.database, "select pg_database_size(current_database())")[0])
        return sum(each.stat().st_size for each in Path(self.database).parent.glob("prefect.db*"))


def run(count: int, database: str, lanes: int, folder: Path) -> None:
    """Run the study and print what was seen."""
    study = folder / "many.yaml"
    settings = -(-count // MAX_REPEATS)
    repeats = -(-count // settings)
    study.write_text(MANY.format(values=list(range(2, 2 + settings)), repeats=repeats))
    results = folder / "results"
    with _served(database, folder) as (server, where):
        watch = ClusterMonitor(server, where)
        before = watch.database_bytes()
        command = [STUDY, "run", study, "--results", results, "--lanes", str(lanes)]
        environment = {
            **os.environ, "PREFECT_HOME": str(folder / "flow"), "PREFECT_API_URL": f"{server.url}/api"
        }  # fmt: skip
        said = folder / "said"
        with said.open("wb") as file:
            process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
            flow = psutil.Process(process.pid)
            while process.poll() is None:
                watch.look(flow)
                time.sleep(SECONDS_BETWEEN)
        wall = time.monotonic() - watch.started
        _tell_end(process.returncode, said.read_text(errors="replace"), server, wall)
        _tell_trainings(read_run(open_results(results)), lanes, wall)
        _tell_server(watch, before)


@contextmanager
def _served(database: str, folder: Path) -> Iterator[tuple[NightServer, str]]:
    if database == "sqlite":
        with bare_server(folder / "home") as server:
            yield server, str(folder / "home" / "prefect.db")
        return
    with (
        postgres.serving(settings=()) as url,
        bare_server(folder / "home", PREFECT_API_DATABASE_CONNECTION_URL=url) as server,
    ):
        yield server, url


def _tell_end(code: int, said: str, server: NightServer, wall: float) -> None:
    (flow_run,) = server.ask("flow_runs/filter", {})
    print(f"exit code {code} after {wall:.0f} s; the server has the flow run as {flow_run['state_name']!r}")
    since, earlier, counted = time.monotonic(), None, _count_task_runs(server)
    while counted != earlier and time.monotonic() < since + SETTLE_SECONDS:
        time.sleep(5)
        earlier, counted = counted, _count_task_runs(server)
    print(f"task runs, {time.monotonic() - since:.0f} s later: {dict(counted)}")
    logged = [line for line in server.said().splitlines() if "WARNING" in line or "ERROR" in line]
    print(f"server's warnings and errors: {len(logged)}", *logged[:5], sep="\n  ")
    odd = [line for line in said.splitlines() if "elapsed" not in line]
    print("the run said:", *odd[-15:], sep="\n  ")


def _count_task_runs(server: NightServer) -> Counter[str]:
    kinds = ("COMPLETED", "FAILED", "CRASHED", "RUNNING", "PENDING", "SCHEDULED")
    counts = {
        kind: int(server.ask("task_runs/count", {"task_runs": {"state": {"type": {"any_": [kind]}}}}))
        for kind in kinds
    }
    return Counter({kind: count for kind, count in counts.items() if count})


def _tell_trainings(tables: RunTables, lanes: int, wall: float) -> None:
    run, count = tables.run, len(tables.trainings)
    makespan, own = run.makespan_seconds, run.lane_seconds / lanes
    print(f"{len(tables.trials)} trials, {run.failed_trials} failed; {count} trainings")
    print(
        f"makespan {makespan:.1f} s of {wall:.1f} s: {1000 * makespan / count:.1f} ms a training, "
        f"of which {1000 * own / count:.1f} on its lane; overhead {1000 * (makespan - own) / count:.1f} ms a "
        f"training, {makespan / own - 1:.1f} times what it takes on its lane"
    )


def _tell_server(watch: ClusterMonitor, before: int) -> None:
    for name, taken in (("health", watch.health), ("latest flow runs", watch.query)):
        high = statistics.quantiles(taken, n=20)[-1]
        print(
            f"{name}: asked {len(taken)} times; median {1000 * statistics.median(taken):.0f} ms, "
            f"95% {1000 * high:.0f} ms, longest {1000 * max(taken):.0f} ms"
        )
    print(f"questions not answered: {len(watch.errors)}", *watch.errors[:5])
    print(f"database: {before / 1e6:.0f} MB before, {watch.database_bytes() / 1e6:.0f} MB after")
    names = list(watch.memory[0][1])
    print("seconds", *(f"{name:>10}" for name in names), " (MB)")
    step = max(1, len(watch.memory) // ROWS)
    for after, megabytes in [*watch.memory[:-1:step], watch.memory[-1]]:
        print(f"{after:7.0f}", *(f"{megabytes[name]:10.0f}" for name in names))


def _postgres_processes(url: str) -> list[psutil.Process]:
    if not url.startswith("postgres"):
        return []
    port = f"port={urlsplit(url).port}"
    mains = [each for each in psutil.process_iter(["cmdline"]) if port in (each.info["cmdline"] or [])]
    return [process for main in mains for process in (main, *main.children(recursive=True))]


def _megabytes(processes: list[psutil.Process]) -> float:
    """Memory of their own: what several share is divided among them."""
    total = 0
    for each in processes:
        try:
            total += each.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trainings", type=int, default=5000, metavar="N")
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--lanes", type=int, default=2, metavar="N")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "home").mkdir()
        print(f"{asked.trainings} trainings, {asked.database}", flush=True)
        run(asked.trainings, asked.database, asked.lanes, folder)


if __name__ == "__main__":
    main()
