import re
from functools import cache

import pytest
from pydantic import ValidationError

from study.records.record import Segment, StopRule, TrainingRecord
from tests import simulated
from tests.rows import make_record, make_training

LOSSES = (0.9, 0.7, 0.5, 0.6, 0.55, 0.51)
"""The lowest at epoch 3; patience 3 runs out with epoch 6."""


@cache
def _finished() -> TrainingRecord:
    training = make_training(ends=(20,))
    return make_record(training, simulated.train(training.hyperparameters, training.seed)[:20])


def _record(*losses: float) -> TrainingRecord:
    """A training with these validation losses; epoch n takes n seconds."""
    record = _finished()
    epochs = [
        record.epochs[0].model_copy(
            update={"epoch": number, "validation_loss": loss, "seconds": float(number)}
        )
        for number, loss in enumerate(losses, start=1)
    ]
    return record.model_copy(update={"epochs": tuple(epochs)})


def test_a_trial_reads_the_first_epochs():
    reading = _record(*LOSSES).read(StopRule(epochs=2))
    assert reading is not None
    assert [epoch.epoch for epoch in reading.epochs] == [1, 2]
    assert reading.last.validation_loss == 0.7
    assert reading.training_seconds == 1 + 2


def test_a_trial_that_stops_early_reads_up_to_where_it_stopped():
    reading = _record(*LOSSES, 0.4, 0.3).read(StopRule(epochs=8, patience=3))
    assert reading is not None
    assert (reading.last.epoch, reading.training_seconds) == (6, 21)


def test_a_training_too_short_gives_no_reading():
    assert _record(0.9, 0.8).read(StopRule(epochs=3)) is None
    assert _record().read(StopRule(epochs=1)) is None


def test_convergence_time_is_training_time_up_to_the_lowest_validation_loss():
    reading = _record(*LOSSES).read(StopRule(epochs=6))
    assert reading is not None
    assert (reading.converged_epoch, reading.convergence_seconds) == (3, 1 + 2 + 3)


def test_a_reading_that_ends_before_patience_ran_out_has_no_convergence_time():
    reading = _record(*LOSSES).read(StopRule(epochs=5))
    assert reading is not None
    assert (reading.converged_epoch, reading.convergence_seconds) == (None, None)


def _trained_by(*epochs: int, mark: str = "") -> TrainingRecord:
    """A training of several runs, of these epochs each, in 3, 2, ... attempts; equal marks: equal weights."""
    record = _record(*(1 / number for number in range(1, sum(epochs) + 1)))
    marked = tuple(
        each.model_copy(update={"weights_sha256": f"{mark}{each.epoch}"}) for each in record.epochs
    )
    first = _finished().segments[0]
    segments = tuple(
        first.model_copy(update={"epochs": count, "run_id": f"run-{number}", "attempts": 4 - number})
        for number, count in enumerate(epochs, start=1)
    )
    update = {"epochs": marked, "segments": segments, "kept_weights": (sum(epochs),)}
    return record.model_copy(update=update)


def test_a_training_is_a_prefix_of_a_longer_one_with_the_same_weights_only():
    assert _trained_by(2).is_prefix_of(_trained_by(2, 3))
    assert not _trained_by(2, mark="other").is_prefix_of(_trained_by(2, 3))
    assert not _trained_by(5).is_prefix_of(_trained_by(5))
    assert not _trained_by(5).is_prefix_of(_trained_by(2))


def test_a_shorter_training_is_continued_by_a_longer_one():
    short = _trained_by(3)
    fresh = short.segments[0].model_copy(update={"run_id": "fresh"})
    again = short.model_copy(update={"segments": (fresh,), "optimizer_sha256": "short"})
    longer = _trained_by(2, 3).model_copy(update={"optimizer_sha256": "long", "kept_weights": (1, 5)})
    whole = again.continued_by(longer)
    assert whole.epochs == longer.epochs
    assert [(each.run_id, each.epochs) for each in whole.segments] == [("fresh", 3), ("run-2", 2)]
    assert whole.kept_weights == (1, 3, 5)
    assert whole.optimizer_sha256 == "long"


def test_a_record_says_which_run_trained_what_and_how_often_it_tried():
    record, runs = _trained_by(2, 1), ("run-1", "run-2", "run-3")
    assert [record.attempts_by(run) for run in runs] == [3, 2, 0]
    assert [record.epochs_by(run) for run in runs] == [2, 1, 0]
    assert [record.was_trained_by(run) for run in runs] == [True, True, False]
    assert [record.segment_of(epoch).run_id for epoch in (1, 2, 3)] == ["run-1", "run-1", "run-2"]
    again = record.attempted(4, earlier=1)
    assert [segment.attempts for segment in again.segments] == [3, 4]
    assert again.epochs == record.epochs


def test_a_segment_is_of_one_attempt_on_one_thread_unless_it_says_so():
    fields = Segment.model_fields
    assert (fields["attempts"].default, fields["threads"].default) == (1, 1)


def test_a_training_that_diverged_is_continued_by_none_and_answers_every_rule():
    record, longer = _record(*LOSSES[:3]), _record(*LOSSES)
    assert record.is_prefix_of(longer)
    assert not record.is_prefix_of(record), "the other has to be longer"
    diverged = record.model_copy(update={"diverged": "loss is NaN"})
    assert not diverged.is_prefix_of(longer)
    assert diverged.answers([StopRule(epochs=100)])
    assert not record.answers([StopRule(epochs=3), StopRule(epochs=100)])
    assert record.answers([StopRule(epochs=2), StopRule(epochs=3)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"kept_weights": (1, 0)},
            "it has 3 epochs, its segments have 3, and weights are kept of epochs 1, 0",
        ),
        ({"kept_weights": (4,)}, "it has 3 epochs, its segments have 3, and weights are kept of epochs 4"),
        (
            {"segments": _finished().segments},
            "it has 3 epochs, its segments have 20, and weights are kept of epochs 1, 3",
        ),
        ({"epochs": ()}, "epochs\n  Tuple should have at least 1 item"),
        ({"segments": ()}, "segments\n  Tuple should have at least 1 item"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(changes: dict[str, object], message: str):
    sound = {**dict(_trained_by(2, 1)), "kept_weights": (1, 3)}
    assert TrainingRecord.model_validate(sound).kept_weights == (1, 3)
    with pytest.raises(ValidationError, match=re.escape(message)):
        TrainingRecord.model_validate({**sound, **changes})
