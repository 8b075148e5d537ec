"""Map trainings over the lanes and wait for them; search the optimum, generation by generation."""

import math
import queue
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from prefect import Task, allow_failure
from prefect.futures import PrefectFuture
from prefect.utilities.annotations import quote

from flows.prepare import Request
from flows.shown import ProgressView, SweepCounter, tagged
from study.errors import LanesLost, ResultsUnwritable
from study.plan import (
    MAX_TASK_RUNS,
    Expected,
    Failures,
    Forecast,
    FurtherTrainings,
    Job,
    Plan,
    Trial,
    key_of,
    makespan_bound,
    pack,
)
from study.records import Source, TrainingRecord
from study.spec import Cell
from tasks.data import Dataset
from tasks.lanes import Lanes
from tasks.optimum import OptimumSearch, advance_search
from tasks.tables import Outcome
from tasks.training import Diverged, predict_jobs, train, train_batch

Result = TypeVar("Result")


def submit(
    step: Task[..., Result], *inputs: Any, wait_for: Iterable[Any] = (), **named: Any
) -> PrefectFuture[Result]:
    """Start a step as soon as its inputs, which may be futures of other steps, are available.

    A future stands for its result and draws an edge of the DAG. The results of `wait_for` are not needed.
    """

    # Prefect passes quoted inputs on as they are. It would search unquoted ones, and draw an edge for
    # every object in them that it has seen in the result of another step.
    def plain(given: Any) -> Any:
        return given if isinstance(given, PrefectFuture) else quote(given)

    by_name = {name: plain(each) for name, each in named.items()}
    return step.submit(*map(plain, inputs), **by_name, wait_for=list(wait_for), return_state=False)


def result_or_none(future: PrefectFuture[Result] | None) -> Result | None:
    """Return a step's result; None if it failed, or if there is no step."""
    # Not by the future's state: that comes from the server and may be late.
    result: Any = None if future is None else future.result(raise_on_failure=False)
    return None if isinstance(result, Exception) else result


SPARE_TASKS = 2
"""Task runs besides one per lane: no lane waits while another training waits for its retry."""

SHOW_SECONDS = 5.0
"""Longest time between two updates of the progress, and between two counts of the lanes."""

LEAST_SECONDS = 1.0
"""Shortest time between two predictions of the combination, each of which takes 20 ms."""


