"""Keep the state of a training that has not ended, so that the next attempt continues it."""

import logging
from dataclasses import replace

from storage.results import Results
from storage.trainings import (
    Arrays,
    Checkpoint,
    find_training,
    read_checkpoint,
    read_weights,
    remove_training,
    save_training,
)
from study.plan import Training
from study.records import TrainingRecord
from tasks.training.one_training import Trained, ends_trial

logger = logging.getLogger(__name__)


def is_by(record: TrainingRecord | None, run_id: str) -> bool:
    """Say whether this run alone has trained it."""
    return record is not None and all(segment.run_id == run_id for segment in record.segments)


class UnfinishedTraining:
    """The state of a training that has not ended, kept for the next attempt.

    It has the form of a finished training, in a place of its own, where no reader takes it for one.
    """

    def __init__(
        self, training: Training, results: Results, record: TrainingRecord | None, run_id: str, fresh: bool
    ) -> None:
        """Find the state that an attempt has left, or that of the record; a fresh run uses its own alone."""
        self._training, self._place = training, results.unfinished
        self._weights: dict[int, Arrays] = {}
        self.checkpoint: Checkpoint | None = None
        found = find_training(self._place, training.key)
        if found is not None and not (fresh and not is_by(found, run_id)) and self._continues(found, record):
            self.checkpoint = self._read(found, record)
        self._is_kept = self.checkpoint is not None
        if self.checkpoint is None and record is not None:
            self.checkpoint = read_checkpoint(results, record)
        begun = self.checkpoint.record if self.checkpoint else None
        self._earlier = len(begun.segments) if begun else 0
        self._attempts = begun.attempts_by(run_id) if begun else 0

    def _continues(self, found: TrainingRecord, record: TrainingRecord | None) -> bool:
        return (record is None or record.is_prefix_of(found)) and not found.answers(self._training.rules)

    def _read(self, found: TrainingRecord, record: TrainingRecord | None) -> Checkpoint | None:
        """Read it, and the weights to keep of its epochs; None if it is damaged."""
        checkpoint = read_checkpoint(self._place, found)
        if checkpoint is None:
            return None
        for epoch in found.kept_weights:
            weights = read_weights(self._place, found, epoch)
            if weights is not None and ends_trial(self._training, found.validation_losses[:epoch]):
                self._weights[epoch] = weights
        logger.info("%s: continues an attempt that ended after epoch %d", found.label, len(found.epochs))
        named = {*(record.kept_weights if record else ()), *self._weights}
        return replace(checkpoint, record=found.model_copy(update={"kept_weights": tuple(sorted(named))}))

    def add(self, trained: Trained, attempts: int) -> Trained:
        """Return all that this attempt, a run's n-th, has trained; keep it, unless the training has ended."""
        new, last, self._weights = trained.weights, trained.last, self._weights | trained.weights
        record = trained.record.attempted(max(1, attempts - self._attempts), self._earlier)
        if last is not None:
            self.checkpoint, self._is_kept = Checkpoint(record, last, trained.optimizer), True
            epoch = len(record.epochs)
            whole = record.model_copy(update={"kept_weights": tuple(sorted({*self._weights, epoch}))})
            save_training(self._place, whole, {**new, epoch: last}, trained.optimizer)
        return replace(trained, record=record, weights=self._weights)

    def remove(self) -> None:
        """Remove what is kept: the training has ended."""
        if self._is_kept:
            remove_training(self._place, self._training.key)
