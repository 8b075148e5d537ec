"""A study on several hosts: scheduler, lanes, flow and object store apart; killed, cut off, back again."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import Security

from storage.dataset_files import DatasetArrays
from storage.tables.rows_of_work import TrainingRow, TrialRow
from tasks.data.dataset import load_dataset
from tests.chaos import CHAOS, of_exercises
from tests.cluster import CODE, LANE, PROGRAM
from tests.held_trainings import HeldTrainings
from tests.hosts import Host, Network, network, why_impossible
from tests.object_stores import credentials, new_address
from tests.storage.test_dataset_files import write_idx_folder
from tests.waiting import WAIT_SECONDS, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_impossible() is not None, reason=str(why_impossible())),
]

IMPATIENT = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s"}
"""A host that is cut off is missed after 12 s, not 30: Dask takes less than 11 s for an error."""

READY = "lane-0: ready for"
SCHEDULER_PORT, STORE_PORT = 8786, 9000

COUNT = """
import sys, time
from storage.results import results_at, find_paths
results = results_at(sys.argv[1])
while True:
    try:
        found = len(list(find_paths(results.trainings, "*/record.json")))
    except Exception:
        found = 0
    print(found, flush=True)
    time.sleep(0.3)
"""
READ = """
import pickle, sys
from storage.results import results_at
from storage.tables.published import read_run
from tests.chaos import trials_of
results = results_at(sys.argv[1])
open(sys.argv[2], "wb").write(pickle.dumps((trials_of(results), read_run(results).trainings)))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dataset = load_dataset()
    return write_idx_folder(tmp_path_factory.mktemp("data"), DatasetArrays(*dataset.train(), *dataset.test()))


class Bench:
    """A scheduler, an object store and a flow, each on a host of its own; lanes on further ones."""

    def __init__(self, net: Network, folder: Path, data: Path) -> None:
        self.net, self.folder, self.data = net, folder, data
        self.results = new_address()
        self.scheduler, self.store, self.flow = map(net.host, ("scheduler", "store", "flow"))
        self.at = f"tls://{self.scheduler.address}:{SCHEDULER_PORT}"
        self.environment = {"PYTHONPATH": str(CODE), **write_credentials(folder)}
        self.environment |= credentials(STORE_PORT, self.store.address) | IMPATIENT
        self.start_scheduler()
        moto = [sys.executable, "-W", "ignore", "-m", "tests.object_stores", STORE_PORT, self.store.address]
        store = self.store.start(moto, self.environment, subprocess.PIPE)
        assert store.stdout is not None
        assert store.stdout.readline() == f"{STORE_PORT}\n"

    def start_scheduler(self) -> None:
        """Start Dask's scheduler."""
        self.scheduler.start(
            [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", self.scheduler.address,
             "--protocol", "tls", "--port", SCHEDULER_PORT, "--no-dashboard"], self.environment,
        )  # fmt: skip

    def lanes(self, name: str, core: int) -> Host:
        """A further host with a lane on one core, and a cache of its own that has nothing."""
        host = self.net.host(name)
        held = self.held(host).environment
        environment = {**self.environment, **dict.fromkeys(credentials(0), ""), **held}
        with (self.folder / f"{host.name}.log").open("a") as log:
            command = ["taskset", "--cpu-list", core, *LANE, self.at, "--data", self.data]
            host.start(command, environment, log)
        return host

    def held(self, host: Host) -> HeldTrainings:
        """The trainings of a host's lane, which wait until they are let begin."""
        return HeldTrainings(self.folder / f"{host.name}.held")

    def run(self, study: Path) -> "subprocess.Popen[str]":
        """Start the sweep over filters of the study, on the flow's host."""
        options = ("--scheduler", self.at, "--data", self.data, "--exercises", 2, "--results", self.results)
        with (self.folder / "flow.log").open("a") as log:
            return self.flow.start([*PROGRAM, "run", study, *options], self.environment, log)

    def said(self, host: str = "flow") -> str:
        """What the commands on a host have said."""
        return (self.folder / f"{host}.log").read_text()

    def wait_for(self, text: str, host: str = "flow", times: int = 1) -> None:
        """Wait until something was said on a host so many times."""
        wait_until(lambda: self.said(host).count(text) >= times, self.said)

    @contextmanager
    def counting(self) -> Iterator["Counter"]:
        """Count finished trainings while the body runs."""
        process = self.flow.start(
            [sys.executable, "-P", "-c", COUNT, self.results], self.environment, subprocess.PIPE
        )
        try:
            yield Counter(process)
        finally:
            process.kill()
            process.wait()

    def read(self) -> tuple[list[TrialRow], list[TrainingRow]]:
        """What must be equal in the trials, and the trainings, as read on the flow's host."""
        path = self.folder / "read.pickle"
        command = [sys.executable, "-P", "-c", READ, self.results, path]
        assert self.flow.start(command, self.environment).wait(WAIT_SECONDS) == 0
        trials, trainings = pickle.loads(path.read_bytes())
        return trials, trainings


