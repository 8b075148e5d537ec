import pytest
from pydantic import ValidationError

from study.records.record import StopRule, converged_epoch, needs_more

# The lowest loss is at epoch 3; three epochs without a lower one end with epoch 6.
STOPS_AT_SIX = (0.9, 0.7, 0.5, 0.6, 0.55, 0.51, 0.4)


@pytest.mark.parametrize(
    ("losses", "patience", "epochs_read"),
    [
        (STOPS_AT_SIX, 3, 6),
        (STOPS_AT_SIX, 1, 4),
        (STOPS_AT_SIX, 4, 7),
        ((0.5, 0.6, 0.7), 2, 3),
        ((0.5, 0.5, 0.5), 2, 3),  # an equal loss is no lower loss
        ((0.5, 0.6, 0.4, 0.6, 0.3, 0.6, 0.6), 2, 7),  # a lower loss starts the count anew
    ],
)
def test_a_trial_with_patience_stops_when_early_stopping_would(
    losses: tuple[float, ...], patience: int, epochs_read: int
):
    assert StopRule(epochs=len(losses), patience=patience).epochs_read(losses) == epochs_read


def test_patience_that_runs_out_stops_a_training_that_is_still_short_of_its_budget():
    assert StopRule(epochs=20, patience=3).epochs_read(STOPS_AT_SIX[:6]) == 6
    assert StopRule(epochs=20, patience=3).epochs_read(STOPS_AT_SIX[:5]) is None


def test_a_budget_ends_before_patience_runs_out():
    assert StopRule(epochs=5, patience=3).epochs_read(STOPS_AT_SIX) == 5


def test_patience_that_runs_out_with_the_last_epoch_reads_the_whole_budget():
    assert StopRule(epochs=6, patience=3).epochs_read(STOPS_AT_SIX) == 6


def test_a_trial_without_patience_reads_its_whole_budget():
    assert StopRule(epochs=7).epochs_read(STOPS_AT_SIX) == 7
    assert StopRule(epochs=2).epochs_read(STOPS_AT_SIX) == 2


@pytest.mark.parametrize("patience", [None, 3])
def test_a_trial_needs_more_than_a_training_too_short_for_it(patience: int | None):
    assert StopRule(epochs=3, patience=patience).epochs_read((0.9, 0.8)) is None
    assert StopRule(epochs=1, patience=patience).epochs_read(()) is None


def test_a_training_goes_on_while_any_of_its_trials_needs_more():
    short, stopping, long = StopRule(epochs=2), StopRule(epochs=20, patience=3), StopRule(epochs=7)
    assert needs_more([short, stopping], STOPS_AT_SIX[:2])
    assert not needs_more([short], STOPS_AT_SIX[:2])
    assert not needs_more([short, stopping], STOPS_AT_SIX[:6])
    assert needs_more([short, stopping, long], STOPS_AT_SIX[:6])
    assert not needs_more([short, stopping, long], STOPS_AT_SIX)


def test_the_converged_epoch_has_the_lowest_loss_before_patience_ran_out():
    assert converged_epoch(STOPS_AT_SIX) == 3  # not 7, whose loss is lower but came too late
    assert converged_epoch((0.5, 0.6, 0.7, 0.8)) == 1
    assert converged_epoch((0.5, 0.5, 0.5, 0.5)) == 1


@pytest.mark.parametrize("losses", [(), (0.5, 0.6, 0.7), (0.9, 0.8, 0.7, 0.6, 0.5), STOPS_AT_SIX[:5]])
def test_a_training_whose_patience_did_not_run_out_has_not_converged(losses: tuple[float, ...]):
    assert converged_epoch(losses) is None


def test_a_misspelt_rule_is_refused():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        StopRule.model_validate({"epochs": 5, "patiense": 3})
