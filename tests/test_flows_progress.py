"""Progress: counts, elapsed time, and a remaining time judged by the work that is left."""

import io
import sys

import pytest

from flows.progress import Tally, TerminalProgress


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_remaining_time_is_in_proportion_to_the_work_left():
    clock = Clock()
    tally = Tally(clock)
    tally.expect([300, 100])
    clock.now = 30.0
    standing = tally.finish(300)
    assert standing.remaining == pytest.approx(10.0)
    assert standing.fraction == pytest.approx(0.75)
    assert str(standing) == "1 of 2 trainings, 30.0 s elapsed, about 10.0 s remaining"


def test_what_is_read_from_earlier_runs_does_not_count_as_speed():
    clock = Clock()
    tally = Tally(clock)
    tally.expect([100, 100, 100])
    clock.now = 1.0
    assert tally.finish(100, reused=True).remaining is None
    clock.now = 11.0
    assert tally.finish(100).remaining == pytest.approx(11.0)


def test_failures_are_counted_and_said():
    tally = Tally(Clock())
    tally.expect([1, 1])
    tally.finish(1, failed=True)
    standing = tally.finish(1)
    assert (standing.done, standing.failed) == (2, 1)
    assert "1 failed" in str(standing)


def test_where_there_is_no_terminal_a_line_is_written(monkeypatch: pytest.MonkeyPatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    tally = Tally(Clock())
    tally.expect([1])
    with TerminalProgress() as view:
        view.show(tally.finish(1))
    assert written.getvalue() == "1 of 1 trainings, 0.0 s elapsed\n"
