"""What orchestration alone costs: 2,000 trainings that do nothing, through the real sweep, lanes and cache.

Run it with `.venv/bin/python -m benchmarks.orchestration` (`--trainings N`, default 2000). Each training is
looked up in the cache, submitted as a Prefect task, sent to a lane's process, answered with a record and two
tiny arrays, and written to disk; nothing is computed. It prints milliseconds a training and the memory of the
flow's process, and the same for the parts, measured in the same run.
"""

import argparse
import logging
import os
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from flows.serving.temporary import temporary_server
from storage.results import Results, open_results
from storage.trainings import hash_weights
from study.plan.cost import CostModel
from study.plan.forecast import Forecast, FurtherTrainings, Job
from study.plan.plan import Training
from study.records.record import Epoch, Segment, Source, StopRule, TrainingRecord
from study.spec.setting import Hyperparameters

WEIGHTS = [np.zeros(10, np.float32)]


def do_nothing(training: Training, run_id: str) -> Any:
    """Answer as a lane does that has trained one epoch."""
    from tasks.training.one_training import Trained

    epoch = Epoch(
        epoch=1, train_loss=1.0, train_accuracy=0.1, validation_loss=1.0, validation_accuracy=0.1,
        test_loss=1.0, test_accuracy=0.1, seconds=0.0, evaluation_seconds=0.0,
        weights_sha256=hash_weights(WEIGHTS),
    )  # fmt: skip
    segment = Segment(
        epochs=1, run_id=run_id, lane="lane", device="CPU", processor="none", finished_at=datetime.now(UTC),
        startup_seconds=0.0, lane_seconds=0.0, peak_bytes=0, versions={},
    )  # fmt: skip
    record = TrainingRecord(
        key=training.key, label=training.label, hyperparameters=training.hyperparameters, seed=training.seed,
        source=training.source, train_images=1, evaluation_images=1, epochs=(epoch,), segments=(segment,),
        kept_weights=(1,), optimizer_sha256=hash_weights(WEIGHTS),
    )  # fmt: skip
    return Trained(record, {1: WEIGHTS}, WEIGHTS)


def make_jobs(count: int) -> list[Job]:
    """As many trainings as wanted, each of a seed of its own."""
    source = Source(protocol="lab", data="d", held_out_images=0, model="1", tensorflow="2", device="CPU")
    return [
        Job(
            Training(
                hyperparameters=Hyperparameters(), seed=number, source=source,
                rules=(StopRule(epochs=1),), label=f"idle seed={number}",
            ), None, 1, 0.01, 0.0,
        )
        for number in range(count)
    ]  # fmt: skip


def measure(name: str, count: int, body: Callable[[], object]) -> None:
    """Print milliseconds a training, and the process's memory before and after."""
    before, started = _memory(), time.perf_counter()
    body()
    each = 1000 * (time.perf_counter() - started) / count
    print(f"{name:48} {each:7.1f} ms each; memory {before:.0f} to {_memory():.0f} MB at most", flush=True)


def run(count: int, folder: Path) -> None:
    """Measure the sweep, then its parts."""
    from prefect import flow, task
    from prefect.task_runners import ThreadPoolTaskRunner

    from flows.prepare import RunParameters, check_request
    from flows.sweep import Sweep
    from tasks.lanes.devices import Device
    from tasks.lanes.lanes import Lanes
    from tasks.lanes.local import LocalLanes
    from tasks.training.train_on_lanes import train

    class IdleLanes(LocalLanes):
        def run(self, label: str, function: Any, *arguments: Any, **seconds: float) -> Any:
            return super().run(label, do_nothing, arguments[0], arguments[2])

    def sweep(results: Results, lanes: Lanes, jobs: list[Job], after: Any) -> None:
        request = check_request(RunParameters(results=str(results.folder)))
        forecast = Forecast(
            tuple(jobs), FurtherTrainings(0), len(lanes.devices), CostModel().common_spread, CostModel().rates
        )
        mapped = Sweep(request, None, lanes, forecast, [])  # type: ignore[arg-type]
        mapped.train(jobs, {job.training.key: (2, 3) for job in jobs}, after, later=())
        assert len(mapped.outcomes) == len(jobs)
        assert all(outcome.record for outcome in mapped.outcomes.values())

    @task
    def begin() -> None:
        """Stand for the step before the sweep."""

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=1000), persist_result=False)
    def orchestrate() -> None:
        after = begin.submit()
        after.wait()
        with IdleLanes([Device("CPU")] * 2) as lanes:
            warm = open_results(folder / "warm")
            sweep(warm, lanes, make_jobs(4), after)
            jobs, results = make_jobs(count), open_results(folder / "whole")
            measure(
                "whole: Prefect task, cache, lane, disk", count, lambda: sweep(results, lanes, jobs, after)
            )
            measure(
                "again: Prefect task, read from the cache", count, lambda: sweep(results, lanes, jobs, after)
            )
            bare = open_results(folder / "bare")
            measure(
                "without Prefect: cache, lane, disk, one at a time",
                count,
                lambda: [train.fn(job, None, bare, lanes, "run") for job in jobs],  # type: ignore[arg-type]
            )
            measure(
                "lane alone, one at a time",
                count,
                lambda: [lanes.run("idle", None, job.training, None, "run") for job in jobs],
            )

    orchestrate()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trainings", type=int, default=2000, metavar="N")
    count = parser.parse_args().trainings
    os.environ["PREFECT_LOGGING_LEVEL"] = "CRITICAL"
    logging.getLogger("tasks").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("PREFECT_HOME", f"{folder}/prefect")
        with temporary_server():
            import flows.sweep  # noqa: F401 - while the server starts
        run(count, Path(folder))


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
