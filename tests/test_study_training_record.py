from functools import cache

import pytest
from pydantic import ValidationError

from study.stopping import StopRule
from study.training_record import Epoch, TrainingRecord
from tests.frames import make_records, make_study

LOSSES = (0.9, 0.7, 0.5, 0.6, 0.55, 0.51)
"""The lowest at epoch 3; patience 3 runs out with epoch 6."""


@cache
def _finished() -> TrainingRecord:
    return make_records(make_study().only(frozenset({4})))[0]


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


def test_a_training_gives_its_validation_losses_in_order():
    assert _record(*LOSSES).validation_losses == list(LOSSES)


def test_a_record_survives_json():
    record = _finished()
    assert TrainingRecord.model_validate_json(record.model_dump_json()) == record


def test_a_loss_that_is_no_number_is_refused():
    fields = _record(0.5).epochs[0].model_dump()
    with pytest.raises(ValidationError, match="Input should be a finite number"):
        Epoch.model_validate({**fields, "validation_loss": float("nan")})
