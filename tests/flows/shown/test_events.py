"""A night's events where nobody hears them: the flow goes on, and ends as if nothing had been said."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.night_server import clean_environment
from tests.served import PROJECT

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


def run(program: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env=clean_environment(home, **environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


@pytest.mark.slow
def test_with_a_temporary_server_that_asks_for_a_password_a_night_ends_as_ever(tmp_path: Path):
    done = run(NIGHT, tmp_path)
    assert (done.returncode, done.stdout.split("\n")) == (0, ["went on", "went on", ""]), done.stderr
    assert "Error" not in done.stderr


@pytest.mark.slow
def test_where_no_server_answers_a_night_goes_on(tmp_path: Path):
    nobody = {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    done = run(OUTSIDE, tmp_path, **nobody)
    assert (done.returncode, done.stdout) == (0, "went on\n"), done.stderr
