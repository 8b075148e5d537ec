"""The simulator of `study plan --trials` held against real runs: how long lanes take for many trainings.

Run it with `.venv/bin/python -m benchmarks.scaling` (`--rounds N --idle N --waits SECONDS,… --lanes N,…`).

Trainings of `smoke` on 1 lane and on 2, then trainings that only wait, through the real sweep, server, lanes
and cache: where they wait for no time at all, the flow's process or the machine's cores are what limits.
What serving costs is measured in the same run, on the fewest lanes: the processor seconds that a training
which waits for nothing takes of the flow's process, the server and the lanes. The simulator is given that,
and predicts the rest.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from dask.system import CPU_COUNT

from benchmarks.orchestration import do_nothing, make_jobs
from flows.temporary_server import temporary_server
from storage.place import Results, open_results
from study.cost import CostModel
from study.forecast import Forecast, Job, Later
from study.load import ON_DISK
from study.scale import simulate
from study.study_file import adapt_study, read_study


@dataclass(frozen=True)
class Measured:
    """What a sweep took."""

    trainings: int
    wall: float
    flow: float
    """Processor seconds of the flow's process."""
    server: float
    """Processor seconds of Prefect's server."""
    lanes: float
    """Processor seconds of the lanes."""
    cores: float
    """Cores that others' processes left, on average."""

    @property
    def work(self) -> float:
        """Processor seconds for each training, of all that take part."""
        return (self.flow + self.server + self.lanes) / self.trainings


@dataclass(frozen=True)
class Line:
    """One line of the table: wall seconds, measured (median of the rounds) and simulated."""

    what: str
    lanes: int
    trainings: int
    lane_seconds: float
    """Of all trainings together."""
    measured: float
    simulated: float

    @property
    def ratio(self) -> float:
        """Simulated to measured."""
        return self.simulated / self.measured


def wait_for(training: Any, run_id: str, seconds: float) -> Any:
    """Answer as a lane does, after so many seconds of doing nothing."""
    time.sleep(seconds)
    return do_nothing(training, run_id)


def waiting_lanes(count: int, seconds: float) -> Any:
    """Lanes that answer any training after so many seconds."""
    from tasks.devices import Device
    from tasks.local_lanes import LocalLanes

    class WaitingLanes(LocalLanes):
        def run(self, label: str, function: Any, *arguments: Any, **_: float) -> Any:
            return super().run(label, wait_for, arguments[0], arguments[2], seconds)

    return WaitingLanes([Device("CPU")] * count)


def sweep(results: Results, lanes: Any, jobs: Sequence[Job], dataset: Any, after: Any) -> Any:
    """Send trainings through the real sweep, within a flow run."""
    from flows.parameters import RunParameters
    from flows.request import check_request
    from flows.sweep import Sweep

    request = check_request(RunParameters(results=str(results.folder)))
    costs = CostModel()
    forecast = Forecast(tuple(jobs), Later(0), len(lanes.devices), costs.common_spread, costs.rates)
    mapped = Sweep(request, dataset, lanes, forecast, [])
    mapped.train(jobs, {}, after, later=())
    assert not [outcome.reason for outcome in mapped.outcomes.values() if outcome.record is None]
    return mapped


def measure(count: int, body: Callable[[], object]) -> Measured:
    """Wall and processor seconds of a body, of this process and of those it has started."""
    me = psutil.Process()
    children = me.children(recursive=True)
    servers = [each for each in children if any("uvicorn" in part for part in each.cmdline())]
    lanes = [each for each in children if each not in servers]

    def spent() -> list[float]:
        return [*(_processor_seconds(each) for each in ([me], servers, lanes)), _machine_seconds()]

    before, started = spent(), time.perf_counter()
    body()
    wall = time.perf_counter() - started
    *own, machine = (after - earlier for after, earlier in zip(spent(), before, strict=True))
    return Measured(count, wall, *own, cores=CPU_COUNT - max(machine - sum(own), 0.0) / wall)


def _processor_seconds(processes: Sequence[psutil.Process]) -> float:
    times = [each.cpu_times() for each in processes]
    return sum(each.user + each.system for each in times)


def _machine_seconds() -> float:
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait


