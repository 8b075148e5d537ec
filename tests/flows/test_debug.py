"""`study --debug` shows where an error came from; without it whatever goes wrong is one message."""

from collections.abc import Iterator

import pytest

from flows.cli.main import app
from tests.command import study


@pytest.fixture
def faulty() -> Iterator[None]:
    """The command line has one command more, that has a fault."""

    @app.command("fault", hidden=True)
    def fault() -> None:
        raise RuntimeError("the disk\nis on fire \x1b[31m")

    yield
    app.registered_commands.pop()


def test_a_fault_is_one_line_and_exit_code_1(faulty: None):
    assert study("fault") == (
        1,
        "",
        "study: RuntimeError: the disk is on fire \\x1b[31m; this is a fault "
        "of the program or the machine: `study --debug …` shows where\n",
    )


def test_after_debug_a_fault_shows_where_it_is(faulty: None):
    code, _, err = study("--debug", "fault")
    assert code == 1
    assert "Traceback (most recent call last):" in err
    assert 'raise RuntimeError("the disk' in err
    assert err.splitlines()[-1].startswith("study: RuntimeError: the disk is on fire")


def test_after_debug_wrong_input_shows_where_it_was_found_and_keeps_its_exit_code():
    code, _, err = study("--debug", "plan", "lba")
    assert code == 2
    assert "Traceback (most recent call last):" in err
    assert err.splitlines()[-1].startswith("study: study 'lba' not found")


def test_a_wrong_option_is_answered_with_what_was_given_and_where_help_is():
    assert study("show", "--result", "my folder") == (
        2,
        "",
        "study: No such option: --result (Possible options: --results); "
        "given: study show --result 'my folder'; `study show --help` shows what is allowed\n",
    )
