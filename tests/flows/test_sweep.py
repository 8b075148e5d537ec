"""The sweep: what becomes of trainings that fail, in batches and alone, and of lanes that come and go."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterName
from prefect.client.schemas.objects import TaskRun
from prefect.task_runners import ThreadPoolTaskRunner

from benchmarks.orchestration import do_nothing
from flows.prepare import RunParameters, check_request
from flows.shown.progress import SweepState
from flows.sweep import SPARE_TASKS, Sweep
from study.errors import Conclusive, LanesLost, ResultsUnwritable
from study.plan.cost import CostModel
from study.plan.forecast import Forecast, FurtherTrainings, Job
from study.plan.plan import MAX_TASK_RUNS, Training
from tasks.lanes.devices import Device
from tasks.lanes.local import LocalLanes
from tasks.tables.rows import Outcome
from tasks.training import train_on_lanes as train_batch
from tasks.training.train_on_lanes import RETRIES, train
from tests.command import ended_task_runs
from tests.rows import make_training
from tests.waiting import WAIT_SECONDS

pytestmark = pytest.mark.usefixtures("server_here")

Setting = tuple[int, int]
"""Filters and seed."""

BROKEN = RuntimeError("broken")


class BrokenLanes(LocalLanes):
    """A lane on which trainings with certain filters and seeds fail so, in the caller's process."""

    def __init__(self, failing: Mapping[Setting, Exception]) -> None:
        super().__init__([Device("CPU")])
        self._failing = failing

    def run(self, label: str, function: Any, *arguments: Any, **_seconds: float) -> Any:
        training: Training = arguments[0]
        self.attempts[label] += 1
        error = self._failing.get((training.hyperparameters.filters, training.seed))
        trained = do_nothing(training, arguments[2])
        if isinstance(error, Diverging):
            return replace(trained, record=trained.record.model_copy(update={"diverged": "the loss is nan"}))
        if error is not None:
            self.failures[label].append(f"{type(error).__name__}: {error}")
            raise error
        return trained


class Diverging(Exception):
    """Stands for a training that diverges after its first epoch: nothing is raised on the lane."""


class GrowingLanes(BrokenLanes):
    """Lanes that join once the trainings have waited for it: nothing ends before so many run at once."""

    def __init__(self, at_first: int, in_the_end: int) -> None:
        super().__init__({})
        self._devices = (Device("CPU"),) * at_first
        self._joining = (Device("CPU"),) * in_the_end
        self._all_run = threading.Barrier(in_the_end + SPARE_TASKS)

    def run(self, label: str, function: Any, *arguments: Any, **_seconds: float) -> Any:
        self._devices = self._joining
        self._all_run.wait(timeout=WAIT_SECONDS)
        return super().run(label, function, *arguments)


@dataclass
class Watching:
    """A view that notes how many trainings had been attempted and were done, each time it is shown."""

    lanes: BrokenLanes
    seen: list[tuple[int, int]] = field(default_factory=list)

    def show(self, standing: SweepState) -> None:
        self.seen.append((sum(self.lanes.attempts.values()), standing.done))


@pytest.fixture(autouse=True)
def _retries_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait for nothing here: each would take seconds."""
    monkeypatch.setattr(train, "retry_delay_seconds", [0.0] * RETRIES)
    monkeypatch.setattr(train_batch, "RETRY_SECONDS", [0.0] * RETRIES)


def make_jobs(settings: Sequence[Setting], epochs: int = 1) -> list[Job]:
    """A job for each pair of filters and seed."""
    return [
        Job(make_training(seed, (epochs,), filters=filters), None, epochs, 0.01, 0.0)
        for filters, seed in settings
    ]


def sweep(
    folder: Path,
    jobs: Sequence[Job],
    lanes: BrokenLanes,
    most_task_runs: int = MAX_TASK_RUNS,
    watching: Watching | None = None,
) -> Sweep:
    """Train under Prefect what the lanes let through."""
    request = check_request(RunParameters(results=str(folder)))
    forecast = Forecast(tuple(jobs), FurtherTrainings(0), 1, CostModel().common_spread, CostModel().rates)
    made: list[Sweep] = []

    @task
    def begin() -> None:
        pass

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=10), persist_result=False)
    def run() -> None:
        after = begin.submit()
        after.wait()
        views = [watching] if watching else []
        made.append(Sweep(request, None, lanes, jobs[0].training.source, forecast, views, most_task_runs))  # type: ignore[arg-type]
        made[0].train(jobs, {job.training.key: (2, 4) for job in jobs}, after, later=())

    run()
    return made[0]


def by_label(outcomes: dict[str, Outcome]) -> dict[str, Outcome]:
    return {outcome.training.label: outcome for outcome in outcomes.values()}


def list_ends(done: Sweep) -> dict[str, tuple[str | None, int, tuple[str, ...], bool]]:
    """How each training ended, by label."""
    return {
        label: (each.reason, each.attempts, each.failed_attempts, each.record is None)
        for label, each in by_label(done.outcomes).items()
    }


def list_task_runs(label: str) -> list[TaskRun]:
    """The task runs that name this label, as Prefect's server has them."""
    return ended_task_runs(task_run_filter=TaskRunFilter(name=TaskRunFilterName(like_=label)))


