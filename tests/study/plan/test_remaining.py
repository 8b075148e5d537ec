"""Remaining time: predictions, corrected by how long epochs take, with an interval."""

import pytest

from study.plan.cost import Shape
from study.plan.forecast import FurtherTrainings
from study.plan.remaining import Expected, Phase, Remaining, Running, SpeedErrors, work_of

SMALL, LARGE, OTHER = (Shape(filters, 3, 16, 128, False, False) for filters in (8, 128, 32))


def expect(seconds: float, shape: Shape = SMALL, epochs: int = 10) -> Expected:
    return Expected(seconds, epochs, epochs, shape=shape)


def remaining(phase: Phase, *running: Running, lanes: int = 1, longest: Expected | None = None) -> float:
    errors = SpeedErrors(0.1)
    return Remaining.of([phase.left(running, longest, lanes, errors)], errors).seconds


def test_lanes_share_the_rest():
    trainings = [expect(60)] * 4
    assert remaining(Phase(trainings), longest=trainings[0]) == pytest.approx(240)
    assert remaining(Phase(trainings), longest=trainings[0], lanes=2) == pytest.approx(120)


def test_nothing_ends_before_the_longest_training_would_alone():
    trainings = [expect(60), expect(10), expect(10)]
    assert remaining(Phase(trainings), longest=trainings[0], lanes=3) == pytest.approx(60)
    assert remaining(Phase(trainings), Running(trainings[0]), longest=trainings[1], lanes=2) == pytest.approx(
        60
    )


def test_ended_epochs_and_the_time_since_are_no_longer_left():
    training = expect(100)
    assert Running(training, epochs=4, since=3).left(1.0) == pytest.approx(57)
    assert Running(training, epochs=4, since=3).left(2.0) == pytest.approx(117)
    assert remaining(Phase([training]), Running(training, 4, since=3)) == pytest.approx(57)


def test_an_epoch_and_a_training_that_should_be_over_are_not():
    training = expect(100)
    assert Running(training, epochs=4, since=1000).left(1.0) == pytest.approx(150)
    assert Running(training, epochs=25, since=4).left(1.0) == pytest.approx(6)


def test_an_ended_training_is_taken_away_and_a_kept_one_takes_no_time():
    kept, long = expect(0), expect(60)
    phase = Phase([kept, long])
    phase.end(kept)
    assert remaining(phase, longest=long) == pytest.approx(60)
    phase.end(long)
    assert remaining(phase) == 0


def test_the_estimate_moves_from_the_prediction_to_what_epochs_take():
    errors, factors = SpeedErrors(0.1), []
    for _ in range(5):
        errors.observe(expect(100), 20)
        factors.append(errors.factor(SMALL))
    assert 1.5 < factors[0] < factors[-1] < 2
    assert factors[-1] == pytest.approx(2, rel=0.05)


def test_one_shape_says_something_of_another_and_several_say_more():
    errors = SpeedErrors(0.5)
    errors.observe(expect(100), 20)
    one = errors.factor(LARGE)
    errors.observe(expect(100, OTHER), 20)
    assert 1 < one < errors.factor(LARGE) < 2


def test_what_runs_now_counts_too_without_being_kept():
    errors = SpeedErrors(0.1)
    half_way = Running(expect(100), epochs=5, epoch_seconds=20)
    assert errors.including([half_way]).factor(SMALL) == pytest.approx(1.88, abs=0.01)
    assert errors.including([Running(expect(100))]).factor(SMALL) == 1
    assert errors.factor(SMALL) == 1


def test_the_interval_narrows_as_trainings_end():
    def width(ended: int) -> float:
        errors, phase = SpeedErrors(0.5), Phase([expect(60)] * 10)
        for _ in range(ended):
            errors.observe(expect(60), 6)
        low, high = Remaining.of([phase.left([], expect(60), 1, errors)], errors).interval
        return high - low

    assert width(0) > 2 * width(1) > 2 * width(5) > 0


def test_the_interval_has_what_single_trainings_and_later_phases_add():
    errors = SpeedErrors(1e-6)
    errors.observe(expect(60), 6)
    single = Phase([Expected(60, 10, 10, spread=8, shape=SMALL)] * 4).left([], None, 2, errors)
    later = work_of(FurtherTrainings(2, (30.0, 30.0), spread=6.0), 2, errors)
    assert single.variance == pytest.approx(4 * 64 / 4)
    assert later.variance == 36
    found = Remaining.of([single, later], errors, rest=20)
    assert found.seconds == pytest.approx(120 + 30 + 20)
    low, high = found.interval
    assert (high - low) / 2 == pytest.approx(1.96 * (64 + 36 + 25 + 90) ** 0.5, rel=0.15)


def test_an_interval_never_reaches_zero():
    assert Remaining(100, 500).interval[0] == 10
