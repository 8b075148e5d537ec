"""The alarm's command: it gets the message, and what goes wrong with it is said."""

import re
import sys
from pathlib import Path

import pytest

from flows.serving.alarm import run_command


def test_the_users_command_gets_the_message_on_standard_input(tmp_path: Path):
    heard = tmp_path / "it is heard"
    assert run_command(f"tee '{heard}'", "lab drifted $(touch no); größer\n") is None
    assert heard.read_text(encoding="utf-8") == "lab drifted $(touch no); größer\n"


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (
            f"{sys.executable} -c 'print(\"no mail today\"); raise SystemExit(4)'",
            "failed with exit code 4: no mail today",
        ),
        ("no-such-program --at all", "cannot be run: .*No such file"),
        ("mail -s 'half a quote", "cannot be run: No closing quotation"),
    ],
)
def test_a_command_that_fails_is_told(command: str, problem: str):
    assert re.search(problem, str(run_command(command, "message")))


def test_a_command_that_reads_nothing_and_says_much_is_no_trouble():
    assert run_command(f"{sys.executable} -c 'print(\"word \" * 100000)'", "long " * 100_000) is None