def test_a_setting_that_fails_all_its_attempts_is_not_tried_with_further_seeds(tmp_path: Path):
    in_flight = 1 + SPARE_TASKS
    last = in_flight + 3
    settings = [(2, seed) for seed in range(1, last + 1)]
    lanes = BrokenLanes(dict.fromkeys(settings, BROKEN))
    done = by_label(sweep(tmp_path, make_jobs([*settings, (4, 1)]), lanes).outcomes)
    tried, spared = done["filters=2 seed=2"], done[f"filters=2 seed={last}"]
    assert (tried.reason, tried.attempts, len(tried.failed_attempts)) == ("RuntimeError: broken", 3, 3)
    assert spared.attempts == 0
    assert spared.reason is not None
    assert "this setting is in quarantine, as filters=2 seed=" in spared.reason
    assert (done["filters=4 seed=1"].reason, done["filters=4 seed=1"].attempts) == (None, 1)


def test_in_a_batch_each_training_ends_as_it_would_in_a_task_run_of_its_own(tmp_path: Path):
    failing = {(3, 1): BROKEN, (5, 1): Diverging(), (6, 1): Conclusive("hopeless")}
    jobs = make_jobs([(filters, 1) for filters in range(2, 9)], epochs=2)
    alone, batched = (
        sweep(tmp_path / str(most), jobs, BrokenLanes(failing), most_task_runs=most) for most in (7, 1)
    )
    assert list_ends(batched) == list_ends(alone)
    assert list_ends(batched) == {
        **{f"filters={filters} seed=1": (None, 1, (), False) for filters in (2, 4, 7, 8)},
        "filters=3 seed=1": ("RuntimeError: broken", 3, ("RuntimeError: broken",) * 3, True),
        "filters=5 seed=1": ("Diverged: the loss is nan of filters=5 seed=1", 1, (), False),
        "filters=6 seed=1": ("Conclusive: hopeless", 1, ("Conclusive: hopeless",), True),
    }
    assert batched.failures.too_many == alone.failures.too_many is None


def test_a_batch_is_one_task_run_that_says_what_failed_in_it(tmp_path: Path):
    jobs = make_jobs([(filters, 21) for filters in (2, 3, 4, 5)])
    sweep(tmp_path, jobs, BrokenLanes({(3, 21): BROKEN}), most_task_runs=2)
    (failed,) = list_task_runs("train 2 trainings from filters=2 seed=21")
    (sound,) = list_task_runs("train 2 trainings from filters=4 seed=21")
    assert failed.state.is_failed()
    assert "1 of 2 trainings failed: filters=3 seed=21: broken" in failed.state.message
    assert sound.state.is_completed()
    assert sound.tags == ["exercise-2", "exercise-4"]


def test_a_training_by_itself_has_a_task_run_of_its_own(tmp_path: Path):
    sweep(tmp_path, make_jobs([(2, 31), (3, 31)]), BrokenLanes({(3, 31): BROKEN}))
    (sound,) = list_task_runs("train filters=2 seed=31")
    (failed,) = list_task_runs("train filters=3 seed=31")
    assert (sound.state.is_completed(), sound.run_count) == (True, 1)
    assert (failed.state.is_failed(), failed.run_count) == (True, 3)
    assert sound.tags == ["exercise-2", "exercise-4"]


def test_in_a_batch_a_setting_in_quarantine_is_not_attempted(tmp_path: Path):
    settings = [(2, 1), (2, 2), (2, 3), (4, 1)]
    lanes = BrokenLanes({(2, 1): BROKEN})
    done = by_label(sweep(tmp_path, make_jobs(settings), lanes, most_task_runs=1).outcomes)
    assert [done[f"filters=2 seed={seed}"].attempts for seed in (1, 2, 3)] == [3, 0, 0]
    assert "in quarantine, as filters=2 seed=1 failed" in str(done["filters=2 seed=3"].reason)
    assert done["filters=4 seed=1"].reason is None


def test_the_progress_counts_a_training_of_a_batch_when_it_ends(tmp_path: Path):
    lanes = BrokenLanes({})
    watching = Watching(lanes)
    sweep(tmp_path, make_jobs([(2, seed) for seed in range(5)]), lanes, 1, watching)
    assert watching.seen == [(number, number) for number in range(6)]


@pytest.mark.parametrize("most_task_runs", [100, 1, 5])
@pytest.mark.parametrize("error", [ResultsUnwritable("full"), LanesLost("no lane came back")])
def test_where_nothing_can_be_kept_or_trained_the_sweep_stops_at_once(
    tmp_path: Path, most_task_runs: int, error: Exception
):
    lanes = BrokenLanes({(2, 1): error})
    with pytest.raises(type(error), match=str(error)):
        sweep(tmp_path, make_jobs([(2, seed) for seed in range(1, 31)]), lanes, most_task_runs)
    assert lanes.attempts["filters=2 seed=1"] == 1
    assert sum(lanes.attempts.values()) < 25


@pytest.mark.parametrize("at_first", [0, 1])
def test_lanes_that_join_are_given_work_while_others_are_busy(tmp_path: Path, at_first: int):
    lanes = GrowingLanes(at_first, 3)
    done = sweep(tmp_path, make_jobs([(2, seed) for seed in range(3 + SPARE_TASKS)]), lanes)
    assert {each.reason for each in done.outcomes.values()} == {None}
