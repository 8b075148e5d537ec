"""A night's events where nobody hears them: the flow goes on, and ends as if nothing had been said."""

from pathlib import Path

import pytest

from tests.night_server import run_program

NIGHT = """
from flows.serving.temporary import temporary_server
with temporary_server():
    from prefect import flow
    from flows.shown.events import emit_night

@flow(name="night")
def night(words):
    emit_night("lab", "run-1", {3: "drifted"}, "lab drifted in exercise 3 " * words)
    return "went on"

print(night(1))
print(night(1_000_000))
"""
OUTSIDE = """
from flows.shown.events import emit_night
emit_night("lab", "run-1", {3: "identical"}, "lab: identical")
print("went on")
"""


@pytest.mark.slow
def test_with_a_temporary_server_that_asks_for_a_password_a_night_ends_as_ever(tmp_path: Path):
    done = run_program(NIGHT, tmp_path)
    assert (done.returncode, done.stdout.split("\n")) == (0, ["went on", "went on", ""]), done.stderr
    assert "Error" not in done.stderr


@pytest.mark.slow
def test_where_no_server_answers_a_night_goes_on(tmp_path: Path):
    done = run_program(OUTSIDE, tmp_path, PREFECT_API_URL="http://127.0.0.1:9/api")
    assert (done.returncode, done.stdout) == (0, "went on\n"), done.stderr
