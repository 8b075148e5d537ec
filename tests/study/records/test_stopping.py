import pytest

from study.records.record import StopRule, converged_epoch, needs_more

# The lowest loss is at epoch 3; three epochs without a lower one end with epoch 6.
STOPS_AT_SIX = (0.9, 0.7, 0.5, 0.6, 0.55, 0.51, 0.4)


@pytest.mark.parametrize(
    ("losses", "epochs", "patience", "epochs_read"),
    [
        (STOPS_AT_SIX, 7, 3, 6),
        (STOPS_AT_SIX, 7, 1, 4),
        (STOPS_AT_SIX, 7, 4, 7),
        (STOPS_AT_SIX, 7, None, 7),
        (STOPS_AT_SIX, 2, None, 2),
        (STOPS_AT_SIX, 5, 3, 5),  # the budget ends before patience runs out
        (STOPS_AT_SIX, 6, 3, 6),  # patience runs out with the last epoch of the budget
        (STOPS_AT_SIX[:6], 20, 3, 6),
        (STOPS_AT_SIX[:5], 20, 3, None),
        (STOPS_AT_SIX[:2], 3, 3, None),
        (STOPS_AT_SIX[:2], 3, None, None),
        ((), 1, None, None),
        ((0.5, 0.6, 0.7), 3, 2, 3),
        ((0.5, 0.5, 0.5), 3, 2, 3),  # an equal loss is no lower loss
        ((0.5, 0.6, 0.4, 0.6, 0.3, 0.6, 0.6), 7, 2, 7),  # a lower loss starts the count anew
    ],
)
def test_a_trial_reads_its_budget_or_up_to_where_patience_ran_out_and_nothing_of_a_shorter_training(
    losses: tuple[float, ...], epochs: int, patience: int | None, epochs_read: int | None
):
    assert StopRule(epochs=epochs, patience=patience).epochs_read(losses) == epochs_read


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
