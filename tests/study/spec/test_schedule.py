import pytest

from study.spec.setting import Hyperparameters, Setting, learning_rate_at


def test_a_constant_schedule_keeps_the_learning_rate():
    assert [learning_rate_at(Hyperparameters(), epoch, None) for epoch in (1, 7, 1000)] == [0.01] * 3


def test_a_cosine_schedule_falls_from_the_rate_towards_zero_over_its_budget():
    cosine = Hyperparameters(schedule="cosine", learning_rate=0.2)
    rates = [learning_rate_at(cosine, epoch, 4) for epoch in (1, 2, 3, 4)]
    assert rates == pytest.approx([0.2, 0.2 * 0.853553, 0.1, 0.2 * 0.146447], abs=1e-6)
    assert learning_rate_at(cosine, 5, 4) == pytest.approx(0.0)


def test_only_a_schedule_that_is_not_constant_depends_on_the_epoch_budget():
    assert Setting(epochs=7).schedule_epochs is None
    assert Setting(epochs=7, schedule="cosine").schedule_epochs == 7
