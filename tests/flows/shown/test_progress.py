"""Progress: counts, elapsed time, and a remaining time from the forecast, corrected as trainings finish."""

import io
import sys

import pytest

from flows.shown.progress import SweepCounter, SweepState, TerminalProgress
from study.plan import Expected, FurtherTrainings, Remaining
from tasks.lanes import Progress


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make_tally(*seconds: float, lanes: int = 1, later: tuple[float, ...] = ()) -> tuple[SweepCounter, Clock]:
    """Trainings by name: 0, 1, ..., of ten epochs each."""
    clock = Clock()
    tally = SweepCounter(lanes, [FurtherTrainings(len(later), later)], clock=clock)
    tally.expect({str(number): Expected(each, 10, 10) for number, each in enumerate(seconds)})
    return tally, clock


def left(tally: SweepCounter, **running: Progress) -> float:
    return tally.standing(
        {name.removeprefix("of_"): each for name, each in running.items()}
    ).remaining.seconds


def test_the_remaining_time_is_known_before_anything_is_finished():
    tally, clock = make_tally(60, 40, 20)
    assert left(tally) == pytest.approx(120)
    clock.now = 30
    assert left(tally, of_0=Progress(at=0)) == pytest.approx(90 + 30 - 6 * 0.9 - 0.6 - 24, rel=0.3)
    assert tally.standing().fraction == pytest.approx(0.2)


def test_epochs_of_running_trainings_are_done_and_correct_the_rest():
    tally, clock = make_tally(60, 60)
    clock.now = 31
    as_predicted = Progress(at=31, epochs=5, first_at=1, first_epochs=0)
    assert left(tally, of_0=as_predicted) == pytest.approx(90)
    slower = Progress(at=31, epochs=3, first_at=1, first_epochs=0)
    assert left(tally, of_0=slower) == pytest.approx((7 + 10) * 10, rel=0.15)
    assert tally.standing({"0": slower}).epochs == ("3/10",)


@pytest.mark.parametrize(("kept", "expected"), [(5, 60), (0, 30)], ids=["a run", "an attempt"])
def test_epochs_of_an_earlier_run_or_attempt_are_done_and_no_measure_of_speed(kept: int, expected: float):
    tally, clock = make_tally()
    tally.expect({"0": Expected(60, 10, 10 + kept, kept_epochs=kept)})
    clock.now = 1
    running = Progress(at=1, epochs=5, first_at=1, first_epochs=5)
    assert left(tally, of_0=running) == pytest.approx(expected)


def test_what_trainings_took_corrects_the_rest_more_and_more():
    tally, clock = make_tally(*[10.0] * 10)
    remaining = []
    for number in range(5):
        clock.now = 20.0 * (number + 1)
        tally.finish(str(number), 2.0)
        remaining.append(left(tally))
    assert remaining[0] < 9 * 20
    assert remaining[-1] == pytest.approx(5 * 20, rel=0.05)


def test_what_is_read_from_earlier_runs_takes_no_time_and_is_no_measure_of_speed():
    tally, _ = make_tally(50, 0, 0)
    tally.finish("1", None)
    tally.finish("2", None)
    assert left(tally) == pytest.approx(50)
    assert tally.standing().reused == 2


def test_what_comes_later_is_counted_until_it_has_begun():
    tally, clock = make_tally(10, later=(30.0,))
    assert left(tally) == pytest.approx(40)
    clock.now = 10
    tally.finish("0", 1.0)
    assert left(tally) == pytest.approx(30)
    tally.foresee([FurtherTrainings(1, (50.0,))])
    assert left(tally) == pytest.approx(50)
    tally.expect({"later": Expected(25)}, later=())
    assert left(tally) == pytest.approx(25)
    tally.finish("later", 25)
    assert tally.standing().fraction == 1.0


def test_lanes_that_join_and_leave_change_the_rest():
    tally, _ = make_tally(*[60.0] * 6, lanes=1)
    assert left(tally) == pytest.approx(360)
    tally.count_lanes(3)
    assert left(tally) == pytest.approx(120)
    tally.count_lanes(0)  # said as for one
    assert left(tally) == pytest.approx(360)


def test_a_training_that_takes_longer_than_predicted_never_seems_done():
    tally, clock = make_tally(10)
    clock.now = 1000
    standing = tally.standing({"0": Progress(at=0)})
    assert standing.remaining.seconds > 0
    assert standing.fraction < 1


def test_after_the_last_training_the_end_is_counted_down_and_never_done():
    clock = Clock()
    tally = SweepCounter(1, rest=20, clock=clock)
    tally.expect({"0": Expected(10.0)})
    assert left(tally) == pytest.approx(30)
    clock.now = 10
    tally.finish("0", 10.0)
    assert left(tally) == pytest.approx(20)
    clock.now = 15
    assert left(tally) == pytest.approx(15)
    clock.now = 100
    assert left(tally) == pytest.approx(2)


def test_failures_are_counted_and_said():
    tally, _ = make_tally(1, 1)
    tally.finish("0", None, failed=True)
    tally.finish("1", 1.0)
    standing = tally.standing()
    assert (standing.done, standing.failed, standing.reused) == (2, 1, 0)
    assert "1 failed" in str(standing)


def test_a_standing_is_one_line_for_people():
    standing = SweepState(3, 1, 1, 0, elapsed=30.0, remaining=Remaining(90.0, 10.0), epochs=("7/20", "3/20"))
    assert str(standing) == (
        "25%: 1 of 3 trainings, 1 min 30 s left (1 to 2 min), epochs 7/20 3/20, 30.0 s elapsed, "
        "1 read from earlier runs"
    )


def test_where_there_is_no_terminal_a_line_is_written(monkeypatch: pytest.MonkeyPatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    tally, _ = make_tally(1)
    with TerminalProgress() as view:
        view.show(tally.standing())
        view.show(tally.standing())
        tally.finish("0", 0.1)
        view.show(tally.standing())
    assert written.getvalue() == (
        "0%: 0 of 1 trainings, 1.0 s left (1 to 1 s), 0.0 s elapsed\n100%: 1 of 1 trainings, 0.0 s elapsed\n"
    )
