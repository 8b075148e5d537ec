"""The sweep: a setting that fails all its attempts is put in quarantine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.testing.utilities import prefect_test_harness

from benchmarks.orchestration import do_nothing
from flows.parameters import RunParameters
from flows.request import check_request
from flows.sweep import SPARE_TASKS, Sweep
from study.cost import CostModel
from study.forecast import Forecast, Job, Later
from study.plan import Source, Training
from study.setting import Hyperparameters
from study.stopping import StopRule
from tasks.aggregate import Outcome
from tasks.devices import Device
from tasks.local_lanes import LocalLanes

SOURCE = Source(protocol="lab", data="d", held_out_images=0, model="1", tensorflow="2", device="CPU")


class BrokenLanes(LocalLanes):
    """Lanes on which trainings with certain filters and seeds fail, in the caller's process."""

    def __init__(self, failing: set[tuple[int, int]]) -> None:
        super().__init__([Device("CPU")])
        self._failing = failing

    def run(self, label: str, function: Any, *arguments: Any, silence_seconds: float = 0) -> Any:
        self.attempts[label] += 1
        if (arguments[0].hyperparameters.filters, arguments[0].seed) in self._failing:
            self.failures[label].append("RuntimeError: broken")
            raise RuntimeError("broken")
        return do_nothing(arguments[0], arguments[2])


@pytest.fixture(scope="module", autouse=True)
def _harness() -> Iterator[None]:
    with prefect_test_harness():
        yield


def make_jobs(settings: list[tuple[int, int]]) -> list[Job]:
    """A job for each pair of filters and seed."""
    return [
        Job(
            Training(
                hyperparameters=Hyperparameters(filters=filters),
                seed=seed,
                source=SOURCE,
                rules=(StopRule(epochs=1),),
                label=f"filters={filters} seed={seed}",
            ),
            None,
            1,
            0.01,
            0.0,
        )
        for filters, seed in settings
    ]


def sweep(folder: Path, settings: list[tuple[int, int]], failing: set[tuple[int, int]]) -> Sweep:
    """Train under Prefect what the lanes let through."""
    request = check_request(RunParameters(results=str(folder)))
    jobs = make_jobs(settings)
    forecast = Forecast(tuple(jobs), Later(0), 1, CostModel().common_spread, CostModel().rates)
    made: list[Sweep] = []

    @task
    def begin() -> None:
        pass

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=10), persist_result=False)
    def run() -> None:
        after = begin.submit()
        after.wait()
        made.append(Sweep(request, None, BrokenLanes(failing), forecast, []))  # type: ignore[arg-type]
        made[0].train(jobs, {}, after, later=())

    run()
    return made[0]


def by_label(outcomes: dict[str, Outcome]) -> dict[str, Outcome]:
    return {outcome.training.label: outcome for outcome in outcomes.values()}


def test_a_setting_that_fails_all_its_attempts_is_not_tried_with_further_seeds(tmp_path: Path):
    in_flight = 1 + SPARE_TASKS
    last = in_flight + 3
    settings = [(2, seed) for seed in range(1, last + 1)]
    done = by_label(sweep(tmp_path, [*settings, (4, 1)], set(settings)).outcomes)
    tried, spared = done["filters=2 seed=2"], done[f"filters=2 seed={last}"]
    assert (tried.reason, tried.attempts, len(tried.failed_attempts)) == ("RuntimeError: broken", 3, 3)
    assert spared.attempts == 0
    assert spared.reason is not None
    assert "this setting is in quarantine, as filters=2 seed=" in spared.reason
    assert (done["filters=4 seed=1"].reason, done["filters=4 seed=1"].attempts) == (None, 1)