class Counter:
    """How many trainings are kept, as seen from the flow's host."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self._lines = process.stdout

    def wait_for(self, count: int) -> None:
        """Wait until so many are."""
        for line in self._lines:
            if int(line) >= count:
                return
        raise AssertionError("nothing is counted any more")


def write_credentials(folder: Path) -> dict[str, str]:
    """TLS for all, as Dask takes it; the environment that names the files."""
    made = Security.temporary()
    texts = {"ca": made.tls_ca_file, "key": made.tls_worker_key, "cert": made.tls_worker_cert}
    for name, text in texts.items():
        (folder / f"{name}.pem").write_text(str(text))
    prefix = "DASK_DISTRIBUTED__COMM__"
    roles = {
        f"{prefix}TLS__{role}__{part.upper()}": str(folder / f"{part}.pem")
        for role in ("SCHEDULER", "WORKER", "CLIENT")
        for part in ("key", "cert")
    }
    return {f"{prefix}REQUIRE_ENCRYPTION": "True", f"{prefix}TLS__CA_FILE": str(folder / "ca.pem"), **roles}


@pytest.fixture
def bench(tmp_path: Path, data: Path) -> Iterator[Bench]:
    with network(tmp_path / "hosts") as net:
        yield Bench(net, tmp_path, data)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(CHAOS)
    return path


def check(bench: Bench, quiet: list[TrialRow]) -> list[TrainingRow]:
    """Check that the tables are those of a quiet run, and that no key is there twice."""
    trials, trainings = bench.read()
    assert trials == of_exercises(quiet, 2)
    assert len({each.key for each in trainings}) == len(trainings)
    return trainings


def hosts_of(trainings: list[TrainingRow]) -> set[str]:
    """The hosts whose lanes trained."""
    return {str(each.lane).partition("/")[0] for each in trainings}


def most_attempts(trainings: list[TrainingRow]) -> int:
    """The attempts of the training that needed most."""
    return max(each.attempts for each in trainings)


def test_a_host_is_cut_off_and_returns_and_then_all_are(bench: Bench, study: Path, quiet: list[TrialRow]):
    first, second = bench.lanes("lane-a", 0), bench.lanes("lane-b", 1)
    run = bench.run(study)
    with bench.counting() as counter:
        bench.held(first).let(2)
        counter.wait_for(2)
        wait_until(bench.held(second).lanes, bench.said)
        second.cut()
        bench.wait_for("is not reached", "lane-b")
        second.mend()
        bench.wait_for(READY, "lane-b", 2)
        bench.held(second).let(2)
        counter.wait_for(4)  # by the one that is back: the other trains nothing
        for host in (first, second):
            wait_until(bench.held(host).lanes, bench.said)
            host.cut()
        bench.wait_for("no lane is there; waiting for one, for at most 10 min")
        for host in (first, second):
            bench.held(host).let_all()
            host.mend()
    assert run.wait(WAIT_SECONDS) == 0, bench.said()
    trainings = check(bench, quiet)
    assert 2 <= most_attempts(trainings) <= 3
    assert hosts_of(trainings) == {"lane-a", "lane-b"}
    assert "is there; continuing" in bench.said()


def test_the_scheduler_is_killed_and_started_anew_and_the_flow_is_cut_off(
    bench: Bench, study: Path, quiet: list[TrialRow]
):
    hosts = bench.lanes("lane-a", 0), bench.lanes("lane-b", 1)
    run = bench.run(study)
    with bench.counting() as counter:
        for host in hosts:
            bench.held(host).let(1)
        counter.wait_for(2)
        for host in hosts:
            wait_until(bench.held(host).lanes, bench.said)
        bench.scheduler.kill()
        bench.wait_for("the scheduler is not reached; waiting")
        bench.start_scheduler()
        for host in hosts:
            bench.held(host).let(1)
        counter.wait_for(4)
        for host in hosts:
            wait_until(bench.held(host).lanes, bench.said)
        bench.flow.cut()  # from the scheduler, and from the object store
        bench.wait_for("contact with the scheduler was lost", times=2)
        for host in hosts:
            bench.held(host).let_all()
        bench.flow.mend()
    assert run.wait(WAIT_SECONDS) == 0, bench.said()
    assert 2 <= most_attempts(check(bench, quiet)) <= 3
    assert bench.flow.processes() == []
