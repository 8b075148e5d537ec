"""Keeping programs running: real processes that end, hang, and cannot be kept."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from flows.supervise import MOST_ENDS, Guest, Part, describe_end, keep_running
from study.errors import InputError

LASTING = "import time; time.sleep(600)"


@pytest.fixture
def starter() -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts programs, all of which end with the test."""
    started = []

    def start(program: str = LASTING) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def test_a_program_that_is_killed_is_started_again_with_a_line_that_says_so(starter, caplog):
    part = Part("the worker", starter)
    first = part.process
    first.kill()
    first.wait()
    part.look()
    assert part.process.pid != first.pid
    assert part.process.poll() is None
    assert "the worker ended (killed by SIGKILL) and is started again" in caplog.text


def test_a_program_that_lives_is_left_alone(starter):
    part = Part("the worker", starter)
    first = part.process
    part.look()
    part.check()
    assert part.process is first


def test_a_program_that_ends_at_once_again_and_again_is_given_up(starter):
    part = Part("the worker", lambda: starter("raise SystemExit(3)"))
    for _ in range(MOST_ENDS - 1):
        part.process.wait()
        part.look()
    part.process.wait()
    with pytest.raises(
        InputError,
        match=r"the worker ended \(exit code 3\), for the 5th time within 5 minutes; its log above says why",
    ):
        part.look()


def test_a_program_that_lives_but_is_not_well_is_started_again(starter, caplog):
    part = Part("the server", starter, is_well=lambda: False, patience_seconds=0.0)
    first = part.process
    time.sleep(0.01)
    part.check()
    assert first.poll() is not None
    assert part.process.poll() is None
    assert "the server did not answer for 0 s and is started again" in caplog.text


def test_a_program_that_is_not_well_for_a_moment_is_left_alone(starter):
    answers = iter([False, True])
    part = Part("the server", starter, is_well=lambda: next(answers), patience_seconds=60.0)
    first = part.process
    part.check()
    part.check()
    assert part.process is first
    assert first.poll() is None


def test_somebody_elses_program_is_waited_for(caplog):
    answers = iter([True, False, False, True])
    guest = Guest("the server", lambda: next(answers))
    for _ in range(4):
        guest.look()
        guest.check()
    assert [record.message for record in caplog.records] == [
        "the server does not answer; waiting",
        "the server answers again",
    ]


def test_everything_is_looked_after_until_something_cannot_be_kept(starter):
    failing = Part("the alarm", lambda: starter("raise SystemExit(1)"))
    with pytest.raises(InputError, match="the alarm ended"):
        keep_running([Part("the worker", starter), failing])


@pytest.mark.parametrize(
    ("code", "said"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "killed by SIGKILL"), (-99, "killed by signal 99")],
)
def test_how_a_process_ended_is_said_in_words(code: int, said: str):
    assert describe_end(code) == said