class Bench:
    """Sweeps within one flow run, each on fresh results."""

    def __init__(self, folder: Path, after: Any, rounds: int) -> None:
        self._folder, self._after, self._rounds, self._number = folder, after, rounds, 0

    def measure_idle(self, lanes: int, seconds: float, count: int) -> Measured:
        """Trainings that wait for so many seconds, on warm lanes: the round whose wall time is the median."""
        with waiting_lanes(lanes, seconds) as waiting:
            self._sweep(waiting, make_jobs(2 * lanes + 2), None)
            rounds = [
                measure(count, lambda: self._sweep(waiting, make_jobs(count), None))
                for _ in range(self._rounds)
            ]
        return sorted(rounds, key=lambda each: each.wall)[len(rounds) // 2]

    def measure_real(self, lanes: int, repeats: int, images: int) -> tuple[Measured, list[float]]:
        """Trainings of `smoke` on so many images: the median round, and the seconds each took its lane."""
        from tasks.dataset import load_dataset
        from tasks.devices import Device
        from tasks.local_lanes import LocalLanes
        from tasks.plan_study import foresee_jobs, plan_study

        study = adapt_study(read_study("smoke"), repeats, None)
        study = study.model_copy(update={"data": study.data.model_copy(update={"train_images": images})})
        data = load_dataset(None).first(study.data.train_images, study.data.test_images)
        with LocalLanes([Device("CPU")] * lanes) as working:
            plan = plan_study.fn(study, data, working.kind, working.engine)
            jobs = foresee_jobs(study, plan, self._fresh_results(), working)
            self._sweep(working, jobs[: 2 * lanes], data)
            rounds = []
            for _ in range(self._rounds):
                swept: list[Any] = []
                measured = measure(len(jobs), lambda: swept.append(self._sweep(working, jobs, data)))  # noqa: B023
                records = [swept[0].outcomes[job.training.key].record for job in jobs]
                rounds.append((measured, [record.segments[-1].lane_seconds for record in records]))
        return sorted(rounds, key=lambda each: each[0].wall)[len(rounds) // 2]

    def _sweep(self, lanes: Any, jobs: Sequence[Job], data: Any) -> Any:
        return sweep(self._fresh_results(), lanes, jobs, data, self._after)

    def _fresh_results(self) -> Results:
        self._number += 1
        return open_results(self._folder / str(self._number))


def compare(
    bench: Bench, lanes: Sequence[int], waits: Sequence[float], idle: int, real: tuple[int, int]
) -> list[Line]:
    """Measure and simulate every case."""
    base = bench.measure_idle(min(lanes), 0.0, idle)
    print(
        f"a training that waits for nothing, in processor milliseconds: flow's process "
        f"{1000 * base.flow / idle:.1f}, Prefect's server {1000 * base.server / idle:.1f}, "
        f"lanes {1000 * base.lanes / idle:.1f}; wall {1000 * base.wall / idle:.1f}",
        flush=True,
    )
    lines = []
    for count in (1, 2):
        measured, seconds = bench.measure_real(count, *real)
        lines.append(_tell("smoke, trained", count, seconds, measured, base, measured.lanes))
    for wait in waits:
        for count in lanes:
            trainings = 20 * (count + 1) if wait else idle
            measured = bench.measure_idle(count, wait, trainings)
            lines.append(_tell(f"wait {wait:g} s", count, [wait] * trainings, measured, base))
    return lines


def predict(
    seconds: Sequence[float], lanes: int, base: Measured, cores: float, working: float = 0.0
) -> float:
    """Seconds that the simulator says, of lanes on this machine, whose cores all that takes part shares.

    Args:
        seconds: Of each training, in order.
        lanes: How many.
        base: What trainings that wait for nothing took.
        cores: How many were to be had.
        working: The processor seconds of the trainings themselves.
    """
    here = ON_DISK.with_lanes_here()
    serving = replace(here, task_run_seconds=0.0, training_seconds=base.flow / base.trainings)
    makespan = simulate([[each] for each in seconds], lanes, serving).makespan
    return max(makespan, (len(seconds) * base.work + working) / cores)


def _tell(
    what: str, lanes: int, seconds: Sequence[float], measured: Measured, base: Measured, working: float = 0.0
) -> Line:
    simulated = predict(seconds, lanes, base, measured.cores, working)
    line = Line(what, lanes, len(seconds), sum(seconds), measured.wall, simulated)
    shares = [line.lane_seconds / (lanes * each) for each in (line.measured, line.simulated)]
    print(
        f"{what:15} {lanes:2} lanes, {line.trainings:4} trainings: measured {line.measured:6.2f} s "
        f"({line.trainings / line.measured:5.1f}/s, {shares[0]:4.0%} of the lanes' time), "
        f"simulated {simulated:6.2f} s ({line.trainings / simulated:5.1f}/s, {shares[1]:4.0%}), "
        f"ratio {line.ratio:.2f}; {measured.cores:.1f} cores, of the flow's process "
        f"{1000 * measured.flow / line.trainings:.1f} ms each, in all {1000 * measured.work:.1f}",
        flush=True,
    )
    return line


def run(
    folder: Path, rounds: int, lanes: Sequence[int], waits: Sequence[float], idle: int, real: tuple[int, int]
) -> list[Line]:
    """Measure and simulate within a flow run, as a study does."""
    from prefect import flow, task
    from prefect.task_runners import ThreadPoolTaskRunner

    @task
    def begin() -> None:
        """Stand for the step before the sweep."""

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=1000), persist_result=False)
    def scaling() -> list[Line]:
        after = begin.submit()
        after.wait()
        return compare(Bench(folder, after, rounds), lanes, waits, idle, real)

    return scaling()


def main(arguments: Sequence[str] | None = None) -> list[Line]:
    """Measure, print and return."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--idle", type=int, default=300, metavar="N", help="trainings that wait, a round")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="repeats of smoke's settings")
    parser.add_argument("--images", type=int, default=20_000, metavar="N", help="that smoke trains on")
    parser.add_argument("--lanes", default="1,2,4,8,16", metavar="N,N")
    parser.add_argument("--waits", default="0,0.5", metavar="SECONDS,SECONDS")
    given = parser.parse_args(arguments)
    lanes = [int(each) for each in given.lanes.split(",")]
    waits = [float(each) for each in given.waits.split(",")]
    os.environ["PREFECT_LOGGING_LEVEL"] = "CRITICAL"
    logging.getLogger("tasks").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("PREFECT_HOME", f"{folder}/prefect")
        with temporary_server():
            import flows.sweep  # noqa: F401 - while the server starts
        return run(Path(folder), given.rounds, lanes, waits, given.idle, (given.repeats, given.images))


if __name__ == "__main__":
    main()
