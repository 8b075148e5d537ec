"""Progress: counts, elapsed time, and a remaining time from the forecast, corrected as trainings finish."""

import io
import sys

import pytest

from flows.shown.progress import SweepCounter, SweepState, TerminalProgress


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make_tally(*seconds: float, lanes: int = 1, later: tuple[float, ...] = ()) -> tuple[SweepCounter, Clock]:
    clock = Clock()
    tally = SweepCounter(lanes, later, clock)
    tally.expect(seconds)
    return tally, clock


def test_the_remaining_time_is_known_before_anything_is_finished():
    tally, clock = make_tally(60, 40, 20)
    assert tally.standing().remaining == pytest.approx(120)
    clock.now = 30
    assert tally.standing().remaining == pytest.approx(90)
    assert tally.standing().fraction == pytest.approx(0.25)


def test_several_lanes_share_the_rest():
    tally, clock = make_tally(60, 60, 60, 60, lanes=2)
    assert tally.standing().remaining == pytest.approx(120)
    clock.now = 60
    tally.finish(60, 60)
    assert tally.finish(60, 60).remaining == pytest.approx(60)


def test_what_trainings_took_corrects_the_rest_more_and_more():
    tally, clock = make_tally(*[10.0] * 10)
    remaining = []
    for number in range(1, 6):
        clock.now = 20.0 * number
        remaining.append(tally.finish(10, 20).remaining)
    assert remaining[0] < 9 * 20
    assert remaining[-1] == pytest.approx(5 * 20, rel=0.2)


def test_what_is_read_from_earlier_runs_takes_no_time_and_is_no_measure_of_speed():
    tally, _ = make_tally(0, 0, 50)
    assert tally.finish(0, None).remaining == pytest.approx(50)
    assert tally.finish(0, None).reused == 2


def test_what_comes_later_is_counted_until_it_has_begun():
    tally, clock = make_tally(10, later=(30.0,))
    assert tally.standing().remaining == pytest.approx(40)
    clock.now = 10
    assert tally.finish(10, 10).remaining == pytest.approx(30)
    tally.expect([25], later=())
    assert tally.standing().remaining == pytest.approx(25)
    assert tally.finish(25, 25).fraction == 1.0


def test_lanes_that_have_nothing_to_train_do_nothing_of_the_rest():
    tally, clock = make_tally(60, lanes=4)
    assert tally.standing().remaining == pytest.approx(60)
    clock.now = 45
    assert tally.standing().remaining == pytest.approx(15)


def test_lanes_that_join_and_leave_change_the_rest():
    tally, clock = make_tally(*[60.0] * 6, lanes=1)
    clock.now = 30
    assert tally.standing().remaining == pytest.approx(330)
    tally.count_lanes(3)
    assert tally.standing().remaining == pytest.approx(110)
    clock.now = 40
    assert tally.standing().remaining == pytest.approx(100)
    tally.count_lanes(2)
    assert tally.standing().remaining == pytest.approx(150)


def test_while_no_lane_is_there_nothing_is_done_and_what_remains_is_said_as_for_one():
    tally, clock = make_tally(60, 60, lanes=2, later=(30.0, 30.0))
    clock.now = 30
    assert tally.standing().remaining == pytest.approx(60)
    tally.count_lanes(0)
    for clock.now in (30, 1000):
        assert tally.standing().remaining == pytest.approx(60 + 60)


def test_a_training_that_takes_longer_than_predicted_never_seems_done():
    tally, clock = make_tally(10)
    clock.now = 1000
    assert tally.standing().remaining > 0
    assert tally.standing().fraction < 1


def test_failures_are_counted_and_said():
    tally, _ = make_tally(1, 1)
    tally.finish(1, None, failed=True)
    standing = tally.finish(1, 1.0)
    assert (standing.done, standing.failed, standing.reused) == (2, 1, 0)
    assert "1 failed" in str(standing)


def test_a_standing_is_one_line_for_people():
    standing = SweepState(total=3, done=1, reused=1, failed=0, fraction=0.3, elapsed=30.0, remaining=90.0)
    assert str(standing) == (
        "1 of 3 trainings, about 1 min 30 s remaining, 30.0 s elapsed, 1 read from earlier runs"
    )


def test_where_there_is_no_terminal_a_line_is_written(monkeypatch: pytest.MonkeyPatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    tally, _ = make_tally(1)
    with TerminalProgress() as view:
        view.show(tally.standing())
        view.show(tally.standing())
        view.show(tally.finish(1, 1.0))
    assert written.getvalue() == (
        "0 of 1 trainings, about 1.0 s remaining, 0.0 s elapsed\n1 of 1 trainings, 0.0 s elapsed\n"
    )
