"""Map trainings over the lanes and wait for them, whatever becomes of each."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from prefect import allow_failure
from prefect.futures import PrefectFuture, as_completed

from flows.progress import ProgressView, Tally
from flows.request import Request
from flows.steps import submit
from study.plan import Training
from study.training_record import TrainingRecord
from tasks.aggregate import Outcome
from tasks.dataset import Dataset
from tasks.lanes import Lanes
from tasks.train import train

SPARE_TASKS = 2
"""Task runs beyond one a lane, so that a lane never waits while another training waits for its retry."""


class Sweep:
    """Trains on the lanes and keeps how each training ended, by key."""

    def __init__(
        self, request: Request, dataset: Dataset, lanes: Lanes, views: Sequence[ProgressView]
    ) -> None:
        self._request, self._dataset, self._lanes, self._views = request, dataset, lanes, views
        self._tally = Tally()
        self.outcomes: dict[str, Outcome] = {}

    def train(self, trainings: Sequence[Training], after: PrefectFuture[Any]) -> list[Any]:
        """Train, longest first, and wait for all.

        Args:
            trainings: What to train, in this order.
            after: The step that asked for them.

        Returns:
            The task runs, for a later step to wait for, failed or not.
        """
        self._tally.expect([training.work for training in trainings])
        to_come = deque(trainings)
        running: dict[PrefectFuture[TrainingRecord], Training] = {}
        finished: list[Any] = []
        while to_come or running:
            # A task run that waits for a lane would show as running: start only what the lanes can take.
            while to_come and len(running) < len(self._lanes.devices) + SPARE_TASKS:
                training = to_come.popleft()
                running[self._submit(training, after)] = training
            future = next(as_completed(list(running)))
            self._finish(running.pop(future), future)
            finished.append(allow_failure(future))
        return finished

    def _submit(self, training: Training, after: PrefectFuture[Any]) -> PrefectFuture[TrainingRecord]:
        request = self._request
        return submit(
            train,
            training,
            self._dataset,
            request.results,
            self._lanes,
            request.run_id,
            request.fresh,
            wait_for=[after],
        )

    def _finish(self, training: Training, future: PrefectFuture[TrainingRecord]) -> None:
        result: Any = future.result(raise_on_failure=False)
        attempts = self._lanes.attempts[training.label]
        if isinstance(result, TrainingRecord):
            self.outcomes[training.key] = Outcome(training, result, None, attempts)
            standing = self._tally.finish(training.work, reused=result.run_id != self._request.run_id)
        else:
            reason = f"{type(result).__name__}: {result}"
            self.outcomes[training.key] = Outcome(training, None, reason, attempts)
            standing = self._tally.finish(training.work, failed=True)
        for view in self._views:
            view.show(standing)
