"""Map trainings over the lanes and wait for them, whatever becomes of each."""

import queue
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from prefect import allow_failure
from prefect.futures import PrefectFuture

from flows.progress import ProgressView, Standing, Tally
from flows.request import Request
from flows.steps import submit
from flows.tags import tagged
from study.errors import ResultsUnwritable
from study.failures import Failures
from study.forecast import Forecast, Job
from study.makespan import makespan_bound
from study.training_record import TrainingRecord
from tasks.aggregate import Outcome
from tasks.dataset import Dataset
from tasks.lanes import Lanes
from tasks.train import Diverged, train

SPARE_TASKS = 2
"""Task runs beyond one a lane, so that a lane never waits while another training waits for its retry."""

SHOW_SECONDS = 5.0
"""Longest time between two updates of the progress."""


class Sweep:
    """Trains on the lanes and keeps how each training ended, by key."""

    def __init__(
        self,
        request: Request,
        dataset: Dataset,
        lanes: Lanes,
        forecast: Forecast,
        views: Sequence[ProgressView],
    ) -> None:
        self._request, self._dataset, self._lanes, self._views = request, dataset, lanes, views
        self._tally = Tally(len(lanes.devices), forecast.later_seconds)
        self._ended: queue.SimpleQueue[PrefectFuture[TrainingRecord]] = queue.SimpleQueue()
        self.outcomes: dict[str, Outcome] = {}
        self.failures = Failures(len(forecast.jobs) + len(forecast.later_seconds))
        self.makespan_seconds = 0.0
        self.makespan_bound_seconds = 0.0

    def train(
        self,
        jobs: Sequence[Job],
        exercises: Mapping[str, Sequence[int]],
        after: PrefectFuture[Any],
        later: Sequence[float] | None = None,
    ) -> list[Any]:
        """Train in the given order and wait for all.

        Args:
            jobs: What to train.
            exercises: The exercises that read each training, by key; their numbers become tags.
            after: The step that asked for it.
            later: Seconds of each training that a later phase will expect; None: as was foreseen.

        Returns:
            The task runs, for a later step to wait for, failed or not.

        Raises:
            ResultsUnwritable: what was trained cannot be kept; nothing further is started.
        """
        started = time.perf_counter()
        self._tally.expect([job.seconds for job in jobs], later)
        self._show(self._tally.standing())
        to_come = deque(jobs)
        running: dict[PrefectFuture[TrainingRecord], Job] = {}
        finished: list[Any] = []
        taken: list[float] = []
        while to_come or running:
            # A task run that waits for a lane would show as running: start only what the lanes can take.
            while to_come and len(running) < len(self._lanes.devices) + SPARE_TASKS:
                job = to_come.popleft()
                reason = None if job.is_reused else self.failures.why_not(job.training)
                if reason is not None:
                    self._keep(job, None, reason)
                    continue
                future = self._submit(job, exercises.get(job.training.key, ()), after)
                running[future] = job
                future.add_done_callback(self._ended.put)
            if not running:
                break
            future = self._wait()
            taken.append(self._finish(running.pop(future), future))
            finished.append(allow_failure(future))
        self.makespan_seconds += time.perf_counter() - started
        self.makespan_bound_seconds += makespan_bound(taken, len(self._lanes.devices))
        return finished

    def _submit(
        self, job: Job, exercises: Sequence[int], after: PrefectFuture[Any]
    ) -> PrefectFuture[TrainingRecord]:
        request = self._request
        return submit(
            tagged(train, exercises),
            job.training,
            self._dataset,
            request.results,
            self._lanes,
            request.run_id,
            request.fresh,
            job.seconds / job.epochs if job.epochs else 0.0,
            job.threads,
            wait_for=[after],
        )

    def _wait(self) -> PrefectFuture[TrainingRecord]:
        while True:
            try:
                return self._ended.get(timeout=SHOW_SECONDS)
            except queue.Empty:
                self._show(self._tally.standing())

    def _finish(self, job: Job, future: PrefectFuture[TrainingRecord]) -> float:
        """Keep how a training ended; return the seconds lanes were busy with it."""
        result: Any = future.result(raise_on_failure=False)
        if isinstance(result, ResultsUnwritable):
            raise result
        if isinstance(result, TrainingRecord):
            self.failures.succeed(job.training)
            return self._keep(job, result, None)
        reason = f"{type(result).__name__}: {result}"
        if isinstance(result, Diverged):
            return self._keep(job, result.record, reason)
        self.failures.add(job.training, reason)
        return self._keep(job, None, reason)

    def _keep(self, job: Job, record: TrainingRecord | None, reason: str | None) -> float:
        training, lanes, run_id = job.training, self._lanes, self._request.run_id
        attempts = record.attempts_by(run_id) if record else lanes.attempts[training.label]
        failed_attempts = tuple(lanes.failures[training.label])
        outcome = Outcome(training, record, reason, attempts, job.seconds, failed_attempts)
        earlier = self.outcomes.get(training.key)  # the combination may be a setting of a sweep
        self.outcomes[training.key] = outcome.following(earlier) if earlier else outcome
        taken = outcome.lane_seconds(run_id) - (earlier.lane_seconds(run_id) if earlier else 0.0)
        seconds = max(taken, 0.0)  # below zero where the record of an earlier phase stands for a failed one
        self._show(self._tally.finish(job.seconds, seconds or None, failed=reason is not None))
        return seconds

    def _show(self, standing: Standing) -> None:
        for view in self._views:
            view.show(standing)