class Sweep:
    """Trains on the lanes and records how each training ended, by key."""

    def __init__(
        self,
        request: Request,
        dataset: Dataset,
        lanes: Lanes,
        source: Source,
        forecast: Forecast,
        views: Sequence[ProgressView],
        most_task_runs: int = MAX_TASK_RUNS,
    ) -> None:
        """Begin; in one phase, if it has more trainings than `most_task_runs`, some share a task run."""
        self._request, self._dataset, self._lanes, self._views = request, dataset, lanes, views
        self._source, self._forecast = source, forecast
        self._tally = SweepCounter(
            len(lanes.devices), forecast.phases_to_come, forecast.common_spread, forecast.rest_seconds
        )
        self._most_task_runs = most_task_runs
        self._ended: queue.SimpleQueue[PrefectFuture[Any]] = queue.SimpleQueue()
        self._lock = threading.Lock()  # trainings of a batch end in its thread
        self._unfinished: set[str] = set()
        self._keys: dict[str, str] = {}
        self._readers: dict[str, list[Trial]] = {}
        self._read: dict[Cell, list[float]] = defaultdict(list)
        self._has_read = False
        self._foreseen = -math.inf
        self._taken: list[float] = []
        self.outcomes: dict[str, Outcome] = {}
        self.failures = Failures(len(forecast.jobs) + len(forecast.later_seconds))
        self.makespan_seconds = 0.0
        self.makespan_bound_seconds = 0.0

    def train(
        self,
        jobs: Sequence[Job],
        exercises: Mapping[str, Sequence[int]],
        after: PrefectFuture[Any],
        later: Sequence[FurtherTrainings] | None = None,
        trials: Sequence[Trial] = (),
    ) -> list[Any]:
        """Train in the given order and wait for all.

        The numbers of the exercises that read a training become its tags. `later` are the phases to come;
        None for those of the forecast. What `trials` read decides the combination of best values, whose
        trainings are predicted again whenever it changes.

        Returns:
            The task runs, for a later step to wait for, failed or not.

        Raises:
            ResultsUnwritable: a finished training cannot be kept; no further training is started.
            LanesLost: there is no lane, and none joined in time; no further training is started.
        """
        started = time.perf_counter()
        self._tally.expect({job.training.key: Expected.of(job) for job in jobs}, later)
        self._unfinished = {job.training.key for job in jobs}
        self._keys = {job.training.label: job.training.key for job in jobs}
        self._readers = {}
        combined = {sweep.number for sweep in self._request.study.combined_sweeps}
        for trial in (each for each in trials if each.exercise in combined):
            self._readers.setdefault(key_of(trial, self._source), []).append(trial)
        self._show()
        self._taken = []
        to_come = deque(_batch(jobs, self._most_task_runs))
        running: dict[PrefectFuture[Any], list[Job]] = {}
        finished: list[Any] = []
        while to_come or running:
            # A task run that waits for a lane would show as running: start no more than the lanes can take.
            while to_come and len(running) < len(self._lanes.devices) + SPARE_TASKS:
                batch = [job for job in to_come.popleft() if self._is_wanted(job)]
                if batch:
                    running[self._submit(batch, exercises, after)] = batch
            if running and (ended := self._wait(running)):
                finished.append(allow_failure(ended))
        self.makespan_seconds += time.perf_counter() - started
        self.makespan_bound_seconds += makespan_bound(self._taken, self._lanes.most)
        return finished

    def _submit(
        self, batch: list[Job], exercises: Mapping[str, Sequence[int]], after: PrefectFuture[Any]
    ) -> PrefectFuture[Any]:
        tags = {number for job in batch for number in exercises.get(job.training.key, ())}
        request = self._request
        inputs = (self._dataset, request.results, self._lanes, request.run_id, request.fresh)
        if len(batch) == 1:
            future = submit(tagged(train, tags), batch[0], *inputs, wait_for=[after])
        else:
            further = (self._is_wanted, self._end)
            future = submit(tagged(train_batch, tags), batch, *inputs, *further, wait_for=[after])
        future.add_done_callback(self._ended.put)
        return future

    def _wait(self, running: dict[PrefectFuture[Any], list[Job]]) -> PrefectFuture[Any] | None:
        """Remove and return the next task run that ends, with its trainings recorded; None after
        `SHOW_SECONDS`: lanes may have joined or left.
        """
        with self._lock:
            self._tally.count_lanes(len(self._lanes.devices))
        try:
            ended = self._ended.get(timeout=SHOW_SECONDS)
        except queue.Empty:
            with self._lock:
                self._show()
            return None
        result: Any = ended.result(raise_on_failure=False)
        if isinstance(result, (ResultsUnwritable, LanesLost)):
            raise result
        for job in running.pop(ended):
            if job.training.key in self._unfinished:  # a batch reports those that it has trained
                self._end(job, result)
        return ended

    def _is_wanted(self, job: Job) -> bool:
        """Say whether to attempt a training; if not, record the reason as its end."""
        with self._lock:
            reason = None if job.is_reused else self.failures.why_not(job.training)
        if reason is not None:
            self._end(job, reason)
        return reason is None

    def _end(self, job: Job, result: TrainingRecord | Exception | str) -> None:
        """Record how a training ended: its record, its last attempt's error, or why it was not attempted."""
        training, lanes, run_id = job.training, self._lanes, self._request.run_id
        record, reason = None, None
        with self._lock:
            if isinstance(result, TrainingRecord):
                record = result
                self.failures.succeed(training)
            elif isinstance(result, str):
                reason = result
            else:
                reason = f"{type(result).__name__}: {result}"
                if isinstance(result, Diverged):
                    record = result.record
                else:
                    self.failures.add(training, reason)
            attempts = record.attempts_by(run_id) if record else lanes.attempts[training.label]
            failed_attempts = tuple(lanes.failures[training.label])
            outcome = Outcome(training, record, reason, attempts, job.seconds, failed_attempts)
            earlier = self.outcomes.get(training.key)  # the combination may be a setting of a sweep
            self.outcomes[training.key] = outcome.following(earlier) if earlier else outcome
            taken = outcome.lane_seconds(run_id) - (earlier.lane_seconds(run_id) if earlier else 0.0)
            seconds = max(taken, 0.0)  # below zero if the record of an earlier phase replaces a failed one
            self._taken.append(seconds)
            self._unfinished.discard(training.key)
            epochs = record.epochs_by(run_id) if record else 0
            each = seconds / epochs if seconds and epochs else None
            self._tally.finish(training.key, each, failed=reason is not None)
            if record is not None:
                self._read_trials(record)
            self._show()

    def _read_trials(self, record: TrainingRecord) -> None:
        """Keep what the trials of the combined sweeps read of a training."""
        for trial in self._readers.get(record.key, ()):
            reading = record.read(trial.rule)
            if reading is not None:
                self._read[trial.exercise, trial.value].append(reading.last.validation_accuracy)
                self._has_read = True

    def _foresee(self) -> None:
        """Predict the combination of best values again, from what has been read."""
        self._has_read, self._foreseen = False, time.monotonic()
        if (predictor := self._forecast.predictor) is not None:
            lanes = max(1, self._lanes.useful)
            later = predictor.predict_combination(self._request.study, self._source, self._read, lanes)
            self._tally.foresee((self._forecast.search, later, self._forecast.finals))

    @contextmanager
    def concluding(self) -> Iterator[None]:
        """Go on to show the remaining time, without further trainings."""
        concluded = threading.Event()

        def show() -> None:
            while not concluded.wait(SHOW_SECONDS):
                self._show()

        thread = threading.Thread(target=show, name="show progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            concluded.set()
            thread.join()

    def _show(self) -> None:
        if self._has_read and (not self._unfinished or time.monotonic() >= self._foreseen + LEAST_SECONDS):
            self._foresee()
        running = self._lanes.running()
        by_key = {self._keys[label]: each for label, each in running.items() if label in self._keys}
        standing = self._tally.standing(by_key)
        for view in self._views:
            view.show(standing)


def _batch(jobs: Sequence[Job], most: int) -> Iterator[list[Job]]:
    """Yield the trainings of each task run: one for all that earlier runs have, as reading is quick."""
    kept = [job for job in jobs if job.is_reused]
    if kept:
        yield kept
    rest = [job for job in jobs if not job.is_reused]
    for places in pack([job.seconds for job in rest], most):
        yield [rest[place] for place in places]


@dataclass(frozen=True)
class Searched:
    """A finished search, and the task runs of its last generation."""

    state: OptimumSearch
    trained: list[Any]


def search_optimum(
    request: Request,
    source: Source,
    lanes: Lanes,
    sweep: Sweep,
    forecast: Forecast,
    after: PrefectFuture[Any],
) -> Searched | None:
    """Search until the budget is spent and no candidate is promising; None if the study does not search.

    Too many failures end it: without trained candidates a search finds nothing.

    Raises:
        ResultsUnwritable: a finished training cannot be kept.
    """
    study = request.study
    if study.optimum is None or study.optimum.search is None:
        return None
    state, trained = OptimumSearch(study, source, study.optimum.search), list[Any]()
    while sweep.failures.too_many is None:
        step = submit(advance_search, state, sweep.outcomes, wait_for=[after, *trained])
        plan = Plan((), tuple(step.result()), source)
        if not plan.trainings:
            break
        jobs = predict_jobs(study, plan, request.results, lanes, request.fresh)
        exercises = dict.fromkeys((each.key for each in plan.trainings), (study.optimum.number,))
        left = math.ceil(max(0.0, state.remaining) * len(forecast.search.seconds))
        search = replace(forecast.search, seconds=forecast.search.seconds[:left])
        trained = sweep.train(jobs, exercises, step, (search, forecast.later, forecast.finals))
    return Searched(state, trained)
